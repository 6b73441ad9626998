"""Hardware compressors: a block codec plus a micro-architecture, and the memory that it feeds.

`get_model("hw/bdi:line_bytes=64")` makes a model; `names()` lists them.
"""

from hwmodels.base import HardwareModel
from hwmodels.figures import Circuit, Figure, circuit_figures
from hwmodels.registry import PREFIX, default_specs, get_model, names
from hwmodels.sizes import LineSizes

__all__ = [
    "PREFIX",
    "Circuit",
    "Figure",
    "HardwareModel",
    "LineSizes",
    "circuit_figures",
    "default_specs",
    "get_model",
    "names",
]
