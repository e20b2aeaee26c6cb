"""idle-stop for an hour, while short jobs and streams come and go: no work is lost.

Only with JHPATCH_LONG, which may be a number of seconds: ``tox -e spark-long``.
"""

import os
import random
import time
from typing import Any, Callable, Dict

import pytest

from integration.spark import parts
from integration.spark.cells import LIMIT, printed
from testing.kernels import RunningKernel
from testing.waiting import until

IDLE = 30  # seconds after which the session is stopped
_GIVEN = os.environ.get("JHPATCH_LONG", "")
SECONDS = int(_GIVEN) if _GIVEN.isdigit() and int(_GIVEN) > 1 else 3600
SEED = 17

HELPERS = """
import threading, time
def work(seconds, pause):
    "Short jobs in a thread: no cell runs meanwhile."
    global done
    done = [0, ""]
    def jobs():
        end = time.monotonic() + seconds
        try:
            while time.monotonic() < end:
                sc.parallelize([1], 1).count()
                done[0] += 1
                time.sleep(pause)
        except Exception as error:
            done[1] = repr(error)
    global thread
    thread = threading.Thread(target=jobs)
    thread.start()
def jvm():
    return sc._jvm.java.lang.ProcessHandle.current().pid()
def stream():
    global query
    frame = spark.newSession().readStream.format("rate").load().writeStream.format("memory")
    query = frame.trigger(processingTime="%d seconds" % 20).queryName("q%d" % time.time()).start()
"""


def jobs(run: Callable[[str], str], chance: random.Random) -> None:
    """Short jobs, with pauses that no look need meet; the session outlives them."""
    seconds, pause = chance.uniform(1.5, 3) * IDLE, chance.uniform(1, IDLE / 3)
    before = run("work(%f, %f); print(sc.applicationId)" % (seconds, pause))
    time.sleep(seconds)
    assert run("thread.join(); print(done[1], sc.applicationId)") == before


def stream(run: Callable[[str], str], chance: random.Random) -> None:
    """A stream of another session, which works now and then."""
    before = run("stream(); print(sc.applicationId)")
    time.sleep(chance.uniform(1.5, 3) * IDLE)
    assert run("print(query.isActive, sc.applicationId)") == "True " + before
    assert run("query.stop(); print(query.exception())") == "None"


def rest(run: Callable[[str], str], chance: random.Random) -> None:
    """Nothing: it is stopped, and the next use starts another."""
    jvm, before = run("print(jvm(), sc.applicationId)").split()
    until(lambda: not os.path.exists("/proc/" + jvm), LIMIT)
    assert run("print(spark.range(3).count())") == "3"
    assert run("print(sc.applicationId)") != before


def cells(run: Callable[[str], str], chance: random.Random) -> None:
    """Cells, each before the time is over."""
    before = run("print(sc.applicationId)")
    for _ in range(3):
        time.sleep(chance.uniform(0.1, 0.5) * IDLE)
        assert run("print(spark.range(3).count())") == "3"
    assert run("print(sc.applicationId)") == before


@pytest.mark.skipif(not parts.LONG, reason="takes an hour: JHPATCH_LONG")
@pytest.mark.timeout(SECONDS + 1800)
def test_no_work_is_lost_in_an_hour(start: Callable[..., RunningKernel]) -> None:
    """Acts at random, from a seed."""
    chance = random.Random(SEED)
    counts: Dict[str, int] = {}
    notebook = start(parts.NEWEST, "3.13", "--lazy", "--idle-stop", str(IDLE / 60))

    def run(code: str) -> Any:
        return printed(notebook, code)

    run(HELPERS)
    assert run("print(spark.range(3).count())") == "3"
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        act = chance.choice([jobs, stream, rest, cells])
        act(run, chance)
        counts[act.__name__] = counts.get(act.__name__, 0) + 1
    print(counts)
