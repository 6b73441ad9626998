"""Finding keys and values in what a model returns, by what caches look like. Needs torch.

Known are the cache classes of transformers, by version, its older tuples, and caches made like these.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from torch import Tensor

_KEYS = ("past_key_values", "cache_params")
_CROSS = "cross"
_STATES = ("conv_states", "recurrent_states")


@dataclass(frozen=True)
class CacheLayer:
    """A layer of a cache, by its number, behind `cross` where it holds the encoder's output.

    `other` names what it holds instead of keys and values, such as the states of a recurrent layer.
    """

    name: str
    keys: Tensor | None = None
    values: Tensor | None = None
    other: tuple[str, ...] = ()


def cache_layers(output: object) -> Iterator[CacheLayer]:
    """The filled layers of the cache that the output is or holds."""
    found = [_entry(output, key) for key in _KEYS]
    cache = next((one for one in found if one is not None), output)
    if hasattr(cache, "self_attention_cache") and hasattr(cache, "cross_attention_cache"):
        yield from _layers_of(cache.self_attention_cache)
        yield from _layers_of(cache.cross_attention_cache, _CROSS)
    elif cache is output and isinstance(cache, tuple | list):
        return  # any model's outputs
    else:
        yield from _layers_of(cache)


def _entry(output: object, key: str) -> object:
    return output.get(key) if isinstance(output, Mapping) else getattr(output, key, None)


def _layers_of(cache: object, prefix: str = "") -> Iterator[CacheLayer]:
    dot = f"{prefix}." if prefix else ""
    for number, layer in enumerate(_listed(cache)):
        if isinstance(layer, tuple | list):
            yield from _pair(f"{dot}{number}", *layer[:2])
            yield from _pair(f"{_CROSS}.{number}", *layer[2:4])
            continue
        keys, values = getattr(layer, "keys", None), getattr(layer, "values", None)
        yield from _pair(f"{dot}{number}", keys, values)
        others = tuple(name for name in _STATES if getattr(layer, name, None) is not None)
        if others and not isinstance(keys, Tensor):
            yield CacheLayer(f"{dot}{number}", other=others)


def _listed(cache: object) -> Iterable[object]:
    if isinstance(cache, tuple | list):
        return cache
    if isinstance(layers := getattr(cache, "layers", None), tuple | list):
        return layers
    if hasattr(cache, "key_cache") and hasattr(cache, "value_cache"):
        return list(zip(cache.key_cache, cache.value_cache, strict=False))
    return ()


def _pair(name: str, keys: object = None, values: object = None) -> Iterator[CacheLayer]:
    if isinstance(keys, Tensor) and isinstance(values, Tensor):
        yield CacheLayer(name, keys, values)
