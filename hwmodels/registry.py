"""The hardware models by name, loaded when they are asked for. Adding one is one line here."""

from __future__ import annotations

import importlib
import inspect
from typing import cast

from hwmodels.base import HardwareModel
from tensorcodecs.arrays import did_you_mean
from tensorcodecs.specs import parse_spec

PREFIX = "hw/"
ROW = "line_bytes=64"
_TABLES = ("line_bytes=64:table=own", "line_bytes=64:table=profiled")
"""Rows of the models that learn: from each array itself, and ahead of time."""
PAGE = "line_bytes=4096"
"""For formats whose blocks are tiles or pages, not cache lines."""
_STUDY = (
    *("line_bytes=32", ROW, "line_bytes=128", "line_bytes=256"),
    "line_bytes=64:layout=nhwc",
)
"""Rows of the models that the boards compare line sizes and layouts with."""

# name, class, settings of the rows on the board
_LINES: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("hw/apack-like", "hwmodels.engines.apack:ApackEngine", _TABLES),
    ("hw/lane-like", "hwmodels.engines.lane:LaneEngine", _TABLES),
    ("hw/hycomp", "hwmodels.engines.hycomp:HyCompEngine", _TABLES),
    ("hw/history-huffman-like", "hwmodels.engines.history:HistoryEngine", _TABLES),
    ("hw/bpc", "hwmodels.engines.bpc:BpcEngine", _STUDY),
    ("hw/bpc-compresso", "hwmodels.engines.bpc:BpcCompressoEngine", (ROW,)),
    ("hw/ebpc", "hwmodels.engines.ebpc:EbpcEngine", ("line_bytes=4096",)),
    ("hw/bytehuff", "hwmodels.engines.bytehuff:ByteHuffEngine", _TABLES),
    ("hw/sc2", "hwmodels.engines.sc2:Sc2Engine", _TABLES),
    ("hw/bdi", "hwmodels.engines.bdi:BdiEngine", _STUDY),
    ("hw/fpc", "hwmodels.engines.fpc:FpcEngine", _STUDY),
    ("hw/fpcd", "hwmodels.engines.fpcd:FpcDEngine", (ROW,)),
    ("hw/cpack", "hwmodels.engines.cpack:CPackEngine", _STUDY),
    ("hw/csc", "hwmodels.engines.csc:CscEngine", (ROW,)),
    ("hw/deflate-4k", "hwmodels.engines.deflate_4k:DeflateEngine", (PAGE,)),
    ("hw/dfloat11", "hwmodels.engines.dfloat11:DFloat11Engine", (ROW,)),
    ("hw/ecf8", "hwmodels.engines.ecf8:Ecf8Engine", (ROW,)),
    ("hw/gist-csr-like", "hwmodels.engines.gist_csr_like:GistCsrEngine", (PAGE,)),
    ("hw/gist-mask-like", "hwmodels.engines.gist_mask_like:GistMaskEngine", (PAGE,)),
    ("hw/fvc", "hwmodels.engines.fvc:FvcEngine", _TABLES),
    ("hw/shapeshifter-like", "hwmodels.engines.shapeshifter:ShapeShifterEngine", (ROW,)),
    ("hw/diffy-like", "hwmodels.engines.shapeshifter:DiffyEngine", (ROW,)),
    ("hw/rlc-eyeriss", "hwmodels.engines.rlc_eyeriss:RlcEyerissEngine", (ROW, PAGE)),
    ("hw/rlc-scnn", "hwmodels.engines.rlc_scnn:RlcScnnEngine", (ROW, PAGE)),
    ("hw/rle-tenstorrent", "hwmodels.engines.rle_tenstorrent:TenstorrentPacker", (PAGE,)),
    ("hw/zvc", "hwmodels.engines.zvc:ZvcEngine", ("line_bytes=64", "line_bytes=128", "line_bytes=256")),
)
_MODELS = {name: target for name, target, _ in _LINES}


def names() -> tuple[str, ...]:
    """All names, in alphabetical order."""
    return tuple(sorted(_MODELS))


def default_specs() -> tuple[str, ...]:
    """The leaderboard's hardware rows: every model on lines of 64 bytes, some on others too."""
    return tuple(f"{name}:{row}" for name, _, rows in sorted(_LINES) for row in rows)


def get_model(spec: str) -> HardwareModel:
    """Make a model from a spec such as `hw/bdi:line_bytes=64`.

    Raises ValueError naming the nearest match for an unknown name or setting.
    """
    (name, settings), *more = parse_spec(spec)
    if more:
        raise ValueError(f"{spec!r}: a hardware model is no stage of a pipeline")
    if name not in _MODELS:
        raise ValueError(f"no hardware model {name!r}{did_you_mean(name, names())}")
    module, _, class_name = _MODELS[name].partition(":")
    model = cast("type[HardwareModel]", getattr(importlib.import_module(module), class_name))
    legal = tuple(inspect.signature(model).parameters)
    for key in settings:
        if key not in legal:
            raise ValueError(f"{name} has no setting {key!r}{did_you_mean(key, legal)}")
    try:
        return model(**settings)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{spec}: {error}") from error
