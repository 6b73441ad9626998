import hashlib
import json

from tracegen.corpus import MANIFEST, Corpus
from tracegen.corpus.croissant import (
    CONFORMS_TO,
    CONTEXT,
    MODEL_FIELDS,
    TRACE_FIELDS,
    make_croissant,
    write_croissant,
)

FACTS = {"url": "https://example.org/corpus", "creator": "somebody", "published": "2026-01-31"}


def described(folder):
    with Corpus.open(folder) as corpus:
        return json.loads(write_croissant(corpus).read_text(encoding="utf-8"))


def test_required_properties(own_corpus):
    found = described(own_corpus)
    assert found["@context"] == CONTEXT
    assert found["conformsTo"] == CONFORMS_TO
    assert found["@type"] == "sc:Dataset"
    assert (found["name"], found["description"], found["version"]) == ("sample", "for tests", "1.0.0")
    assert found["license"] == ["CC0"]
    assert found["url"] == "README.md"
    assert "datePublished" not in found  # no clock
    with Corpus.open(own_corpus) as corpus:
        given = make_croissant(corpus, **FACTS)
    assert (given["url"], given["creator"]["name"], given["datePublished"]) == tuple(FACTS.values())


def test_files(own_corpus):
    files = described(own_corpus)["distribution"]
    assert {file["contentUrl"] for file in files} == {MANIFEST, "net.h5"}
    assert len({file["@id"] for file in files}) == len(files)
    for file in files:
        content = (own_corpus / file["contentUrl"]).read_bytes()
        assert file["sha256"] == hashlib.sha256(content).hexdigest()
        assert file["contentSize"] == f"{len(content)} B"


def test_records_are_those_of_the_manifest(own_corpus):
    manifest = json.loads((own_corpus / MANIFEST).read_text())
    found = described(own_corpus)
    ids = {file["@id"] for file in found["distribution"]}
    for record_set in found["recordSet"]:
        name = record_set["@id"]
        for field in record_set["field"]:
            assert field["@id"] == f"{name}/{field['name']}"
            assert field["source"]["fileObject"]["@id"] in ids
            assert field["source"]["extract"]["jsonPath"] == f"$.{name}[*].{field['name']}"
            assert all(field["name"] in row for row in manifest[name])
            assert field["description"]
    keys = {key for row in manifest["traces"] for key in row}
    assert keys - {"attributes"} <= set(TRACE_FIELDS)
    assert set(MODEL_FIELDS) <= set(manifest["models"][0])


def test_deterministic(own_corpus):
    described(own_corpus)
    first = (own_corpus / "croissant.json").read_bytes()
    described(own_corpus)
    assert (own_corpus / "croissant.json").read_bytes() == first
    assert str(own_corpus).encode() not in first
