"""``jhpatch ticket``: its text, and ``--watch`` in a pipe, as JSON and on a terminal."""

import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest

from jhpatch.cli import main, terminal
from testing import ROOT
from testing.tickets import put, typed


def test_text_is_escaped_in_any_locale(home, server):
    """Text of a record is escaped: a terminal obeys none of it, and it adds no column."""
    put(home, server(), error="\x1b[31m\tred\n\u20ac")
    out, talk = typed(PYTHONIOENCODING="ascii").communicate()
    assert talk == b"" and out.count(b"\n") == 1 and out.count(b"\t") == 9
    assert b"\\x1b[31m\\tred\\n\\u20ac" in out and b"\x1b" not in out


def test_nothing_turns_the_rest_of_a_line_around(home, server):
    """U+202E and the like, which reorder what follows them, are escaped."""
    put(home, server(), error="gnp.\u202etxt.\u2066\xad\u20ac")
    out, talk = typed(PYTHONIOENCODING="utf-8").communicate()
    assert talk == b"" and r"gnp.\u202etxt.\u2066\xad€".encode() in out


@pytest.mark.slow
def test_watch_in_a_pipe_writes_a_line_a_change(home, kinit, server):
    """Nothing while nothing changes; Ctrl-C ends it with the last exit code."""
    pid = server()
    put(home, pid, ccache="FILE:%s/cc" % home)
    running = typed("--watch", "0.2")
    assert b"\tabsent\t" in running.stdout.readline()
    time.sleep(0.5)  # two looks at least
    kinit("cc")
    assert b"\tvalid\t" in running.stdout.readline()
    time.sleep(0.5)
    running.send_signal(signal.SIGINT)
    out, talk = running.communicate()
    assert (out, talk, running.returncode) == (b"", b"", 0)


def test_watch_as_json_is_a_document_a_line(home, kinit):
    """Each line is a whole document."""
    running = typed("--watch", "0.2", "--json")
    assert json.loads(running.stdout.readline().decode())["exit_code"] == 3
    kinit("default")
    assert json.loads(running.stdout.readline().decode())["tickets"][0]["state"] == "valid"
    running.send_signal(signal.SIGINT)
    assert running.communicate() == (b"", b"") and running.returncode == 0


def test_watch_ends_when_nobody_reads(home, kinit):
    """As with `| head -1`: no traceback, no endless loop."""
    running = typed("--watch", "0.2")
    running.stdout.readline()
    running.stdout.close()
    kinit("default")
    assert running.wait() == 0
    assert running.stderr.read() == b""
    running.stderr.close()


def test_quiet_watch_only_returns_the_exit_code(home, kinit, monkeypatch, capsys):
    """-q leaves nothing on standard output, not even the codes that clear a terminal."""

    def interrupt(seconds):
        raise KeyboardInterrupt

    kinit("default")
    monkeypatch.setattr(terminal, "_is_terminal", lambda stream: True)
    monkeypatch.setattr(terminal, "time", SimpleNamespace(sleep=interrupt))
    assert main.main(["ticket", "--watch", "-q"]) == 0
    assert capsys.readouterr() == ("", "")


@pytest.mark.slow
def test_watch_redraws_a_terminal(home, kinit):
    """From the upper left corner, with the time that is left."""
    kinit("default", "-l", "1h")
    ours, other = pty.openpty()
    argv = [sys.executable, "-m", "jhpatch", "ticket", "--watch", "0.2"]
    environ = dict(os.environ, PYTHONPATH=ROOT, NO_COLOR="1")
    running = subprocess.Popen(argv, env=environ, cwd="/", stdout=other, stderr=other)
    os.close(other)
    seen = b""
    while seen.count(b"\x1b[H\x1b[J") < 3:
        seen += os.read(ours, 4096)
    running.send_signal(signal.SIGINT)
    assert running.wait() == 0
    os.close(ours)
    assert re.search(rb"alice/service@EXAMPLE.TEST  valid, \d+ min left", seen)


@pytest.mark.parametrize("seconds", ["0", "nan", "-1", "soon", "1e9"])
def test_watch_takes_sensible_seconds(jhpatch, home, seconds):
    """Other seconds than 0.2 to 86,400 are a usage error."""
    assert jhpatch(None, "ticket", "--watch=" + seconds).code == 2
