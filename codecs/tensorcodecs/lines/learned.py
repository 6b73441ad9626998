"""Line compressors that learn a table: what they share.

The table is learned ahead of time on samples (`table=profiled`, a `FittedCodec`'s state), or from the array
itself (`table=own`), and then its bytes stand in the frame. A codec adds `learn`, `book` and three kernels.
"""

from __future__ import annotations

import struct
from abc import abstractmethod
from collections.abc import Callable, Iterable
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from tensorcodecs.arrays import WORD_DTYPES, Array, Bytes, as_words, did_you_mean, in_memory_order
from tensorcodecs.base import LINE_BYTES, BlockCodec, DecodeError, FittedCodec, one_of
from tensorcodecs.frame import Header, join, pack_header, unpack_header
from tensorcodecs.lines.kernels.bitfields import SLACK_BYTES
from tensorcodecs.sampling import Spread

OWN, PROFILED = "own", "profiled"
SAMPLE_BYTES, SAMPLES_MAX = 4096, 4096
"""A profiled table is learned on at most 16 MiB of each word width, evenly spread."""

Book = npt.NDArray[np.int64]
"""A table as the kernels want it: one array of numbers, whose parts the kernel knows. Empty = no table."""
_NO_BOOK = np.zeros(0, np.int64)


class TableKernels(NamedTuple):
    """What such a compressor does, compiled. As `lines.LineKernels`, with the book; never called without."""

    line_bits: Callable[[Bytes, int, int, Book], npt.NDArray[np.int32]]
    """(raw, line_bytes, word_bytes, book) -> bits of every line, int32[n_lines]."""
    pack_lines: Callable[[Bytes, int, int, Book, Bytes], int]
    """(raw, line_bytes, word_bytes, book, out) -> bits written to `out`: zeros, SLACK_BYTES behind."""
    unpack_lines: Callable[[Bytes, int, int, int, Book, Bytes], int]
    """(data, n_bits, line_bytes, word_bytes, book, raw) -> bits read of the `n_bits` in `data`, which has
    SLACK_BYTES more; fills `raw`. -1 where a line is not valid or ends behind `n_bits`."""


