"""Open and save: upstream's results, one renewer a process, and nobody who waits for nothing."""

import asyncio
import importlib
import os
import sys
import threading
import types

import pytest
from tornado import gen

from jhpatch.deployed.kerberos import server_face, server_renewer
from testing.waiting import until
from tests.deployed.kerberos.server_stand_ins import KEY, Handler, as_a_server, renewer, ticket
from tests.deployed.stand_ins import KINDS, broken, in_loop, program

one_process = pytest.fixture(autouse=True)(as_a_server)


def test_opening_waits_for_the_first_ticket(log, settings):
    """The notebook opens with a ticket in the cache, and upstream's result."""
    handler = Handler(log, **settings)
    assert in_loop(lambda: handler.get("x.ipynb")) == ("opened", "x.ipynb")
    assert ticket(settings).principal == settings["principal"]
    assert len(log.lines) == 1


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_results_of_every_kind_pass_through(log, settings, kind):
    """A value, a Future, a coroutine: waited for and given on; with a fresh ticket untouched."""
    handler = Handler(log, **settings)
    handler.kind = kind
    assert in_loop(lambda: handler.get("x")) == ("opened", "x")
    assert in_loop(lambda: handler.get("x")) == ("opened", "x")
    assert in_loop(lambda: handler.save("x")) == ("saved", "x")


def test_a_native_coroutine_stays_one(log, settings):
    """jupyter_server's @authorized awaits what asyncio.iscoroutine says, and nothing else."""
    handler = Handler(log, **settings)
    seen = []

    @gen.coroutine
    def opened():
        result = handler.get_natively("x")
        seen.append(asyncio.iscoroutine(result))
        result = yield result
        raise gen.Return(result)

    for _ in range(2):
        assert in_loop(opened) == ("opened", "x")
    assert seen == [True, True]


def spy(real, calls):
    """Note the calls of this thread; others, such as a renewer's, are their own business."""
    here = threading.current_thread()

    def call(*args, **kwargs):
        if threading.current_thread() is here:
            calls.append(args)
        return real(*args, **kwargs)

    return call


def test_an_open_with_a_fresh_ticket_is_one_lstat(log, settings, monkeypatch):
    """Of the cache, and a save is none; upstream's own object comes back."""
    handler = Handler(log, **settings)
    in_loop(lambda: handler.get("x"))
    looked = []
    for name in ("open", "stat", "lstat", "listdir"):
        monkeypatch.setattr(os, name, spy(getattr(os, name), looked))
    results = [handler.get("x"), handler.save("x")]
    monkeypatch.undo()
    assert results == [("opened", "x"), ("saved", "x")]
    assert [args[0] for args in looked] == [settings["ccache"]]


@pytest.mark.slow
def test_a_kdestroy_is_noticed(log, settings):
    """The ticket would be valid for hours: the cache is gone, and an open waits for another."""
    settings.update(retry=1.0)
    handler = Handler(log, **settings)
    in_loop(lambda: handler.get("x"))
    path = settings["ccache"]
    os.unlink(path)
    assert handler.save("x") == ("saved", "x") and not os.path.exists(path)
    until(lambda: renewer().turn() is not None)  # not more than once in ``retry``
    until(lambda: os.path.exists(path))
    until(lambda: renewer().is_fresh())


def test_opening_waits_no_longer_than_open_wait_and_once_per_retry(
    log, script, settings, tmp_path
):
    """A KDC that does not answer: the first open waits a little, the next not at all."""
    answers = tmp_path / "answers"
    kinit = script(program("while test ! -e %s; do sleep 0.05; done; exit 1\n" % answers))
    settings.update(kinit=kinit, open_wait=0.4, timeout=3000, retry=3000)
    handler = Handler(log, **settings)
    assert in_loop(lambda: handler.get("x")) == ("opened", "x")
    # Upstream's own value, and no Future: nothing to wait for.
    assert [handler.get("x"), handler.get("x")] == [("opened", "x")] * 2
    assert renewer()._pause == 0 and renewer().is_alive()
    answers.write_text("")
    until(lambda: renewer()._pause)


