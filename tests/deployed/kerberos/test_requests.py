"""Threads for requests: one request a user, the users in turn, and nothing that stays."""

import os
import subprocess
import sys
import threading

import pytest

from jhpatch.deployed.kerberos import requests
from jhpatch.deployed.kerberos.errors import Problem
from jhpatch.deployed.kerberos.requests import THREADS, Requests, ShuttingDown
from testing import ROOT
from testing.waiting import LIMIT, until


@pytest.fixture
def pool():
    """Requests that wait for a thread as long as a test may."""
    made = Requests(LIMIT)
    yield made
    made.close()


class Gate:
    """Work that waits until it is let go, and tells who is in it."""

    def __init__(self):
        self._open = threading.Event()
        self.entered = []

    def work(self, name="x"):
        self.entered.append(name)
        assert self._open.wait(LIMIT)
        return name

    def open(self):
        self._open.set()


@pytest.fixture
def gate():
    """A gate that is open at the end."""
    made = Gate()
    yield made
    made.open()


def no_thread(_):
    """Fail as Thread.start does on a host whose TasksMax is reached."""
    raise RuntimeError("can't start new thread")


def is_idle(pool):
    """Whether nothing waits, runs, or is remembered."""
    return not (
        pool._pending or pool._busy or any(pool._waiting.values()) or any(pool._threads.values())
    )


def test_the_same_request_is_joined(pool, gate):
    """Forty logins of one user are one request; another kind of request is another one."""
    futures = {pool.submit("alice", "login", gate.work) for _ in range(40)}
    assert len(futures) == 1
    spawn = pool.submit("alice", "spawn", lambda: "spawned")
    assert spawn not in futures
    gate.open()
    assert futures.pop().result(LIMIT) == "x" and gate.entered == ["x"]
    assert spawn.result(LIMIT) == "spawned"


def test_one_request_a_user_runs(pool, gate):
    """A user who hangs holds one thread, however many requests they make, in all lanes."""
    futures = [pool.submit("alice", number, gate.work) for number in range(50)]
    futures += [pool.submit("alice", -n, gate.work, "renewal") for n in range(1, 50)]
    for number in range(100):
        assert pool.submit("user%d" % number, "login", lambda: 7).result(LIMIT) == 7
    assert gate.entered == ["x"]
    assert sum(map(len, pool._threads.values())) <= 2
    gate.open()
    assert [future.result(LIMIT) for future in futures] == ["x"] * 99


def test_the_users_take_turns(pool, gate):
    """Who has many requests waits behind who has one."""
    full = [pool.submit("full%d" % n, "x", gate.work) for n in range(THREADS["login"])]
    order = []
    work = lambda name: lambda: order.append(name)  # noqa: E731
    waiting = [pool.submit("alice", n, work("alice")) for n in range(20)]
    waiting += [pool.submit("bob", n, work("bob")) for n in range(2)]
    gate.open()
    for future in full + waiting:
        future.result(LIMIT)
    assert len(order) == 22
    assert order.index("bob") < 10 and [n for n in order if n == "bob"] == ["bob"] * 2


@pytest.mark.parametrize("hung", sorted(THREADS))
def test_the_lanes_do_not_wait_for_each_other(pool, gate, hung):
    """Logins that hang delay no renewal, and the other way round."""
    for number in range(THREADS[hung] + 5):
        pool.submit("hung%d" % number, "x", gate.work, hung)
    until(lambda: len(gate.entered) == THREADS[hung])
    for lane in set(THREADS) - {hung}:
        assert pool.submit("alice", "x", lambda: 7, lane).result(LIMIT) == 7


def test_a_login_waits_for_a_thread_no_longer_than_the_timeout(gate):
    """Then it fails, with the reason; a renewal waits for its turn."""
    pool = Requests(0.05)
    for lane in ("login", "renewal"):
        for number in range(THREADS[lane]):
            pool.submit("hung %s %d" % (lane, number), "x", gate.work, lane)
    login = pool.submit("alice", "x", lambda: 7)
    renewal = pool.submit("bob", "x", lambda: 7, "renewal")
    threading.Event().wait(0.1)
    gate.open()
    with pytest.raises(Problem, match=r"busy.* within 0.05 s"):
        login.result(LIMIT)
    assert renewal.result(LIMIT) == 7
    until(lambda: is_idle(pool))


def test_a_request_behind_one_of_the_same_user_is_never_forgotten(pool, gate, monkeypatch):
    """In another lane, whose threads have nothing else to do: it runs when that one ends."""
    monkeypatch.setattr(requests, "_IDLE", 0.01, raising=False)
    pool.submit("alice", "renewal", gate.work, "renewal")
    until(lambda: gate.entered)
    login = pool.submit("alice", "login", lambda: 7)
    threading.Event().wait(0.1)
    assert not login.done()
    gate.open()
    assert login.result(LIMIT) == 7


def test_nothing_is_remembered(pool):
    """A year of users leaves neither a dictionary that grows nor a thread."""
    futures = [pool.submit("user%d" % n, n % 3, lambda: None) for n in range(2000)]
    for future in futures:
        future.result(LIMIT)
    until(lambda: is_idle(pool))