class LearnedLines(FittedCodec, BlockCodec):
    """A codec of lines of `block_bytes` with a learned table for each word width.

    Where there is no table (not fitted, or an own one would cost more than it saves) lines are raw. As in
    `lines.LineCodec`, lines that grow are left growing: bypassing them is the hardware model's business.
    """

    legal_line_bytes: ClassVar[tuple[int, ...]] = LINE_BYTES
    word_bytes: ClassVar[int] = 0
    """Width of the words that the circuit sees, whatever the array's; 0 = the array's own."""
    line_bits_min: ClassVar[int]
    """Fewest bits of a line: it bounds what a hostile frame can expand to."""
    table_bytes_max: ClassVar[int] = 1 << 16

    kernels: ClassVar[TableKernels]

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls.sees_bytes = cls.word_bytes > 0

    def __init__(self, block_bytes: int = 64, table: str = PROFILED) -> None:
        self.block_bytes = one_of("block_bytes", block_bytes, self.legal_line_bytes)
        if table not in (OWN, PROFILED):
            raise ValueError(f"table={table!r} is not legal{did_you_mean(str(table), (OWN, PROFILED))}")
        self.table = table
        self._tables: dict[int, bytes] = {}

    @abstractmethod
    def learn(self, raw: Bytes, word_bytes: int, *, complete: bool) -> bytes:
        """Return the table for words of `word_bytes`, learned from `raw` (uint8, whole lines, maybe none).

        `complete`: nothing but `raw` is ever coded with it. Empty = nothing learned. The same for the same
        bytes on every machine.
        """

    @abstractmethod
    def book(self, table: bytes, word_bytes: int) -> Book:
        """Return the table as the kernels want it; ValueError where it is not valid."""

    @property
    def learns(self) -> bool:
        """Whether there is anything to fit."""
        return self.table == PROFILED

    def fit(self, samples: Iterable[Array]) -> bytes:
        """Return a table for each word width (its length, 4 bytes, then itself), nothing if none has any."""
        spreads = {width: Spread(SAMPLE_BYTES, SAMPLES_MAX) for width in self._widths}
        for sample in samples if self.learns else ():
            words = as_words(in_memory_order(sample))
            spreads[self.word_bytes or words.itemsize].add(words)
        tables = [self._fitted(spread.kept, width) for width, spread in spreads.items()]
        return b"".join(struct.pack("<I", len(t)) + t for t in tables) if any(tables) else b""

    def with_state(self, state: bytes) -> Self:
        """Return a codec of these settings with these tables; ValueError where they are not valid."""
        if state and not self.learns:
            raise ValueError("table=own learns from each array and takes no state")
        twin = super().with_state(state)
        widths = self._widths if state else ()
        twin._tables = dict(zip(widths, _split(state, len(widths)), strict=True))
        for width, table in twin._tables.items():
            if table:
                self.book(table, width)
        return twin

    def pack(self, words: Array) -> bytes:
        """Return the frame: mark, header, the table if it is the array's own, the lines' bits."""
        raw, word_bytes = self._lines_of(words)
        book, own, bits = self._counted(raw, word_bytes)
        n_bits = int(bits.sum(dtype=np.int64))
        n_bytes = -(-n_bits // 8)
        if book.size:
            out = np.zeros(n_bytes + SLACK_BYTES, np.uint8)
            if self.kernels.pack_lines(raw, self.block_bytes, word_bytes, book, out) != n_bits:
                raise AssertionError(f"{self.spec} packs other bits than it counts")
        else:
            out = raw
        header_words = words.view(np.uint8) if self.word_bytes else words
        header = pack_header(header_words, self.block_bytes, len(own))
        return join(self.mark + header + own, out, n_bytes)

    def unpack_body(self, body: Bytes) -> Bytes:
        """Return the raw bytes; the lines must end in the frame's last byte."""
        words_per_byte_max = -(-8 * max(self.legal_line_bytes) // self.line_bits_min)
        header = unpack_header(body, words_per_byte_max, n_parameters=2)
        line_bytes, n_table = header.parameters
        width = header.word_dtype.itemsize
        if line_bytes not in self.legal_line_bytes or (self.word_bytes and width != 1):
            raise DecodeError(f"words of {width} bytes in lines of {line_bytes}")
        if n_table > min(header.payload.size, 0 if self._state else self.table_bytes_max):
            raise DecodeError(f"a table of {n_table} bytes is not legal here")
        word_bytes = self.word_bytes or width
        table = header.payload[:n_table].tobytes() or self._tables.get(word_bytes, b"")
        return self._unpack_lines(header, line_bytes, word_bytes, table, header.payload[n_table:])

    def count_bits(self, words: Array) -> npt.NDArray[np.int32]:
        """Return the bits of each line, int32[n_lines], without tables; the last one is padded with zeros."""
        return self._counted(*self._lines_of(words))[2]

    def block_and_table_bits(self, array: Array) -> tuple[npt.NDArray[np.int32], int]:
        """Return `block_bits`, and the bits of the table that the frame holds: 0 where there is none."""
        _, own, bits = self._counted(*self._lines_of(as_words(in_memory_order(array))))
        return bits, 8 * len(own)

    def warm_up(self) -> None:
        """Compile all that learning, encoding, decoding and block sizes need."""
        super().warm_up()
        twin = type(self)(self.block_bytes, PROFILED)
        samples = [np.arange(4096, dtype=dtype) % 7 for dtype in WORD_DTYPES.values()]
        twin = twin.with_state(twin.fit(samples))
        for sample in samples:
            # Read-only as an array's words, and writable as a last line padded with zeros is made.
            twin.decode(twin.encode(sample))
            self.learn(self._lines_of(sample)[0], self.word_bytes or sample.itemsize, complete=True)

    @property
    def _widths(self) -> tuple[int, ...]:
        return (self.word_bytes,) if self.word_bytes else tuple(WORD_DTYPES)

    def _fitted(self, samples: list[Any], width: int) -> bytes:
        if not samples:
            return b""
        padded = (part + bytes(-len(part) % self.block_bytes) for part in samples)
        return self.learn(np.frombuffer(b"".join(padded), np.uint8), width, complete=False)

    def _counted(self, raw: Bytes, word_bytes: int) -> tuple[Book, bytes, npt.NDArray[np.int32]]:
        """The book that codes `raw`, its table if the frame has to hold it, and the bits of every line."""
        table = self._tables.get(word_bytes, b"")
        if self.table == OWN and raw.size:
            table = self.learn(raw, word_bytes, complete=True)
        bits = np.full(raw.size // self.block_bytes, 8 * self.block_bytes, np.int32)
        if not table:
            return _NO_BOOK, b"", bits
        book = self.book(table, word_bytes)
        coded = self.kernels.line_bits(raw, self.block_bytes, word_bytes, book)
        if self.table == PROFILED:
            return book, b"", coded
        # A table of its own stays where it pays, in a memory that stores raw what would grow.
        with_table = int(np.minimum(bits, coded).sum(dtype=np.int64)) + 8 * len(table)
        return (book, table, coded) if with_table < 8 * raw.size else (_NO_BOOK, b"", bits)

    def _unpack_lines(
        self, header: Header, line_bytes: int, word_bytes: int, table: bytes, payload: Bytes
    ) -> Bytes:
        n_bytes = header.n_words * header.word_dtype.itemsize
        n_lines, n_bits = -(-n_bytes // line_bytes), 8 * payload.size
        if n_lines * (self.line_bits_min if table else 8 * line_bytes) > n_bits:
            raise DecodeError(f"{payload.size} bytes of payload cannot hold {n_lines} lines")
        if not table:
            if n_lines * line_bytes != payload.size:
                raise DecodeError("the lines do not end where the frame does")
            return payload[:n_bytes].copy()
        try:
            book = self.book(table, word_bytes)
        except ValueError as error:
            raise DecodeError(str(error)) from error
        raw = np.empty(n_lines * line_bytes, np.uint8)
        padded = np.concatenate((payload, np.zeros(SLACK_BYTES, np.uint8)))
        bits_read = self.kernels.unpack_lines(padded, n_bits, line_bytes, word_bytes, book, raw)
        if bits_read < 0 or -(-bits_read // 8) != payload.size:
            raise DecodeError("the lines do not end where the frame does")
        return raw[:n_bytes]

    def _lines_of(self, words: Array) -> tuple[Bytes, int]:
        """The whole lines that the words fill, read-only, and the width of the circuit's words."""
        raw = np.ascontiguousarray(words).reshape(-1).view(np.uint8)
        if missing := -raw.size % self.block_bytes:
            raw = np.concatenate((raw, np.zeros(missing, np.uint8)))
        raw.flags.writeable = False
        return raw, self.word_bytes or words.itemsize


def _split(state: bytes, count: int) -> list[bytes]:
    """Undo what `fit` joins; ValueError where these are not `count` tables."""
    tables, at = [], 0
    while at + 4 <= len(state):
        end = at + 4 + int(struct.unpack_from("<I", state, at)[0])
        tables.append(state[at + 4 : end])
        at = end
    if at != len(state) or len(tables) != count:
        raise ValueError(f"the state's {len(state)} bytes do not hold {count} tables")
    return tables
