"""What is cleaned up before a signal ends the process."""

import os
import signal
import subprocess
import sys

import pytest

SCRIPT = """
import os, signal, sys
from jhpatch.checks.signals import cleaned_up
signal.signal(signal.SIGINT, signal.SIG_DFL)
signal.signal(signal.SIGHUP, getattr(signal, sys.argv[1]))
# Not print: a signal may come while its buffer is in use, and that is not reentrant.
with cleaned_up(lambda: os.write(1, b"cleaned\\n")):
    os.write(1, b"ready\\n")
    sys.stdin.readline()
os.write(1, b"after\\n")
"""


def end(number, hangup="SIG_DFL"):
    """Return what a process prints that is sent a signal, then a line; and its exit code."""
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, hangup],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=dict(os.environ, PYTHONPATH=root),
    )
    first = process.stdout.readline()
    process.send_signal(number)
    out, _ = process.communicate(b"\n")
    return (first + out).split(), process.returncode


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_process_after_the_clean_up(number):
    """Who started it sees that the signal ended it."""
    assert end(number) == ([b"ready", b"cleaned"], -number)


def test_an_ignored_signal_stays_ignored():
    """So does that of nohup."""
    assert end(signal.SIGHUP, "SIG_IGN") == ([b"ready", b"cleaned", b"after"], 0)


def test_another_error_is_cleaned_up_after_too():
    """The handlers of before are there again."""
    from jhpatch.checks.signals import cleaned_up

    calls, old = [], signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyError), cleaned_up(lambda: calls.append(1)):
        assert signal.getsignal(signal.SIGTERM) != old
        raise KeyError
    assert calls == [1] and signal.getsignal(signal.SIGTERM) == old
