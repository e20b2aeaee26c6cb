"""Starts a PySpark kernel as its user would get it, and has it run a first job."""

import importlib
import json
import os
import tempfile
import time
from typing import Any, Callable, Mapping, Optional, Tuple

from jhpatch.deployed import reasons
from jhpatch.deployed.pyspark import CHECKED
from jhpatch.deployed.reasons import Fault
from jhpatch.namedtuple import NamedTuple

_MODULE = "jhpatch_pyspark"
_OWN = "import %s; %s.check()" % (_MODULE, _MODULE)
_MARK = CHECKED + " "  # what that prints first
# A kernel that jhpatch did not write has ``spark`` or ``sc`` of Spark's own shell.py.
_OTHER = (
    "print('%s' + str({'count': spark.range(1000).count()}).replace(chr(39), chr(34)))" % _MARK
)
_TAIL = 2000  # characters of the kernel's own output
# jupyter_client finds free ports and lets go of them again: on a busy host another program is
# sometimes quicker. A server starts such a kernel again (KernelRestarter), and so do we.
_TAKEN = "ZMQError: Address already in use"
_TRIES = 3


class Outcome(NamedTuple):
    """What came of it: a fault, or the job's figures (``count``, ``application``, ``seconds``)."""

    fault: Optional[Fault]
    figures: Mapping[str, Any]
    said: str
    """The end of what the kernel's process and its Spark have said."""


def run(name: str, ours: bool, timeout: float, say: Callable[[str], None]) -> Outcome:
    """Starts the kernel of that name, runs the job, and ends it, within ``timeout`` seconds.

    ``say`` is called with each line of progress.
    """
    end = time.monotonic() + timeout
    for left in reversed(range(_TRIES)):
        outcome = _run_once(name, ours, end, say)
        died = outcome.fault is not None and outcome.fault.code == "kernel-died"
        if not left or not died or _TAKEN not in outcome.said:
            break
        say("another program took the kernel's port: starting it again")
    return outcome


def _run_once(name: str, ours: bool, end: float, say: Callable[[str], None]) -> Outcome:
    manager = importlib.import_module("jupyter_client.manager").KernelManager(kernel_name=name)
    with tempfile.TemporaryFile() as log:
        manager.start_kernel(stdout=log, stderr=log, cwd=os.path.expanduser("~"))
        client = manager.client()
        client.start_channels()
        try:
            fault, figures, text = _conversation(manager, client, ours, end, say)
        finally:
            client.stop_channels()
            manager.shutdown_kernel(now=True)
        size = log.seek(0, os.SEEK_END)
        log.seek(max(0, size - _TAIL))
        said = log.read().decode("utf-8", "replace") + text[-_TAIL:]
    if fault and fault.code in ("kernel-died", "spark-timeout"):
        known = reasons.meaning(said)
        if known.code != "spark-failed":
            fault = known
    return Outcome(fault, figures, said)


def _conversation(
    manager: Any, client: Any, ours: bool, end: float, say: Callable[[str], None]
) -> Tuple[Optional[Fault], Mapping[str, Any], str]:
    try:
        client.wait_for_ready(timeout=max(end - time.monotonic(), 0.1))
    except RuntimeError as error:
        died = not manager.is_alive()
        words = "the kernel's process ended before it answered" if died else str(error)
        return Fault("kernel-died" if died else "spark-timeout", words), {}, ""
    message_id = client.execute(_OWN if ours else _OTHER, store_history=False)
    text = ""
    while True:
        left = end - time.monotonic()
        if left <= 0:
            return Fault("spark-timeout", "no answer within the time (--timeout)"), {}, text
        message = _message(client, min(left, 1.0))
        if message is None:
            if not manager.is_alive():
                return Fault("kernel-died", "the kernel's process ended"), {}, text
            continue
        if message["parent_header"].get("msg_id") != message_id:
            continue
        content = message["content"]
        if message["msg_type"] == "stream":
            text += content["text"]
            for line in content["text"].replace("\r", "\n").splitlines():
                if line.strip() and not line.startswith(_MARK):
                    say(line.rstrip())
        elif message["msg_type"] == "error":
            trace = "\n".join(content["traceback"])
            return (
                reasons.meaning("%s: %s\n%s" % (content["ename"], content["evalue"], trace)),
                {},
                text,
            )
        elif message["msg_type"] == "status" and content["execution_state"] == "idle":
            return _judged(text) + (text,)


def _message(client: Any, seconds: float) -> Optional[Mapping[str, Any]]:
    """The next message of the kernel; None where none comes in time."""
    import queue

    try:
        found: Mapping[str, Any] = client.get_iopub_msg(timeout=seconds)
    except queue.Empty:
        return None
    return found


def _judged(text: str) -> Tuple[Optional[Fault], Mapping[str, Any]]:
    """The line that the job has printed."""
    for line in text.splitlines():
        if line.startswith(_MARK):
            try:
                figures = json.loads(line[len(_MARK) :])
                fault = reasons.unpacked(figures["fault"]) if "fault" in figures else None
            except (ValueError, KeyError, TypeError):
                break
            return fault, figures
    return reasons.meaning(text), {}
