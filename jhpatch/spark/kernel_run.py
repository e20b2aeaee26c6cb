"""Start a PySpark kernel as its user's server does, and run a first job in it."""

import importlib
import json
import os
import queue
import tempfile
import time
from typing import Any, Callable, Mapping, Optional, Tuple

from jhpatch.deployed import reasons
from jhpatch.deployed.pyspark import CHECKED
from jhpatch.deployed.reasons import Fault
from jhpatch.namedtuple import NamedTuple

_MARK = CHECKED + " "  # before the result, in what the job prints
_JOB = "import jhpatch_pyspark; jhpatch_pyspark.check()"
# A kernel that jhpatch did not write has ``spark`` or ``sc`` of Spark's own shell.py.
_JOB_ELSEWHERE = (
    "print('%s' + str({'count': spark.range(1000).count()}).replace(chr(39), chr(34)))" % _MARK
)
_OUTPUT_TAIL = 2000  # characters of the kernel's output that are kept
# jupyter_client finds free ports and releases them again: on a busy host another program may
# take one first. A server restarts such a kernel (KernelRestarter), and so does this module.
_PORT_TAKEN = "ZMQError: Address already in use"
_STARTS = 3


class Outcome(NamedTuple):
    """A fault, or the job's figures (``count``, ``application``, ``seconds``)."""

    fault: Optional[Fault]
    figures: Mapping[str, Any]
    output: str
    """The end of the output of the kernel's process and of its Spark."""


def run_job(name: str, ours: bool, timeout: float, say: Callable[[str], None]) -> Outcome:
    """Start a kernel, run the job and shut the kernel down, within ``timeout`` seconds.

    ``ours`` is whether jhpatch wrote the kernel; ``say`` is called with each line of progress.
    """
    end = time.monotonic() + timeout
    for remaining in reversed(range(_STARTS)):
        outcome = _run_once(name, ours, end, say)
        died = outcome.fault is not None and outcome.fault.code == "kernel-died"
        if not remaining or not died or _PORT_TAKEN not in outcome.output:
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
            fault, figures, text = _execute(manager, client, ours, end, say)
        finally:
            client.stop_channels()
            manager.shutdown_kernel(now=True)
        size = log.seek(0, os.SEEK_END)
        log.seek(max(0, size - _OUTPUT_TAIL))
        output = log.read().decode("utf-8", "replace") + text[-_OUTPUT_TAIL:]
    if fault and fault.code in ("kernel-died", "spark-timeout"):
        cause = reasons.meaning(output)
        if cause.code != "spark-failed":
            fault = cause
    return Outcome(fault, figures, output)


def _execute(
    manager: Any, client: Any, ours: bool, end: float, say: Callable[[str], None]
) -> Tuple[Optional[Fault], Mapping[str, Any], str]:
    """Return the fault, the figures, and what the job printed."""
    try:
        client.wait_for_ready(timeout=max(end - time.monotonic(), 0.1))
    except RuntimeError as error:
        if manager.is_alive():
            return Fault("spark-timeout", str(error)), {}, ""
        return Fault("kernel-died", "the kernel's process ended before it answered"), {}, ""
    message_id = client.execute(_JOB if ours else _JOB_ELSEWHERE, store_history=False)
    text = ""
    while True:
        seconds = end - time.monotonic()
        if seconds <= 0:
            return Fault("spark-timeout", "no answer within the time (--timeout)"), {}, text
        try:
            message = client.get_iopub_msg(timeout=min(seconds, 1.0))
        except queue.Empty:
            if not manager.is_alive():
                return Fault("kernel-died", "the kernel's process ended"), {}, text
            continue
        if message["parent_header"].get("msg_id") != message_id:
            continue
        kind, content = message["msg_type"], message["content"]
        if kind == "stream":
            text += content["text"]
            for line in content["text"].replace("\r", "\n").splitlines():
                if line.strip() and not line.startswith(_MARK):
                    say(line.rstrip())
        elif kind == "error":
            error_text = "\n".join(content["traceback"])
            error_text = "%s: %s\n%s" % (content["ename"], content["evalue"], error_text)
            return reasons.meaning(error_text), {}, text
        elif kind == "status" and content["execution_state"] == "idle":
            return _parse_result(text) + (text,)


def _parse_result(text: str) -> Tuple[Optional[Fault], Mapping[str, Any]]:
    """Parse the line that the job printed."""
    for line in text.splitlines():
        if line.startswith(_MARK):
            try:
                figures = json.loads(line[len(_MARK) :])
                fault = reasons.unpacked(figures["fault"]) if "fault" in figures else None
            except (ValueError, KeyError, TypeError):
                break
            return fault, figures
    return reasons.meaning(text), {}
