"""Whether a kernel has a debugger: its own ipykernel decides."""

import os
import sys

import ipykernel
import pytest

from jhpatch.spark.debugger import has_debugger
from testing.spark_homes import write


def test_ipykernel_has_one_from_release_6_on():
    """The one that this Python has."""
    assert has_debugger(sys.executable, os.environ) == (ipykernel.version_info[0] >= 6)


@pytest.mark.parametrize("text", ["#!/bin/sh\nexit 1\n", "#!/bin/sh\necho 3.8\n", ""])
def test_a_python_that_does_not_tell_has_none(tmp_path, text):
    """No ipykernel, no Python, nothing at all."""
    path = str(tmp_path / "python")
    if text:
        write(path, text, 0o755)
    assert not has_debugger(path, os.environ)
