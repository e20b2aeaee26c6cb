"""A value is computed once, whoever needs it and whenever."""

import threading

import pytest

from jhpatch.kerberos.memo import Memo


def test_a_value_is_computed_once():
    """Each key has its own value."""
    memo, calls = Memo(), []
    for key in ("a", "b", "a", "a"):
        assert memo.get(key, lambda key=key: calls.append(key) or key) == key
    assert calls == ["a", "b"]


def test_an_exception_counts_as_a_value():
    """It is raised again, and nothing is computed a second time."""
    memo, calls = Memo(), []

    def fail():
        calls.append(1)
        raise OSError("unreadable")

    for _ in range(2):
        with pytest.raises(OSError, match="unreadable"):
            memo.get("a", fail)
    assert calls == [1]


def test_a_value_that_is_not_kept():
    """It is returned once; the next one who needs it computes it again."""
    memo, values = Memo(), iter([None, 7])
    for expected in (None, 7, 7):
        assert memo.get("a", lambda: next(values), keeps=bool) == expected


def test_a_value_may_need_another():
    """While one is computed, another one can be."""
    memo = Memo()
    assert memo.get("a", lambda: memo.get("b", lambda: 7) + 1) == 8


def test_who_needs_a_value_meanwhile_waits_for_it():
    """A second thread neither computes it again nor goes on without it."""
    memo, started, release = Memo(), threading.Event(), threading.Event()
    calls, results = [], []

    def compute():
        calls.append(1)
        started.set()
        release.wait()
        return 7

    def need():
        results.append(memo.get("a", compute))

    threads = [threading.Thread(target=need, daemon=True) for _ in range(3)]
    threads[0].start()
    assert started.wait(300)
    for thread in threads[1:]:
        thread.start()
    threads[1].join(0.2)
    assert results == []
    assert memo.get("b", lambda: 8) == 8  # another value is not held up
    release.set()
    for thread in threads:
        thread.join(300)
    assert (calls, results) == ([1], [7, 7, 7])
