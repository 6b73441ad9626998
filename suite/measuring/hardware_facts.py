"""What a run notes about its hardware models: what they are and cost, memories, technology."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import hwmodels
from hwmodels import technology
from hwmodels.memories import memories


def hardware_facts(specs: Sequence[str]) -> dict[str, Any]:
    """What a run notes about its hardware rows, so that its report needs no code of today's."""
    models = {spec: hwmodels.get_model(spec) for spec in specs}
    return {
        "hardware": {
            spec: {name: asdict(figure) for name, figure in model.figures.items()}
            for spec, model in models.items()
        },
        "hardware_models": {
            spec: {
                "title": model.title,
                "source": model.source,
                "line_bytes": model.line_bytes,
                "layout": model.layout,
                "metadata_bits": model.metadata_bits,
                "random_access": model.random_access,
            }
            for spec, model in models.items()
        },
        "memories": [asdict(memory) for memory in memories()],
        "technology": {
            str(node): [technology.area_factor(node), technology.energy_factor(node)]
            for node in technology.NODES_NM
        },
    }
