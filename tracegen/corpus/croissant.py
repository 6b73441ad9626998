"""The corpus described for machines: Croissant 1.1 (MLCommons, 2026), a JSON-LD vocabulary for data sets.

The specification: https://docs.mlcommons.org/croissant/docs/croissant-spec-1.1.html. Nothing depends on the
clock or on the machine: the same corpus gives the same file.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from tracegen.corpus.reading import MANIFEST, Corpus

CROISSANT = "croissant.json"
CONFORMS_TO = "http://mlcommons.org/croissant/1.1"
HDF5_TYPE = "application/x-hdf5"
MODELS = "manifest-models"
"""The manifest once more: mlcroissant 1.1 puts all that is read from one FileObject into one table."""
_READ_BYTES = 1 << 20

# Appendix 1 of the specification: what the short names below stand for.
_CR_TERMS = (
    *("arrayShape", "citeAs", "column", "containedIn", "equivalentProperty", "extract", "field"),
    *("fileObject", "fileProperty", "fileSet", "format", "includes", "isArray", "isLiveDataset", "jsonPath"),
    *("key", "md5", "parentField", "path", "recordSet", "references", "regex", "repeated", "replace"),
    *("samplingRate", "separator", "source", "subField", "transform"),
)
CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    **{term: f"cr:{term}" for term in _CR_TERMS},
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "description": {"@container": "@language"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "name": {"@container": "@language"},
    "rai": "http://mlcommons.org/croissant/RAI/",
    "sc": "https://schema.org/",
}

TRACE_FIELDS = {
    "name": ("sc:Text", "The trace: model/variant/role/layer, with @start, @middle or @end in training."),
    "model": ("sc:Text", "The traced model."),
    "role": ("sc:Text", "weights, activations, gradients, errors, updates or kv."),
    "layer": ("sc:Text", "The layer whose tensor it is."),
    "dtype": ("sc:Text", "What the stored words are, such as float32 or bfloat16."),
    "precision": ("sc:Text", "The model's number format, such as int8-affine or int4."),
    "kind": ("sc:Text", "What sort of tensor it is among those of its role; may be absent."),
    "split": ("sc:Text", "profile (to learn from), test (to be judged on) or control (neither)."),
    "sparsity": ("sc:Float", "The pruning target, 0 to 1; not the measured share of zeros."),
    "pruning": ("sc:Text", "The pruning method; none = dense."),
    "phase": ("sc:Text", "inference, training, training-start, training-middle or training-end."),
    "shape": ("sc:Integer", "The tensor's shape, one length an axis."),
    "sha256": ("sc:Text", "SHA-256 of the tensor's little-endian C-order bytes (not of a file)."),
}
MODEL_FIELDS = {
    "name": ("sc:Text", "The model's name, which is its file's."),
    "title": ("sc:Text", "What it is, with the paper."),
    "metric": ("sc:Text", "What its scores are in; the unit is in the name."),
    "higher_is_better": ("sc:Boolean", "Whether a higher score is the better one."),
    "origin": ("sc:Text", "The data that it was trained and traced on."),
    "licence": ("sc:Text", "The licence of that data."),
}


def write_croissant(
    corpus: Corpus, *, url: str = "README.md", creator: str = "Squeezemark", published: str | None = None
) -> Path:
    """Write `croissant.json` into the corpus folder; returns its path. See `make_croissant`."""
    path = corpus.root / CROISSANT
    description = make_croissant(corpus, url=url, creator=creator, published=published)
    text = json.dumps(description, indent=1, ensure_ascii=False)
    path.write_text(f"{text}\n", encoding="utf-8", newline="\n")
    return path


def make_croissant(corpus: Corpus, *, url: str, creator: str, published: str | None) -> dict[str, Any]:
    """The description as a JSON object.

    `url` is the corpus's page (by default its card, relative to the file), `creator` the organisation that
    made it, `published` the date (YYYY-MM-DD) where it is known.
    """
    manifest = corpus.root / MANIFEST
    licences = list(dict.fromkeys(info.licence for info in corpus.models.values()))
    description: dict[str, Any] = {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": CONFORMS_TO,
        "name": corpus.name,
        "description": corpus.description,
        "license": licences,
        "url": url,
        "creator": {"@type": "sc:Organization", "name": creator},
        "version": _semantic(corpus.version),
        "citeAs": f"{creator}: {corpus.name}, version {corpus.version}, corpus digest {corpus.digest}",
        "keywords": ["compression", "machine learning", "weights", "activations", "quantisation", "pruning"],
        "isLiveDataset": False,
    }
    if published is not None:
        description["datePublished"] = published
    description["distribution"] = [
        _file_object(manifest, "application/json", "Every trace and model, with digests."),
        _file_object(manifest, "application/json", "The same file, read for its models.") | {"@id": MODELS},
        *(
            _file_object(corpus.root / f"{name}.h5", HDF5_TYPE, f"The traces of {info.title}.")
            for name, info in corpus.models.items()
        ),
    ]
    description["recordSet"] = [
        _record_set("models", "The traced models.", MODEL_FIELDS, ()),
        _record_set("traces", "The traces: one tensor each.", _trace_fields(corpus), ("shape",)),
    ]
    return description


def _semantic(version: str) -> str:
    """`2` as `2.0.0`: Croissant wants MAJOR.MINOR.PATCH; anything else is left as it is."""
    parts = version.split(".")
    return ".".join([*parts, "0", "0"][:3]) if all(map(str.isdecimal, parts)) and len(parts) < 3 else version


def _trace_fields(corpus: Corpus) -> dict[str, tuple[str, str]]:
    """Those that every trace of the manifest has: a JSON path must find as many values in each."""
    rows = json.loads((corpus.root / MANIFEST).read_text(encoding="utf-8"))["traces"]
    return {key: text for key, text in TRACE_FIELDS.items() if all(key in row for row in rows)}


def _file_object(path: Path, encoding: str, text: str) -> dict[str, Any]:
    return {
        "@type": "cr:FileObject",
        "@id": path.name,
        "name": path.name,
        "description": text,
        "contentUrl": path.name,
        "contentSize": f"{path.stat().st_size} B",
        "encodingFormat": encoding,
        "sha256": _file_digest(path),
    }


def _file_digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_READ_BYTES):
            digest.update(block)
    return digest.hexdigest()


def _record_set(
    name: str, text: str, fields: dict[str, tuple[str, str]], arrays: tuple[str, ...]
) -> dict[str, Any]:
    return {
        "@type": "cr:RecordSet",
        "@id": name,
        "name": name,
        "description": text,
        "key": {"@id": f"{name}/name"},
        "field": [_field(name, key, *about, is_array=key in arrays) for key, about in fields.items()],
    }


def _field(record_set: str, key: str, data_type: str, text: str, *, is_array: bool) -> dict[str, Any]:
    field: dict[str, Any] = {
        "@type": "cr:Field",
        "@id": f"{record_set}/{key}",
        "name": key,
        "description": text,
        "dataType": data_type,
        "source": {
            "fileObject": {"@id": MODELS if record_set == "models" else MANIFEST},
            "extract": {"jsonPath": f"$.{record_set}[*].{key}"},
        },
    }
    if is_array:
        field |= {"isArray": True, "arrayShape": "-1"}
    if (record_set, key) == ("traces", "model"):
        field["references"] = {"field": {"@id": "models/name"}}
    return field
