"""A Deflate engine with a window of 4 KiB on memory pages, of the class of Intel's IAA."""

from __future__ import annotations

from typing import Any, ClassVar

from hwmodels.base import HardwareModel
from hwmodels.figures import Circuit, Figure, circuit_figures
from hwmodels.layouts import STORED
from tensorcodecs.general.deflate_pages import DeflatePages


class DeflateEngine(HardwareModel):
    """Every page a Deflate stream of its own, whose matches reach back 4 KiB; raw where that is no shorter.

    The bits are zlib's at `level`, a bound for an engine that searches less. Its figures are this project's
    estimates: the search compares eight bytes with four candidates each cycle.
    """

    name: ClassVar[str] = "hw/deflate-4k"
    title: ClassVar[str] = "Deflate engine, window of 4 KiB"
    source: ClassVar[str] = "RFC 1951; window as of Intel's In-Memory Analytics Accelerator"
    revision: ClassVar[str] = "1"
    legal_line_bytes: ClassVar[tuple[int, ...]] = (1024, 2048, 4096)

    def __init__(self, line_bytes: int = 4096, layout: str = STORED, level: int = 6) -> None:
        """Raises ValueError for a page size or level that the codec does not have."""
        super().__init__(line_bytes, layout)
        self.level = level
        self.codec: DeflatePages = DeflatePages(level=level, block_bytes=line_bytes)
        search = "eight bytes a cycle"
        symbols = "a symbol a cycle, of two bytes on average"
        both = "the page is searched and counted, then coded: dynamic codes need the whole page"
        self.figures = {
            "compress_latency_cycles": Figure(line_bytes / 8 + line_bytes / 2, "cycles", "estimate", both),
            "decompress_latency_cycles": Figure(
                300, "cycles", "estimate", "about 300 code lengths are read first"
            ),
            "compress_bytes_per_cycle": Figure(
                2, "B/cycle", "estimate", f"{search} to search, {symbols} to code"
            ),
            "decompress_bytes_per_cycle": Figure(2, "B/cycle", "estimate", symbols),
            **circuit_figures(*_circuits(line_bytes), line_bytes),
        }

    @property
    def settings(self) -> dict[str, Any]:
        """Page size, layout, level where it is not zlib's own."""
        return super().settings | ({} if self.level == 6 else {"level": self.level})


def _circuits(line_bytes: int) -> tuple[Circuit, Circuit]:
    """A window and hash table in SRAM, comparators; code tables of 286 + 30 symbols, a bit shifter."""
    codes = {"sram_bit": (286 + 30) * (15 + 4 + 16), "shifter64": 1, "register_bit": 3 * 64, "adder16": 2}
    window = {"sram_bit": 8 * line_bytes, "sram_access32": 2}
    hashes = {"sram_bit": 1024 * 4 * 12, "comparator8": 4 * 8, "xor2": 64, "sram_access32": 4}
    tokens = 24 * line_bytes  # a token of 24 bits for each byte at most, until the code is known
    parts = {name: codes.get(name, 0) + hashes.get(name, 0) + window.get(name, 0) for name in codes | hashes}
    parts["sram_bit"] += tokens
    decoder = {**codes, "sram_bit": codes["sram_bit"] + window["sram_bit"], "sram_access32": 3}
    return Circuit(parts, line_bytes / 2), Circuit(decoder, line_bytes / 2)
