"""When an idle session is stopped: what counts as work, and what its owner is told before."""

import os
import types

import pytest

from jhpatch.deployed.spark_session import Session


class Spark(types.SimpleNamespace):
    """A context and its JVM, as far as a look at them goes."""

    def __init__(self):
        super().__init__(jobs=1, active=[], threads="", cached=[], stopped=False)
        self._jsc = self._jvm = self.org = self.java = self.lang = self.apache = self.spark = self
        self.streaming = self.StreamingContext = self.Thread = self

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return lambda: self

    def isDefined(self):
        return False

    def numTotalJobs(self):
        return self.jobs

    def getActiveJobsIds(self):
        return self.active

    def getPersistentRDDs(self):
        return self.cached

    def toString(self):
        return self.threads

    def stop(self):
        self.stopped = True


@pytest.fixture
def spark():
    return Spark()


@pytest.fixture
def session(spark):
    """A session of 100 s, with a clock that ``pass_time`` sets."""
    now, said = [0.0], []
    found = Session(os.environ, lambda text, passing: said.append(text), 100, lambda: now[0])
    found.objects = {"sc": spark, "spark": spark}
    found.said = said

    def pass_time(seconds):
        for _ in range(seconds // 10):
            now[0] += 10
            found.look()

    found.pass_time = pass_time
    found.pass_time(10)
    return found


def test_it_is_stopped_after_its_time_and_one_line_says_so(session, spark):
    """Not before."""
    session.pass_time(90)
    assert not spark.stopped
    session.pass_time(20)
    assert spark.stopped and session.objects == {} and len(session.said) == 1


def test_a_job_between_two_looks_counts(session, spark):
    """No look meets the job itself."""
    for _ in range(50):
        session.pass_time(90)
        spark.jobs += 1
    assert not spark.stopped


@pytest.mark.parametrize(
    "work",
    [
        {"active": [7]},
        {"threads": "[Thread[main,5,main], Thread[stream execution thread for m [id = 1]]"},
    ],
    ids=["a job", "a stream of any session"],
)
def test_what_runs_counts(session, spark, work):
    """However long; the time begins at its end."""
    vars(spark).update(work)
    session.pass_time(1000)
    assert not spark.stopped
    spark.active, spark.threads = [], ""
    session.pass_time(120)
    assert spark.stopped


def test_a_cell_counts_and_the_time_begins_at_its_end(session, spark):
    """However long the cell runs."""
    session.before_cell()
    session.pass_time(1000)
    session.after_cell()
    session.pass_time(90)
    assert not spark.stopped
    session.pass_time(20)
    assert spark.stopped


def failed(interrupted):
    """Return the error of a cell: what followed an interrupt has failed too."""
    try:
        try:
            raise KeyboardInterrupt if interrupted else ValueError("of the user's")
        finally:
            raise OSError("no connection")
    except OSError as error:
        return error


@pytest.mark.parametrize("error", [KeyboardInterrupt(), failed(True), failed(False), None])
def test_an_interrupt_cancels_the_jobs_also_where_another_error_followed_it(
    session, spark, monkeypatch, error
):
    """pyspark asks the JVM something more on the way out, which may fail."""
    cancelled = []
    monkeypatch.setattr(
        "jhpatch.deployed.spark_jobs.cancel_since", lambda *args: cancelled.append(args[2])
    )
    session.before_cell()
    session.after_cell(error)
    assert [type(one) for one in cancelled] == [KeyboardInterrupt] * (
        error is not None and not isinstance(error.__context__, ValueError)
    )


def test_the_owner_of_cached_data_is_told_once_before_it_is_lost(session, spark):
    """After three quarters of the time; a cell that runs keeps the session."""
    spark.cached = ["a DataFrame"]
    session.pass_time(90)
    assert not spark.stopped and len(session.said) == 1 and "1 cached" in session.said[0]
    session.before_cell()
    session.after_cell()
    session.pass_time(60)
    assert not spark.stopped and len(session.said) == 1
    session.pass_time(50)
    assert spark.stopped


def test_a_jvm_that_does_not_answer_is_not_stopped(session, spark):
    """It may be at work."""

    def fail():
        raise OSError

    spark.statusTracker = fail
    session.pass_time(1000)
    assert not spark.stopped


def test_a_job_that_begins_while_it_is_to_be_stopped_keeps_it(session, spark):
    """The last look is just before the stop."""
    session.pass_time(90)
    looks = []

    def active():
        looks.append(1)
        return [] if len(looks) == 1 else [8]

    spark.getActiveJobsIds = active
    session.pass_time(10)
    assert len(looks) == 2 and not spark.stopped
