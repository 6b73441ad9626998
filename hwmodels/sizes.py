"""What the lines of one array occupy, and what a memory moves for them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class LineSizes:
    """What the lines of one array occupy after the model's bypass rule.

    payload_bits: int32[n_lines], bits in the line's own slot; 0 where the metadata alone tells the line.
    metadata_bits: bits per line kept beside the data.
    line_bytes: uncompressed bytes of a line.
    shared_bits: bits per array beside its lines, such as a table of its own.
    random_access: whether each line begins at a granule of its own, so that it decodes alone.
    """

    payload_bits: npt.NDArray[np.int32]
    metadata_bits: int
    line_bytes: int
    shared_bits: int = 0
    random_access: bool = True

    @property
    def coded_bits(self) -> int:
        """All bits stored: payload, metadata and what the lines share."""
        return self._payload + self._beside

    def effective_bits(self, granule_bytes: int) -> int:
        """All bits moved: payloads rounded up to the memory's access granule, and what lies beside them.

        With random access no two lines share a granule; without it, only the end is rounded.
        """
        granule_bits = 8 * granule_bytes
        if self.random_access:
            granules = int((-(-self.payload_bits.astype(np.int64) // granule_bits)).sum())
        else:
            granules = -(-self._payload // granule_bits)
        return granules * granule_bits + self._beside

    @property
    def _payload(self) -> int:
        return int(self.payload_bits.sum(dtype=np.int64))

    @property
    def _beside(self) -> int:
        return self.metadata_bits * len(self.payload_bits) + self.shared_bits
