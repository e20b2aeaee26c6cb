"""Draws a PySpark kernel's logos: ``python tools/logos.py jhpatch/deployed``."""

import math
import struct
import sys
import zlib

_SPARK = (226, 90, 28)
_RAYS = 8


def png(size: int) -> bytes:
    """A square PNG (RFC 2083): a spark on a transparent ground, smoothed by 4 by 4 samples."""
    rows = b"".join(b"\0" + b"".join(_pixel(x, y, size) for x in range(size)) for y in range(size))
    head = struct.pack(">IIBBBBB", size, size, 8, 6, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(rows, 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in chunks)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _pixel(x: int, y: int, size: int) -> bytes:
    steps = [(one + 0.5) / 4 for one in range(4)]
    inside = sum(_is_inside(x + dx, y + dy, size) for dx in steps for dy in steps)
    return bytes(_SPARK + (inside * 255 // 16,))


def _is_inside(x: float, y: float, size: int) -> bool:
    """Within a star whose rays are long and short in turn."""
    x, y = 2 * x / size - 1, 2 * y / size - 1
    turn = (math.atan2(y, x) / (2 * math.pi) * _RAYS) % 2
    ray = 0.95 if turn < 0.5 or turn > 1.5 else 0.7
    between = abs((turn % 1) - 0.5) * 2  # 0 between two rays, 1 on one
    return math.hypot(x, y) < 0.22 + (ray - 0.22) * between**3


if __name__ == "__main__":
    for pixels in (32, 64):
        with open("%s/logo-%dx%d.png" % (sys.argv[1], pixels, pixels), "wb") as file:
            file.write(png(pixels))