def test_content_0_and_saving_never_wait(log, script, settings):
    """The file browser's polls, and every save: they start the renewer and go on."""
    settings.update(kinit=script(program("exec sleep 3\n")), open_wait=60)
    assert Handler(log, content="0", **settings).get("x") == ("opened", "x")
    assert Handler(log, **settings).save("x") == ("saved", "x")
    assert renewer().is_alive()


def test_root_gets_no_renewer(log, settings, monkeypatch):
    """A server that runs as root opens and saves, and never gets a ticket."""
    monkeypatch.setattr(os, "getuid", lambda: 0)
    handler = Handler(log, **settings)
    assert [handler.get("x"), handler.save("x")] == [("opened", "x"), ("saved", "x")]
    assert renewer() is None and log.lines == []


CALLEES = [
    (server_face, "new_renewer"),
    (server_face, "_wants_content"),
    (server_face, "within"),
    (server_renewer, "own_account"),
    (server_renewer, "ServerRenewer"),
    (server_renewer.ServerRenewer, "start"),
    (server_renewer.ServerRenewer, "is_fresh"),
    (server_renewer.ServerRenewer, "turn"),
    (server_renewer.ServerRenewer, "_find_cache"),
    (server_renewer.ServerRenewer, "_write_status"),
    (server_renewer.Kinit, "ensure"),
    (server_renewer.Kinit, "cache"),
]


@pytest.mark.parametrize("callee", CALLEES, ids=[name for _, name in CALLEES])
@pytest.mark.filterwarnings("ignore:(?s)Exception in thread")
def test_a_bug_never_stops_a_notebook(log, settings, monkeypatch, callee):
    """Injected into each callee: upstream's results."""
    settings.update(open_wait=0.2)
    handler = Handler(log, **settings)
    monkeypatch.setattr(*callee, broken)
    for _ in range(2):
        assert in_loop(lambda: handler.get("x")) == ("opened", "x")
        assert in_loop(lambda: handler.save("x")) == ("saved", "x")
    monkeypatch.undo()


def test_a_bug_in_an_attempt_does_not_end_the_renewer(log, settings, monkeypatch):
    """It tries again."""
    settings.update(retry=0.1)
    with monkeypatch.context() as patched:
        patched.setattr(server_renewer.Kinit, "ensure", broken)
        in_loop(lambda: Handler(log, **settings).get("x"))
    until(lambda: renewer().is_fresh())


@pytest.mark.parametrize("timeout", [-1, "soon"])
def test_a_wrong_setting_disables_the_renewer(log, timeout):
    """One line; notebooks open."""
    for _ in range(2):
        assert in_loop(lambda: Handler(log, timeout=timeout).get("x")) == ("opened", "x")
    assert len(log.lines) == 1 and "timeout" in log.lines[0]
    assert renewer() is None


@pytest.mark.parametrize("error", [KeyError("x\x1b"), SystemExit(3)])
def test_a_callable_that_raises_disables_the_renewer(log, error):
    """One printable line; notebooks open, and the server goes on."""

    def principal(name):
        raise error

    assert in_loop(lambda: Handler(log, principal=principal).get("x")) == ("opened", "x")
    (text,) = log.lines
    assert type(error).__name__ in text and text.isprintable()


def test_one_renewer_though_two_copies_are_imported(log, settings, monkeypatch):
    """notebook's and jupyter_server's package in one process: the first claims the key."""
    handler = Handler(log, **settings)
    in_loop(lambda: handler.get("x"))
    first = renewer()
    package = types.ModuleType("another_copy")
    package.__path__ = [os.path.dirname(server_face.__file__)]
    monkeypatch.setitem(sys.modules, "another_copy", package)
    other = importlib.import_module("another_copy.server_face")
    assert other is not server_face and other.renewer_of(handler) is first


def test_the_key_is_what_the_one_file_helper_had():
    """A server whose other distribution still has that: see test_two_helpers.py."""
    assert server_face._KEY == KEY == "_jhpatch_kerberos.keeper"
