"""Published frames stay what they are: they decode for ever, and our encoders still write them."""

import re

import pytest

from tensorcodecs import registry


def test_golden_frames_decode(spec, codec, golden):
    assert golden.path(spec).exists(), f"no golden file: run python tests/golden/write.py '{spec}'"
    frames = golden.read(spec)
    arrays = golden.arrays()
    assert len(frames) == len(arrays)
    for frame, array in zip(frames, arrays, strict=True):
        assert codec.decode(frame).tobytes() == golden.fit(codec, array).tobytes()


def test_our_encoders_still_write_the_golden_frames(spec, codec, golden):
    if not all(part.isdigit() for part in codec.version.split(",")):
        return  # a linked library may find a denser encoding in any release
    assert [codec.encode(array) for array in golden.arrays()] == golden.read(spec)


def test_writing_keeps_published_files(golden, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(golden, "FOLDER", tmp_path)
    golden.path("zvc").write_bytes(b"published")
    golden.main(["zvc", "raw"])
    assert golden.path("zvc").read_bytes() == b"published"
    assert "kept 1" in capsys.readouterr().out
    golden.main(["--overwrite", "zvc"])
    assert golden.path("zvc").read_bytes() != b"published"


def test_every_golden_file_belongs_to_a_codec(golden):
    assert {path.name for path in golden.FOLDER.iterdir()} == {golden.path(s).name for s in golden.specs()}


class TestCompleteness:
    """A codec without its papers is not finished."""

    def test_class_says_what_it_is(self, name):
        codec = registry.get_codec(name)
        assert codec.name == name
        assert codec.title
        assert re.search(r"RFC \d+|\b(19|20)\d\d\b|identity", codec.source)
        assert codec.version
        assert type(codec).__doc__

    def test_format_page_exists_and_names_the_source(self, name, root):
        page = root / "docs/formats" / f"{name}.md"
        assert page.exists()
        assert page.read_text(encoding="utf-8").startswith(f"# {name}: ")

    def test_glue_stays_small(self, name):
        import inspect

        lines = inspect.getsource(inspect.getmodule(type(registry.get_codec(name)))).count("\n")
        assert lines <= 70, f"{lines} lines of glue: move work to base, frame or a kernel"

    def test_numcodecs_finds_it(self, name, root):
        import tomllib

        project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        cls = type(registry.get_codec(name))
        if cls.codec_id.startswith("squeezemark."):
            entry = project["entry-points"]["numcodecs.codecs"][cls.codec_id]
            assert entry == f"{cls.__module__}:{cls.__name__}"


@pytest.mark.parametrize("path", ["codecs/__init__.py"])
def test_the_source_root_is_no_package(path, root):
    assert not (root / path).exists(), "it would hide the standard library's codecs"
