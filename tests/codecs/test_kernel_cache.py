"""Kernels are compiled once and then loaded, from a folder that nobody else writes to, or not at all."""

import errno
import json
import os
import pickle
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import numba
import numpy as np
import pytest
from support import REPOSITORY

from tensorcodecs import kernels, sources
from tensorcodecs.kernels import _cache, _folder, kernel

PACKAGE = REPOSITORY / "codecs" / "tensorcodecs"
posix = pytest.mark.skipif(not hasattr(os, "getuid"), reason="owners and modes are POSIX's")


def one_more(n):
    return n + 1


def two_less(n):
    return n - 2


def fresh(function=one_more):
    """A kernel as a new process has it: nothing in memory."""
    return kernel(function)


def is_compiled(function=one_more, argument=1):
    """Whether calling it compiles, and does not load."""
    made = fresh(function)
    assert made(argument) == function(argument)
    return not made.stats.cache_hits


def forget():
    _folder.base_folder.cache_clear()
    _cache._folder.cache_clear()
    _folder._notes.clear()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The folder that this process's kernels are cached in."""
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path / "cache"))
    forget()
    yield tmp_path / "cache"
    monkeypatch.undo()
    forget()


@pytest.fixture
def homeless(tmp_path, monkeypatch):
    """No folder is named, and there is none but that of the user and the temporary one."""
    monkeypatch.setattr(numba.config, "CACHE_DIR", "")
    monkeypatch.setattr(_folder, "__file__", str(tmp_path / "installed" / "file"))
    (tmp_path / "installed").write_text("no folder can be made in a file")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "installed" / "home"))
    monkeypatch.setattr(_folder.tempfile, "gettempdir", lambda: str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    forget()
    yield tmp_path
    monkeypatch.undo()
    forget()


def entries(folder):
    return sorted(folder.rglob("*.nbc"))


class TestEntries:
    def test_each_set_of_types_is_compiled_once(self, folder):
        assert is_compiled()
        assert not is_compiled()
        assert is_compiled(argument=1.5)
        assert not is_compiled(argument=1.5)
        assert is_compiled(two_less)
        assert len(entries(folder)) == 3
        assert not kernels.notes()

    @posix
    def test_they_are_private(self, folder):
        is_compiled()
        (entry,) = entries(folder)
        assert stat.S_IMODE(folder.stat().st_mode) == stat.S_IMODE(entry.parent.stat().st_mode) == 0o700

    @pytest.mark.parametrize("damage", ["half", "empty", "zeros", "flip", "flip at the end", "pickle"])
    def test_a_damaged_one_is_compiled_anew(self, folder, damage):
        is_compiled()
        (entry,) = entries(folder)
        before = entry.read_bytes()
        witness = folder / "executed"
        at = len(before) - 1 if damage == "flip at the end" else len(before) // 3
        damaged = {
            "half": before[: len(before) // 2],
            "empty": b"",
            "zeros": bytes(len(before)),
            "pickle": pickle.dumps(Touch(witness)),
        }.get(damage, before[:at] + bytes([before[at] ^ 8]) + before[at + 1 :])
        entry.write_bytes(damaged)
        assert is_compiled()
        assert not witness.exists()
        assert kernels.notes() == (f"damaged entries of the kernel cache {folder} are compiled anew",)
        assert not is_compiled(), "it was put in its place again"

    def test_one_that_cannot_be_read_nor_replaced_is_compiled_anew(self, folder):
        is_compiled()
        (entry,) = entries(folder)
        entry.unlink()
        entry.mkdir()
        assert is_compiled()
        assert is_compiled()
        assert [note.count(str(folder)) for note in kernels.notes()] == [1, 1]

    def test_one_in_anothers_place_is_compiled_anew(self, folder):
        for argument in (1, 1.5):
            for function in (one_more, two_less):
                is_compiled(function, argument)
        found = entries(folder)
        assert len(found) == 4
        contents = [path.read_bytes() for path in found]
        for path, content in zip(found, contents[1:] + contents[:1], strict=True):
            path.write_bytes(content)
        for argument in (1, 1.5):
            for function in (one_more, two_less):
                assert is_compiled(function, argument)
                assert not is_compiled(function, argument)

    def test_whatever_loading_raises_is_a_reason_to_compile(self, folder, monkeypatch):
        is_compiled()
        monkeypatch.setattr(_cache.pickle, "loads", lambda data: 1 / 0)
        assert is_compiled()
        assert "are compiled anew (ZeroDivisionError)" in kernels.notes()[0]

    def test_memory_that_ran_out_is_not_taken_for_damage(self, folder, monkeypatch):
        is_compiled()
        monkeypatch.setattr(_cache, "_read", out_of_memory)
        with pytest.raises(MemoryError):
            is_compiled()

    def test_a_full_disk_costs_a_note(self, folder, monkeypatch):
        monkeypatch.setattr(Path, "write_bytes", no_space)
        assert is_compiled()
        assert is_compiled()
        assert kernels.notes() == (f"the kernel cache {folder} takes no more (No space left on device)",)
        monkeypatch.undo()
        assert not list(folder.rglob("*.part")), "no part of an entry is left"

    def test_a_folder_that_vanishes_costs_a_note(self, folder):
        is_compiled()
        shutil.rmtree(folder)
        assert is_compiled()
        assert "takes no more (No such file or directory)" in kernels.notes()[0]

    def test_a_kernel_that_holds_addresses_is_compiled_every_time(self, folder):
        table = np.arange(1 << 20)

        def entry(n):
            return table[n]

        assert is_compiled(entry)
        assert is_compiled(entry)
        assert not entries(folder)

    def test_what_a_kernel_closes_over_is_part_of_it(self, folder):
        def made(step):
            def stepped(n):
                return n + step

            return stepped

        assert is_compiled(made(3))
        assert is_compiled(made(4))
        assert not is_compiled(made(3))


class Touch:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def no_space(*arguments):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def out_of_memory(*arguments):
    raise MemoryError


class TestFolders:
    def test_the_temporary_one_is_private(self, homeless):
        assert is_compiled()
        assert not is_compiled()
        folder = _folder.base_folder()
        assert folder.parent == homeless / "temporary"
        if hasattr(os, "getuid"):
            assert folder.name == f"squeezemark-kernels-{os.getuid()}"
            assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        (note,) = kernels.notes()
        assert note.startswith(
            f"kernels are cached in {folder}: {homeless / 'installed' / '__pycache__'} cannot"
        )
        assert "\n" not in note

    def test_where_there_is_none_every_process_compiles(self, homeless):
        (homeless / "temporary").rmdir()
        (homeless / "temporary").write_text("no folder either")
        assert is_compiled()
        assert is_compiled()
        (note,) = kernels.notes()
        assert note.startswith("kernels are not cached but compiled in every process: ")
        assert note.endswith("; NUMBA_CACHE_DIR can name a folder")

    def test_a_system_without_a_temporary_folder_is_survived(self, homeless, monkeypatch):
        monkeypatch.setattr(_folder.tempfile, "gettempdir", no_space)
        assert is_compiled()
        assert "not cached" in kernels.notes()[0]

    def test_a_user_without_a_home_is_survived(self, homeless, monkeypatch):
        def homeless_user():
            raise RuntimeError("Could not determine home directory.")

        monkeypatch.delenv("XDG_CACHE_HOME")
        monkeypatch.setattr(_folder.Path, "home", homeless_user)
        assert is_compiled()
        assert not is_compiled()

    def test_a_named_one_that_cannot_be_written_to_is_named(self, homeless, monkeypatch):
        monkeypatch.setattr(numba.config, "CACHE_DIR", str(homeless / "installed" / "named"))
        assert is_compiled()
        assert not is_compiled()
        assert (
            f"{homeless / 'installed' / 'named'} cannot be written to (Not a directory)" in kernels.notes()[0]
        )

    @posix
    def test_one_that_everybody_writes_to_is_refused(self, homeless, monkeypatch):
        monkeypatch.setattr(numba.config, "CACHE_DIR", str(homeless / "named"))
        (homeless / "named").mkdir()
        (homeless / "named").chmod(0o777)
        assert is_compiled()
        assert f"{homeless / 'named'} can be written to by everybody" in kernels.notes()[0]
        assert not entries(homeless / "named")
        assert entries(homeless / "temporary")

    @posix
    def test_one_of_another_user_is_refused(self, homeless, monkeypatch):
        monkeypatch.setattr(_folder.os, "getuid", lambda: 4321)
        if homeless.stat().st_uid == 0:
            os.chown(homeless / "temporary", 1234, -1)
            (homeless / "temporary" / "squeezemark-kernels-4321").mkdir()
            os.chown(homeless / "temporary" / "squeezemark-kernels-4321", 1234, -1)
        assert is_compiled()
        assert "belongs to another user" in kernels.notes()[0]
        assert "not cached" in kernels.notes()[0]

    @posix
    def test_a_link_in_a_folder_of_everybody_is_refused(self, homeless):
        (homeless / "mine").mkdir()
        temporary = homeless / "temporary"
        (temporary / f"squeezemark-kernels-{os.getuid()}").symlink_to(homeless / "mine")
        temporary.chmod(0o1777)
        assert is_compiled()
        assert "is a link that anybody may have made" in kernels.notes()[0]
        assert not entries(homeless / "mine")

    @posix
    @pytest.mark.parametrize(
        ("mode", "who"), [(0o775, "the group"), (0o777, "everybody"), (0o1777, ""), (0o755, "")]
    )
    def test_a_parent_that_others_write_to_is_told(self, folder, monkeypatch, mode, who):
        monkeypatch.setattr(_folder, "_is_own_group", lambda number: False)
        folder.parent.chmod(mode)
        assert is_compiled()
        assert not is_compiled(), "it is used all the same"
        assert [f"kernels are cached in {folder}, which {who}" in note for note in kernels.notes()] == [
            True
        ] * bool(who)

    @posix
    def test_a_folder_of_entries_that_everybody_writes_to_is_not_used(self, folder):
        is_compiled()
        (entry,) = entries(folder)
        entry.parent.chmod(0o777)
        forget()
        assert is_compiled()
        assert "can be written to by everybody" in kernels.notes()[0]

    @posix
    def test_a_group_of_ones_own_is_no_danger(self, monkeypatch):
        import grp

        user = _folder_user()
        for members, expected in (([], True), ([user], True), ([user, "eve"], False)):
            group = grp.struct_group((user, "x", 5, members))
            monkeypatch.setattr(grp, "getgrgid", lambda number, group=group: group)
            assert _folder._is_own_group(5) is expected
        monkeypatch.setattr(grp, "getgrgid", lambda number: grp.struct_group(("project", "x", 5, [])))
        assert not _folder._is_own_group(5)


def _folder_user():
    import pwd

    return pwd.getpwuid(os.getuid()).pw_name


class TestSources:
    """A kernel's folder goes by all that it is made of, wherever that lies."""

    @pytest.mark.parametrize(
        ("edited", "others"),
        [
            ("kernels.memory", {"lines.kernels.bdi", "floats.kernels.alp"}),
            ("kernels.shuffle", {"filters.kernels.split"}),
            ("lines.kernels.bitfields", {"lines.kernels.bdi"}),
        ],
    )
    def test_an_edit_changes_the_digests_of_those_that_use_it_alone(self, monkeypatch, edited, others):
        names = {"lines.kernels.bdi", "floats.kernels.alp", "filters.kernels.split", edited}
        before = {name: _cache.digest(f"tensorcodecs.{name}") for name in names}
        text = sources.content
        edit = {f"tensorcodecs.{edited}": b"#"}
        monkeypatch.setattr(sources, "content", lambda name: text(name) + edit.get(name, b""))
        _cache.digest.cache_clear()
        changed = {name for name in names if _cache.digest(f"tensorcodecs.{name}") != before[name]}
        monkeypatch.undo()
        _cache.digest.cache_clear()
        assert changed == {edited, *others}


SHUFFLED = """
import numpy as np
from tensorcodecs import kernels, registry
registry.get_codec("shuffle").encode(np.arange(100, dtype="u4"))
print(*kernels.compile_counts(), *kernels.notes())
"""
EVERY_KERNEL = """
import importlib, pkgutil, tensorcodecs
from tensorcodecs import kernels
for module in pkgutil.walk_packages(tensorcodecs.__path__, "tensorcodecs."):
    if ".kernels." in module.name:
        importlib.import_module(module.name)
print(len(kernels._dispatchers), *kernels.compile_counts())
"""


class TestProcesses:
    """A copy of the package, in processes of its own."""

    @pytest.fixture
    def copy(self, tmp_path):
        shutil.copytree(
            PACKAGE, tmp_path / "code" / "tensorcodecs", ignore=shutil.ignore_patterns("__pycache__")
        )
        return tmp_path / "code"

    def start(self, copy, code, **variables):
        return subprocess.Popen(
            [sys.executable, "-B", "-c", code],
            env={**os.environ, "PYTHONPATH": str(copy), "NUMBA_CACHE_DIR": str(copy / "cache"), **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def ended(self, process):
        out, err = process.communicate(timeout=120)
        assert process.returncode == 0, err
        assert not err
        return out.strip()

    def test_importing_every_kernel_makes_no_folder_and_no_file(self, copy):
        before = sorted(copy.rglob("*"))
        count, compiled, loaded = map(int, self.ended(self.start(copy, EVERY_KERNEL, HOME=str(copy))).split())
        assert count > 100
        assert compiled == loaded == 0
        assert sorted(copy.rglob("*")) == before

    def test_what_one_compiled_the_next_loads_until_a_source_changes(self, copy):
        def counts():
            return self.ended(self.start(copy, SHUFFLED))

        assert counts() == "1 0"
        assert counts() == "0 1"
        edited = copy / "tensorcodecs" / "kernels" / "shuffle.py"
        edited.write_text(edited.read_text() + "# another text\n")
        assert counts() == "1 0"
        assert counts() == "0 1"

    def test_many_that_start_at_once_break_nothing(self, copy):
        together = [self.start(copy, SHUFFLED) for _ in range(5)]
        assert {self.ended(process) for process in together} <= {"1 0", "0 1"}
        assert not list(copy.rglob("*.part"))
        assert self.ended(self.start(copy, SHUFFLED)) == "0 1"

    def test_a_read_only_installation_without_a_home_works(self, copy):
        (copy / "tensorcodecs" / "kernels" / "__pycache__").write_text("no folder can be made in a file")
        places = {"NUMBA_CACHE_DIR": "", "HOME": "/dev/null", "XDG_CACHE_HOME": "", "TMPDIR": str(copy)}
        first, second = (self.ended(self.start(copy, SHUFFLED, **places)) for _ in range(2))
        assert first.startswith(f"1 0 kernels are cached in {copy}")
        assert second.startswith(f"0 1 kernels are cached in {copy}")


class TestSuite:
    """The one line of a run and of the doctor."""

    @pytest.fixture
    def unusable(self, tmp_path, monkeypatch):
        (tmp_path / "file").write_text("")
        monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "file"))
        return f"{tmp_path / 'file'} cannot be written to (File exists)"

    def test_a_run_tells_once_where_kernels_are_cached(self, call, corpus_folder, unusable):
        run = ("suite", "run", "--corpus", corpus_folder, "--codecs", "zvc", "--no-timing", "--no-page")
        ended = call(*run, "--jobs", 2, "--out", "run")
        assert ended.returncode == 0, ended.stderr
        told = [line for line in ended.stderr.splitlines() if unusable in line]
        assert len(told) == 1
        assert told[0].startswith("note: kernels are cached in ")
        ended = call(*run, "--jobs", 2, "--out", "again", "--log-format", "json")
        notes = [e for e in map(json.loads, ended.stderr.splitlines()) if e["event"] == "note"]
        assert [unusable in note["text"] for note in notes] == [True]

    def test_the_doctor_tells_it_too(self, call, unusable):
        ended = call("suite", "doctor")
        assert ended.returncode == 0, ended.stderr
        assert len([line for line in ended.stdout.splitlines() if unusable in line]) == 1
        assert "cached kernels" in ended.stdout
