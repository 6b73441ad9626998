"""Codecs with one fault each, found by numcodecs through the entry points beside this file."""

import os
import signal
import time
from typing import ClassVar

import numpy as np
from numcodecs.abc import Codec


class Faulty(Codec):
    """Stores its input; a subclass breaks one thing."""

    def encode(self, buf):
        return np.ascontiguousarray(buf).tobytes()

    def decode(self, buf, out=None):
        return np.frombuffer(buf, np.uint8)


class Overwrites(Faulty):
    codec_id = "faulty.overwrites"

    def encode(self, buf):
        data = super().encode(buf)
        buf.reshape(-1).view(np.uint8)[0] ^= 1
        return data


class Raises(Faulty):
    codec_id = "faulty.raises"

    def encode(self, buf):
        raise RuntimeError("no such luck\nsecond line")


class Undecodable(Faulty):
    codec_id = "faulty.undecodable"

    def decode(self, buf, out=None):
        raise RuntimeError("cannot decode")


class Wrong(Faulty):
    codec_id = "faulty.wrong"

    def decode(self, buf, out=None):
        decoded = super().decode(buf).copy()
        decoded[5] ^= 1
        return decoded


class Short(Faulty):
    codec_id = "faulty.short"

    def decode(self, buf, out=None):
        return super().decode(buf)[:-1]


class Hangs(Faulty):
    codec_id = "faulty.hangs"

    def encode(self, buf):
        time.sleep(3600)


class Dies(Faulty):
    codec_id = "faulty.dies"

    def encode(self, buf):
        os.kill(os.getpid(), signal.SIGSEGV)


class Picky(Faulty):
    codec_id = "faulty.picky"

    def encode(self, buf):
        if buf.dtype != np.float32:
            raise TypeError(f"float32 only, not {buf.dtype}")
        return super().encode(buf)


class Slow(Faulty):
    """No fault: slow enough that a run can be interrupted in it."""

    codec_id = "faulty.slow"

    def encode(self, buf):
        time.sleep(0.2)
        return super().encode(buf)


class DiesDecoding(Faulty):
    codec_id = "faulty.dies-decoding"

    def decode(self, buf, out=None):
        if bytes(buf[-1:]) == b"\xff":
            os.kill(os.getpid(), signal.SIGSEGV)
        return super().decode(buf)


class HangsDecoding(Faulty):
    codec_id = "faulty.hangs-decoding"

    def decode(self, buf, out=None):
        if bytes(buf[-1:]) == b"\xff":
            time.sleep(3600)
        return super().decode(buf)


class Hungry(Faulty):
    codec_id = "faulty.hungry"

    def decode(self, buf, out=None):
        if bytes(buf[-1:]) == b"\xff":
            bytearray(8 << 30)
        return super().decode(buf)


class TakesMemory(Faulty):
    codec_id = "faulty.takes-memory"

    def encode(self, buf):
        np.ones(1 << 29, np.uint8).sum()
        return super().encode(buf)


class Leaks(Faulty):
    codec_id = "faulty.leaks"
    kept: ClassVar[list] = []

    def encode(self, buf):
        self.kept.append(np.ones(12 << 20, np.uint8))
        return super().encode(buf)


class Caches(Faulty):
    """No fault: keeps much, but once."""

    codec_id = "faulty.caches"
    table: ClassVar[list] = []

    def encode(self, buf):
        if not self.table:
            self.table.append(np.ones(12 << 20, np.uint8))
        return super().encode(buf)


class OverwritesFrame(Faulty):
    codec_id = "faulty.overwrites-frame"

    def encode(self, buf):
        return np.frombuffer(super().encode(buf), np.uint8).copy()

    def decode(self, buf, out=None):
        decoded = np.asarray(buf).copy()
        buf[:] = 0
        return decoded


class Stubborn(Faulty):
    """Hangs, and does not end when it is told to."""

    codec_id = "faulty.stubborn"

    def encode(self, buf):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        time.sleep(3600)


class Exits(Faulty):
    codec_id = "faulty.exits"

    def encode(self, buf):
        os._exit(75)
