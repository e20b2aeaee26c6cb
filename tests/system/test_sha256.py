"""SHA-256 by Python's own code and by OpenSSL."""

import hashlib
import importlib.util
import subprocess
import sys

import pytest

from jhpatch.system import sha256

LARGE = sha256._LARGE


@pytest.mark.parametrize("size", [0, 1, 64, LARGE - 1, LARGE, LARGE + 1, 3 * LARGE])
def test_both_give_the_same(size):
    """Below and above the size from which OpenSSL is used, the digest is hashlib's."""
    data = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    assert sha256.sha256(data) == hashlib.sha256(data).hexdigest()
    one = sha256.hasher(data)
    one.update(b"more")
    assert one.hexdigest() == hashlib.sha256(data + b"more").hexdigest()


@pytest.mark.parametrize("size, loads", [(LARGE - 1, False), (LARGE, True)])
def test_openssl_is_loaded_where_it_saves_more_than_that_takes(size, loads):
    """OpenSSL is loaded for large data alone, where this Python has it."""
    code = "import sys; from jhpatch.system import sha256; sha256.sha256(bytes(%d)); sys.exit(%s)"
    done = subprocess.run([sys.executable, "-c", code % (size, "'_hashlib' in sys.modules")])
    assert done.returncode == (loads and importlib.util.find_spec("_hashlib") is not None)