@pytest.mark.parametrize("error", [KeyError("x"), SystemExit(3), KeyboardInterrupt()])
def test_an_exception_is_its_requests_alone(pool, error):
    """SystemExit too, which would end the event loop that waits: it becomes an Exception."""

    def work():
        raise error

    future = pool.submit("alice", "x", work)
    raised = future.exception(LIMIT)
    assert isinstance(raised, Exception) and type(error).__name__ in repr(raised)
    assert pool.submit("alice", "x", lambda: 7).result(LIMIT) == 7
    until(lambda: is_idle(pool))


@pytest.mark.parametrize("error", [KeyError, SystemExit])
def test_a_callback_that_raises_ends_no_thread(pool, gate, error):
    """What waits behind it in the lane runs."""

    def callback(_):
        raise error("a callback's")

    pool.submit("alice", 1, gate.work).add_done_callback(callback)
    later = pool.submit("alice", 2, lambda: 7)
    gate.open()
    assert later.result(LIMIT) == 7
    until(lambda: is_idle(pool))


def test_a_cancelled_request_harms_nobody(pool, gate):
    """One that waits does not run; one that runs cannot be cancelled, and its thread goes on."""
    running = pool.submit("alice", 1, gate.work)
    until(lambda: gate.entered)
    waiting = pool.submit("alice", 2, gate.work)
    assert waiting.cancel() and not running.cancel()
    gate.open()
    assert running.result(LIMIT) == "x"
    assert pool.submit("alice", 3, lambda: 7).result(LIMIT) == 7
    assert gate.entered == ["x"]


def test_a_host_without_threads_refuses_and_forgets(pool, gate, monkeypatch):
    """TasksMax is reached: a Problem at once, and the next request is not that one."""
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", no_thread)
        future = pool.submit("alice", "x", gate.work)
        with pytest.raises(Problem, match="no thread"):
            future.result(0)
    assert is_idle(pool)
    assert pool.submit("alice", "x", lambda: 7).result(LIMIT) == 7


def test_a_host_with_too_few_threads_makes_do(pool, gate, monkeypatch):
    """The thread that runs takes what no other can be started for."""
    pool.submit("alice", "x", gate.work)
    until(lambda: gate.entered)
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", no_thread)
        futures = [pool.submit("user%d" % n, "x", lambda: 7) for n in range(5)]
        assert not any(future.done() for future in futures)
    gate.open()
    assert [future.result(LIMIT) for future in futures] == [7] * 5


def test_close_ends_what_waits(pool, gate, monkeypatch):
    """Who waits is told, who comes later too; nothing new runs."""
    monkeypatch.setattr(requests, "_GRACE", 0)
    running = pool.submit("alice", 1, gate.work)
    until(lambda: gate.entered)
    waiting = pool.submit("alice", 2, gate.work)
    pool.close()
    later = pool.submit("bob", 1, gate.work)
    for future in (waiting, later):
        with pytest.raises(ShuttingDown):
            future.result(LIMIT)
    assert pool.is_closed() and not running.done()
    gate.open()
    assert running.result(LIMIT) == "x" and gate.entered == ["x"]


def test_the_end_of_the_process_kills_what_runs(tmp_path):
    """A hub that ends leaves no kinit behind, which its users could not stop."""
    script = "echo $$ >new && mv new pid && exec sleep 600"
    code = (
        "import os, time\n"
        "from jhpatch.deployed.kerberos import process, requests\n"
        "argv = ['/bin/sh', '-c', 'cd %s && %s']\n"
        "work = lambda: process.run(argv, {'PATH': os.defpath}, 600)\n"
        "requests.Requests(600).submit('alice', 1, work)\n"
        "while not os.path.exists('%s/pid'): time.sleep(0.01)\n"
    )
    argv = [sys.executable, "-c", code % (tmp_path, script, tmp_path)]
    subprocess.run(argv, cwd=ROOT, check=True)
    pid = int((tmp_path / "pid").read_text())
    until(lambda: not os.path.exists("/proc/%d/fd/0" % pid))


def test_the_end_of_a_fork_is_not_its_parents(pool):
    """A library that forks and exits runs atexit: the parent's children live on."""
    child = os.fork()
    if child == 0:
        try:
            pool.close()
            os._exit(1 if pool.is_closed() else 0)
        finally:
            os._exit(2)
    assert os.waitpid(child, 0)[1] == 0


def test_many_threads_lose_nothing(pool):
    """Thirty threads submit for the same few users in all lanes: each Future has its result."""
    results = []

    def submit(seed):
        lanes = sorted(THREADS)
        futures = [
            pool.submit("user%d" % (n % 7), (seed, n), lambda n=n: n, lanes[(n + seed) % 3])
            for n in range(100)
        ]
        results.append([future.result(LIMIT) for future in futures] == list(range(100)))

    threads = [threading.Thread(target=submit, args=[seed]) for seed in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [True] * 30
    until(lambda: is_idle(pool))
