"""The activity of a Spark context (jobs, streams, cached data), and the cancelling of its jobs.

Copied into a kernelspec's directory as ``jhpatch_spark_jobs.py``. The methods of the JVM that
are called here are the same from Spark 1.6 to 4.3, except for the status store, which is new in
2.3. ``private[spark]`` of Scala is public in the JVM.
"""

import threading
import time
from typing import Any, List, NamedTuple, Optional, Set, Tuple

_STREAM = "stream execution thread for"  # StreamExecution names its thread so, from Spark 2 on
_TRIES, _PAUSE = 50, 0.2  # the most queries of a cell's jobs, and seconds between two
_CONNECTIONS = ("ClientServerConnection", "GatewayConnection")
_QUIET = 5  # queries without a job, after which the interrupted command submits no more


class Activity(NamedTuple):
    """The activity of a context."""

    jobs: int
    """The number of jobs since its start."""
    works: bool
    """Whether a job runs, or a stream of any session."""
    cached: int
    """The number of cached RDDs and DataFrames."""


def activity_of(context: Any) -> Activity:
    """Return the activity, as the JVM reports it. Raises an error of py4j if the JVM has ended."""
    works = bool(context.statusTracker().getActiveJobsIds()) or _streams(context)
    return Activity(count(context), works, len(context._jsc.getPersistentRDDs()))


def count(context: Any) -> int:
    """Return the number of jobs since the context's start, including those that have ended."""
    return int(context._jsc.sc().dagScheduler().numTotalJobs())


def _streams(context: Any) -> bool:
    jvm = context._jvm
    if _STREAM in _threads(jvm):
        return True
    active = jvm.org.apache.spark.streaming.StreamingContext.getActive()
    return bool(active.isDefined())


def _threads(jvm: Any) -> str:
    """Return the names of the JVM's threads, which include the streams of all sessions."""
    return str(jvm.java.lang.Thread.getAllStackTraces().keySet().toString())


def cancel_since(context: Any, began: float, error: BaseException) -> None:
    """Cancel the jobs that were submitted since ``began`` (epoch), except those of streams.

    ``error`` is the interrupt. The JVM continues the interrupted command of py4j, and may submit
    its job only now.
    """

    def cancel() -> None:
        quiet, failures = (0 if connection else _QUIET), 0
        for _ in range(_TRIES):
            try:
                jobs, unknown = _of_cell(context, began)
                for job in jobs:
                    context._jsc.sc().cancelJob(job)
            except Exception:  # the JVM may have ended, and with it its jobs
                jobs, unknown, failures = [], True, failures + 1
            quiet = 0 if jobs or unknown else quiet + 1
            if quiet > _QUIET or failures > _QUIET:
                return
            time.sleep(_PAUSE)

    connection = interrupted_connection(error)
    # In a separate thread: py4j has a connection for each, and this thread's waits for the job.
    thread = threading.Thread(target=cancel, name="jhpatch-spark-cancel", daemon=True)
    thread.start()
    thread.join(2 * _TRIES * _PAUSE)
    if connection is not None:
        try:
            connection.close(True)  # else the next command would read the answer to this one
        except Exception:
            pass  # py4j itself closes it, from 0.10.9.3 on


def interrupt_of(error: Optional[BaseException]) -> Optional[KeyboardInterrupt]:
    """Return the interrupt that is a cell's error or the cause of it; None for none.

    Code that runs after an interrupt, such as ``__exit__`` of pyspark's call sites, may fail in
    turn.
    """
    seen: Set[int] = set()
    while error is not None and id(error) not in seen:
        if isinstance(error, KeyboardInterrupt):
            return error
        seen.add(id(error))
        error = error.__cause__ or error.__context__
    return None


def interrupted_connection(error: BaseException) -> Any:
    """Return py4j's connection whose command an error has interrupted; None for none."""
    found, traceback = None, error.__traceback__
    while traceback is not None:
        frame = traceback.tb_frame
        if str(frame.f_globals.get("__name__", "")).startswith("py4j."):
            owner = frame.f_locals.get("self")
            found = owner if type(owner).__name__ in _CONNECTIONS else found
        traceback = traceback.tb_next
    return found


def _of_cell(context: Any, began: float) -> Tuple[List[int], bool]:
    """Return the running jobs since ``began`` of no stream, and whether some jobs are unknown.

    The scheduler numbers a job when it is submitted. The status store, which has the job's time
    and group, receives it later. Spark before 2.3 has no such store: there, all active jobs count.
    """
    scala = context._jsc.sc()
    active = list(context.statusTracker().getActiveJobsIds())
    if not _has_store(scala):
        return active, False
    found, unknown, streams = [], False, _threads(context._jvm)
    for job in range(count(context) - 1, -1, -1):
        try:
            data = scala.statusStore().job(job)
            group, submitted = data.jobGroup(), data.submissionTime()
            if submitted.isDefined() and submitted.get().getTime() < 1000 * began:
                break  # and so are those before it
            is_streams = group.isDefined() and str(group.get()) in streams
            if not is_streams and str(data.status().toString()) == "RUNNING":
                found.append(job)
        except Exception:
            unknown = True
    return found, unknown


def _has_store(scala: Any) -> bool:
    try:
        scala.statusStore()
    except Exception:
        return False
    return True
