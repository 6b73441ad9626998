"""What decoders of Huffman-coded exponents share: DFloat11's and ECF8's formats, read by a circuit."""

from __future__ import annotations

from hwmodels.base import HardwareModel
from hwmodels.figures import Circuit, Figure, circuit_figures

_ORIGIN = "a symbol a cycle from a look-up of 8 bits; longer codes are looked up again"


def symbol_figures(model: HardwareModel, word_bytes: int, table_entries: int) -> dict[str, Figure]:
    """Figures of a coder and a decoder that take one word of `word_bytes` each cycle.

    Both papers decode on GPUs, with many threads that begin at the stream's gaps; this is one such thread as
    a circuit. The coder reads the array twice, first to count its exponents; building the code is not in the
    figures.
    """
    cycles = model.line_bytes / word_bytes
    word_bits = 8 * word_bytes
    stream = {"shifter64": 1, "register_bit": 2 * 64 + word_bits + 32, "adder8": 1, "mux2_bit": word_bits}
    # A code and its length: 32 + 5 bits. Symbols of the decoder: 8 bits and a length of 5.
    coder = {**stream, "counter32": 1, "sram_bit": 256 * (37 + 32), "sram_access32": 3}
    decoder = {**stream, "sram_bit": table_entries * 13, "sram_access32": 1}
    return {
        "compress_latency_cycles": Figure(cycles + 2, "cycles", "estimate", "a line is counted, then coded"),
        "decompress_latency_cycles": Figure(3, "cycles", "estimate", "window, look-up, merge"),
        "compress_bytes_per_cycle": Figure(
            word_bytes / 2, "B/cycle", "estimate", "two passes, a word a cycle"
        ),
        "decompress_bytes_per_cycle": Figure(word_bytes, "B/cycle", "estimate", _ORIGIN),
        **circuit_figures(Circuit(coder, 2 * cycles), Circuit(decoder, cycles), model.line_bytes),
    }
