"""How the jobs of an interrupted cell are cancelled."""

import socket
import types

import pytest

from jhpatch.deployed import spark_jobs


class Context:
    """A context with one job, of which the JVM's store hears only at the third look."""

    def __init__(self, jobs=1, running="RUNNING"):
        self.looks, self.cancelled, self._jobs, self._running = 0, [], jobs, running
        self._jsc = self._jvm = self.java = self.lang = self.Thread = self

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return lambda *args: self

    def numTotalJobs(self):
        return self._jobs

    def getActiveJobsIds(self):
        return []

    def job(self, number):
        self.looks += 1
        if self.looks < 3:
            raise KeyError(number)
        return self

    def toString(self):
        return "SUCCEEDED" if self.cancelled else self._running

    def isDefined(self):
        return False

    def cancelJob(self, job):
        self.cancelled.append(job)


class ClientServerConnection(types.SimpleNamespace):
    """A connection by the name that counts."""


CALL = "def call(self):\n    raise KeyboardInterrupt\n"


@pytest.fixture
def connection():
    """A connection of py4j's, whose command was interrupted; ``error`` is the interrupt."""
    ours, jvm = socket.socketpair()
    found = ClientServerConnection(socket=ours, closed=False)

    def close(reset):
        found.closed = reset

    found.close = close
    names = {"__name__": "py4j.java_gateway"}
    exec(CALL, names)
    try:
        names["call"](found)
    except KeyboardInterrupt as error:
        found.error = error
    yield found
    ours.close()
    jvm.close()


def test_a_job_of_which_the_store_hears_late_is_cancelled_too(connection):
    """The scheduler has counted it; the interrupted connection is used no more."""
    context = Context()
    spark_jobs.cancel_since(context, 0, connection.error)
    assert context.cancelled == [0] and connection.closed


def test_a_job_that_has_ended_is_left_alone():
    """One look is enough where no command was interrupted."""
    context = Context(running="SUCCEEDED")
    context.looks = 2
    spark_jobs.cancel_since(context, 0, KeyboardInterrupt())
    assert context.cancelled == [] and context.looks == 3


def test_the_connection_is_found_in_the_traceback(connection):
    """Of the frame that had the socket."""
    assert spark_jobs.interrupted_connection(connection.error) is connection
    assert spark_jobs.interrupted_connection(KeyboardInterrupt()) is None
