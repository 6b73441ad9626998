"""Hardware compressors: a block codec plus a micro-architecture, and the memory that it feeds.

`get_model("hw/bdi:line_bytes=64")` makes a model; `names()` lists them.
"""

from hwmodels.base import Figure, HardwareModel, LineSizes
from hwmodels.registry import PREFIX, default_specs, get_model, names

__all__ = ["PREFIX", "Figure", "HardwareModel", "LineSizes", "default_specs", "get_model", "names"]
