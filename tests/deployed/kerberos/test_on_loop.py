"""Waiting on the event loop for a thread."""

import subprocess
import sys
import threading
from concurrent.futures import Future

import pytest
from tornado import ioloop

from jhpatch.deployed.kerberos.on_loop import TooLate, within
from testing import ROOT
from tests.deployed.stand_ins import in_loop


def test_the_result_of_a_thread_is_the_result():
    """A value, and an exception, of a thread that takes its time."""
    for value in ("x", KeyError("x")):
        future = Future()
        set_it = future.set_exception if isinstance(value, Exception) else future.set_result
        threading.Timer(0.05, set_it, [value]).start()
        if isinstance(value, Exception):
            with pytest.raises(KeyError):
                in_loop(lambda f=future: within(300, f))
        else:
            assert in_loop(lambda f=future: within(300, f)) == value


def test_a_thread_that_is_late_is_not_waited_for():
    """TooLate; the thread goes on, and its end harms nobody."""
    future = Future()
    with pytest.raises(TooLate):
        in_loop(lambda: within(0.05, future))
    future.set_result("late")


def test_a_cancelled_future_is_too_late():
    """tornado before 6.6 waits for ever for one that gen.with_timeout has chained."""
    future = Future()
    future.cancel()
    with pytest.raises(TooLate):
        in_loop(lambda: within(300, future))


def test_the_waiting_future_is_resolved_on_the_loop():
    """Whoever is about to wait for it misses nothing; tornado 4.5 resolves it in the thread."""
    threads, done = [], Future()

    def job():
        waiting = within(300, done)
        waiting.add_done_callback(lambda _: threads.append(threading.current_thread()))
        thread = threading.Thread(target=done.set_result, args=[1])
        thread.start()
        thread.join()
        assert not waiting.done(), "resolved while the loop has not had its turn"
        return waiting

    assert in_loop(job) == 1
    assert threads == [threading.current_thread()]


def test_a_loop_that_is_gone_is_no_error():
    """The hub has ended; a thread finishes."""
    future = Future()
    loop = ioloop.IOLoop()
    loop.make_current()
    within(300, future)
    loop.close()
    future.set_result(1)


def test_nest_asyncio_changes_nothing():
    """jupyter_client calls it in a server: with tornado 4.5 a login would wait for ever."""
    pytest.importorskip("nest_asyncio")
    program = (
        "import nest_asyncio\n"
        "from concurrent.futures import ThreadPoolExecutor\n"
        "from tornado import gen, ioloop\n"
        "from jhpatch.deployed.kerberos import on_loop\n"
        "nest_asyncio.apply()\n"
        "@gen.coroutine\n"
        "def run():\n"
        "    found = yield on_loop.within(300, ThreadPoolExecutor(1).submit(lambda: 'found'))\n"
        "    print(found)\n"
        "ioloop.IOLoop.current().run_sync(run, timeout=300)\n"
    )
    assert subprocess.check_output([sys.executable, "-c", program], cwd=ROOT) == b"found\n"
