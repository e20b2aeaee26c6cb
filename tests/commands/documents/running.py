"""Runs a command in a scene, as a person, a program or a terminal does."""

import collections
import os
import pty
import signal
import subprocess

from testing import ROOT
from tests.commands.documents.scenes import Scene

Said = collections.namedtuple("Said", "code out talk")


def run(scenario, folder, mode):
    """What a command says in a scene of its own: its exit code, and two streams as bytes."""
    scene = Scene(folder, ROOT, os.path.dirname(os.path.dirname(folder)))
    with scene.stack:
        for step in scenario.prepare:
            step(scene)
        argv = scene.argv(scenario.words) + (["--json"] if mode == "json" else [])
        if mode == "terminal":
            return on_terminal(argv, scene.environ)
        if mode.startswith("watch"):
            argv += ["--json"] if mode == "watch json" else []
            return first_of(argv, scene.environ)
        done = subprocess.run(
            argv,
            cwd="/",
            env=scene.environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        return Said(done.returncode, done.stdout, done.stderr)


def on_terminal(argv, environ):
    """With standard output on a terminal of 80 columns, in UTC."""
    environ = dict(environ, TERM="xterm", COLUMNS="80", PAGER="cat", TZ="UTC")
    main, other = pty.openpty()
    child = subprocess.Popen(
        argv, cwd="/", env=environ, stdin=subprocess.DEVNULL, stdout=other, stderr=subprocess.PIPE
    )
    os.close(other)
    out = b""
    try:
        while True:
            out += os.read(main, 65536)
    except OSError:
        pass  # EIO: nobody holds the other end any more
    os.close(main)
    talk = child.communicate()[1]
    return Said(child.returncode, out.replace(b"\r\n", b"\n"), talk)


def first_of(argv, environ):
    """The first line of a command that goes on until Ctrl-C."""
    child = subprocess.Popen(
        argv,
        cwd="/",
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    line = child.stdout.readline()
    child.send_signal(signal.SIGINT)
    rest, talk = child.communicate(timeout=300)
    return Said(child.returncode, line + rest, talk)
