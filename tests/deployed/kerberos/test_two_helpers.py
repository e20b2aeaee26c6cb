"""A process with the package in one distribution and the one-file helper in the other.

jhpatch updates notebook and jupyter_server one after the other, and a server may start in
between. Whoever comes first starts the renewer, and the other one uses it.
"""

import datetime
import functools
import sys
import threading
import types
from concurrent.futures import Future

import pytest
from tornado import gen

from jhpatch.deployed.kerberos import metrics, server_face
from tests.deployed.kerberos.server_stand_ins import KEY, Handler, as_a_server, renewer_of
from tests.deployed.stand_ins import in_loop

one_process = pytest.fixture(autouse=True)(as_a_server)


class OldKeeper(threading.Thread):
    """The thread of the one-file helper, by what its decorators and ours use."""

    def __init__(self):
        super().__init__(name="jhpatch-kerberos", daemon=True)
        self.settings = types.SimpleNamespace(open_wait=60.0)
        self.fresh = False
        self.turned = Future()
        self._wake = threading.Event()

    def is_fresh(self):
        """Whether a valid ticket was seen."""
        return self.fresh

    def turn(self):
        """A Future of the try under way."""
        return self.turned


def old_on_open(method):
    """``on_open`` of the one-file helper, word for word but for its log."""

    @functools.wraps(method)
    def get(self, *args, **kwargs):
        waiting, seconds = None, 0.0
        keeper = sys.modules[KEY]
        if keeper is not None and not keeper.is_fresh():
            waiting, seconds = keeper.turn(), keeper.settings.open_wait
        if waiting is None:
            return method(self, *args, **kwargs)
        return after(waiting, seconds, method, self, args, kwargs)

    @gen.coroutine
    def after(waiting, seconds, method, handler, args, kwargs):
        yield gen.with_timeout(datetime.timedelta(seconds=seconds), waiting)
        raise gen.Return(method(handler, *args, **kwargs))

    return get


def test_the_package_uses_the_old_keeper(log):
    """It waits for its try, and starts no second thread."""
    keeper = sys.modules[KEY] = OldKeeper()
    handler = Handler(log)
    assert server_face.renewer_of(handler) is keeper
    threading.Timer(0.1, keeper.turned.set_result, [None]).start()
    assert in_loop(lambda: handler.get("x")) == ("opened", "x") and keeper.turned.done()
    keeper.fresh = True
    assert [handler.get("x"), handler.save("x")] == [("opened", "x"), ("saved", "x")]
    assert log.lines == []


def test_the_old_helper_uses_the_packages_renewer(log, monkeypatch):
    """``is_fresh``, ``turn`` and ``settings.open_wait`` are what they were."""
    made = sys.modules[KEY] = renewer_of(log, retry=30.0, open_wait=60.0)
    opened = old_on_open(lambda handler, path: ("opened", path))
    threading.Timer(0.1, made._turned.set_result, [None]).start()
    assert in_loop(lambda: opened(Handler(log), "x")) == ("opened", "x")
    assert made._wake.is_set()
    assert opened(Handler(log), "x") == ("opened", "x"), "no second wait within retry"


@pytest.mark.parametrize("first", ["old", "new"])
def test_they_share_their_metrics(first, monkeypatch):
    """Both count under the same names and labels, which prometheus_client allows once."""
    made = []

    class Counter:
        def __init__(self, name, text, labels):
            made.append((name, len(labels)))

        def labels(self, *values):
            assert len(values) == 2
            return self

        def inc(self):
            pass

    monkeypatch.setitem(sys.modules, "prometheus_client", types.SimpleNamespace(Counter=Counter))
    monkeypatch.delitem(sys.modules, "_jhpatch_kerberos.metrics", raising=False)
    if first == "old":
        sys.modules["_jhpatch_kerberos.metrics"] = {
            "tickets": Counter("x", "", ("side", "result"))
        }
    metrics.count("login", "got")
    assert len(made) == 1 and made[0][1] == 2
    sys.modules.pop("_jhpatch_kerberos.metrics")
