"""The hardware models by name, loaded when they are asked for. Adding one is one line here."""

from __future__ import annotations

import importlib
from typing import cast

from hwmodels.base import HardwareModel
from tensorcodecs.arrays import did_you_mean

PREFIX = "hw/"

_MODELS: dict[str, str] = {
    "hw/bdi": "hwmodels.bdi:BdiEngine",
    "hw/zvc": "hwmodels.zvc:ZvcEngine",
}


def names() -> tuple[str, ...]:
    """All names, in alphabetical order."""
    return tuple(sorted(_MODELS))


def default_specs() -> tuple[str, ...]:
    """The leaderboard's hardware rows: every model on lines of 64 bytes."""
    return tuple(f"{name}:line_bytes=64" for name in names())


def get_model(spec: str) -> HardwareModel:
    """Make a model from a spec such as `hw/bdi:line_bytes=64`.

    Raises ValueError naming the nearest match for an unknown name or setting.
    """
    name, *settings = spec.split(":")
    if name not in _MODELS:
        raise ValueError(f"no hardware model {name!r}{did_you_mean(name, names())}")
    module, _, class_name = _MODELS[name].partition(":")
    model = cast("type[HardwareModel]", getattr(importlib.import_module(module), class_name))
    line_bytes = 64
    for setting in settings:
        key, _, value = setting.partition("=")
        if key != "line_bytes":
            raise ValueError(f"{name} has no setting {key!r}{did_you_mean(key, ('line_bytes',))}")
        if not value.isdecimal():
            raise ValueError(f"{name}: line_bytes={value!r} is not a whole number of bytes")
        line_bytes = int(value)
    return model(line_bytes)
