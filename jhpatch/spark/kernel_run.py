"""Start a PySpark kernel as its user's server does, and run a first job in it."""

import importlib
import json
import os
import queue
import re
import tempfile
import time
from typing import Any, Callable, Dict, List, Mapping, Optional

from jhpatch.deployed import causes, first_job
from jhpatch.deployed.causes import Fault
from jhpatch.deployed.meanings import meaning
from jhpatch.namedtuple import NamedTuple

_MARK = first_job.CHECKED + " "  # before the result, in what the job prints
_OUTPUT_TAIL = 4000  # characters of the kernel's output that are kept for ``--verbose``
_OUTPUT = 200000  # characters of the output in which the cause is looked for
# jupyter_client finds free ports and releases them again: on a busy host another program may
# take one first. A server restarts such a kernel (KernelRestarter), and so does this module.
_PORT_TAKEN = "ZMQError: Address already in use"
_STARTS = 3
_POLL = 0.5  # seconds between two checks whether the process is running
_VAGUE = ("kernel-died", "spark-timeout", "spark-failed")
"""Codes that name no cause."""


class Outcome(NamedTuple):
    """A fault, or the job's figures (``count``, ``application``, ``seconds``)."""

    fault: Optional[Fault]
    figures: Mapping[str, Any]
    output: str
    """The end of the output of the kernel's process and of its Spark."""

    @property
    def is_vague(self) -> bool:
        """Whether the fault names no cause."""
        return self.fault is not None and self.fault.code in _VAGUE


def run_job(name: str, timeout: float, say: Callable[[str], None]) -> Outcome:
    """Start a kernel, run the job and shut the kernel down, within ``timeout`` seconds.

    ``say`` is called with each line of progress. The outcome contains a fault for everything that
    keeps the kernel from starting.
    """
    end = time.monotonic() + timeout
    for remaining in reversed(range(_STARTS)):
        outcome = _run_once(name, end, say)
        if not remaining or not outcome.is_vague or _PORT_TAKEN not in outcome.output:
            break
        say("another program took the kernel's port; starting the kernel again")
    return outcome


class _Run:
    """A started kernel: its client, and what it has printed."""

    def __init__(self, manager: Any, client: Any, end: float, say: Callable[[str], None]) -> None:
        self._manager = manager
        self._client = client
        self._end = end
        self._say = say
        self.streams: Dict[str, str] = {"stdout": "", "stderr": ""}

    def job(self) -> Dict[str, Any]:
        """Return the result that the job has printed. Raises Ended."""
        self._wait_until_ready()
        with open(_source(), encoding="utf-8") as file:
            text = file.read()
        code = "exec(compile(%s, 'first_job', 'exec'), {'__name__': '__main__'})" % ascii(text)
        message_id = self._client.execute(code, store_history=False)
        while True:
            message = self._message()
            if message["parent_header"].get("msg_id") != message_id:
                continue
            kind, content = message["msg_type"], message["content"]
            if kind == "error":
                words = "%s: %s\n" % (content["ename"], content["evalue"])
                raise Ended("spark-failed", words, words + "\n".join(content["traceback"]))
            if kind == "status" and content["execution_state"] == "idle":
                return self._result()

    def _wait_until_ready(self) -> None:
        """Wait for the reply to ``kernel_info`` like ``wait_for_ready``, but keep the output."""
        self._client.kernel_info()
        asked = time.monotonic()
        while True:
            try:
                reply = self._client.get_shell_msg(timeout=_POLL)
                if reply["msg_type"] == "kernel_info_reply":
                    return
            except queue.Empty:
                pass
            self._drain()
            self._require_life("the kernel's process ended before it answered")
            if time.monotonic() - asked > 10:  # a request before the kernel listens may be lost
                self._client.kernel_info()
                asked = time.monotonic()

    def _message(self) -> Any:
        while True:
            try:
                message = self._client.get_iopub_msg(timeout=_POLL)
            except queue.Empty:
                self._require_life("the kernel's process ended")
                continue
            self._note(message)
            if time.monotonic() > self._end:
                self._require_life("the kernel's process ended")
            return message

    def _require_life(self, words: str) -> None:
        if not self._manager.is_alive():
            self._drain()
            raise Ended("kernel-died", words)
        if time.monotonic() > self._end:
            raise Ended(
                "spark-timeout",
                "the kernel did not finish the job within the time limit (--timeout)",
            )

    def _drain(self) -> None:
        while True:
            try:
                self._note(self._client.get_iopub_msg(timeout=0.05))
            except queue.Empty:
                return

    def _note(self, message: Any) -> None:
        """Keep what a message prints, and pass each line on as progress."""
        content = message["content"]
        if message["msg_type"] == "error":  # in a start-up file
            self.streams["stderr"] += "\n".join(content["traceback"]) + "\n"
        if message["msg_type"] != "stream":
            return
        name = content.get("name", "stdout")
        self.streams[name] = (self.streams.get(name, "") + content["text"])[-_OUTPUT:]
        for line in content["text"].replace("\r", "\n").splitlines():
            if line.strip() and not line.startswith(_MARK):
                self._say(line.rstrip())

    def _result(self) -> Dict[str, Any]:
        _, mark, rest = self.streams["stdout"].rpartition(_MARK)
        try:
            result = json.JSONDecoder().raw_decode(rest)[0] if mark else None
        except ValueError:
            result = None
        if not isinstance(result, dict):
            raise Ended("spark-failed", "the kernel printed no result of the job")
        return result


class Ended(Exception):
    """The job has no result."""

    def __init__(self, code: str, message: str, text: str = "") -> None:
        super().__init__(message)
        self.fault = Fault(code, message)
        self.text = text


def _source() -> str:
    """Return the path of the job's text."""
    return re.sub(r"\.pyc$", ".py", os.path.abspath(first_job.__file__))


def _run_once(name: str, end: float, say: Callable[[str], None]) -> Outcome:
    manager = importlib.import_module("jupyter_client.manager").KernelManager(kernel_name=name)
    home = os.path.expanduser("~")
    with tempfile.TemporaryFile() as log:
        try:
            manager.start_kernel(stdout=log, stderr=log, cwd=home)
        except Exception as error:  # of the operating system, or of a kernel provisioner
            return Outcome(_not_started(manager, error, home), {}, str(error))
        client = manager.client()
        client.start_channels()
        run = _Run(manager, client, end, say)
        result: Dict[str, Any] = {}
        ended: Optional[Ended] = None
        try:
            result = run.job()
        except Ended as error:
            ended = error
        finally:
            client.stop_channels()
            manager.shutdown_kernel(now=True)
        size = log.seek(0, os.SEEK_END)
        log.seek(max(0, size - _OUTPUT))
        printed = log.read().decode("utf-8", "replace")
    fault = fault_of(result, ended, printed, run.streams)
    streams = run.streams["stdout"].partition(_MARK)[0] + run.streams["stderr"]
    return Outcome(fault, result, (printed + streams)[-_OUTPUT_TAIL:])


def _not_started(manager: Any, error: Exception, home: str) -> Fault:
    spec = getattr(manager, "kernel_spec", None)
    program = (getattr(spec, "argv", None) or [""])[0]
    fill = {"path": os.path.join(getattr(spec, "resource_dir", None) or "", "kernel.json")}
    if isinstance(error, FileNotFoundError) and error.filename == home:
        message = "%s does not start: there is no directory %s" % (program, home)
        return Fault("kernel-died", message, home, fill)
    # A script whose interpreter is missing exists.
    if isinstance(error, FileNotFoundError) and not os.path.exists(error.filename or program):
        message = "there is no program %s" % (error.filename or program)
        return Fault("kernel-program", message, program, fill)
    code = "kernel-program" if isinstance(error, OSError) else "kernel-died"
    return Fault(code, "%s does not start: %s" % (program, error), program, fill)


def fault_of(
    result: Mapping[str, Any],
    ended: Optional[Ended],
    printed: str,
    streams: Mapping[str, str],
) -> Optional[Fault]:
    """Return why the job failed, by its error or the output of the processes; None if it ran."""
    if ended is None and "count" in result and "error" not in result and "fault" not in result:
        return None
    own: Optional[Fault] = None
    if "fault" in result:
        try:
            own = causes.unpacked(result["fault"])
        except (KeyError, TypeError, ValueError):
            pass
    if own is not None and own.code not in _VAGUE:
        return own
    texts: List[str] = [str(result.get("error", "")), ended.text if ended else ""]
    texts += [printed, streams.get("stderr", ""), streams.get("stdout", "").partition(_MARK)[0]]
    for text in texts:  # the nearest to the failure first
        found = meaning(text)
        if found.code != "spark-failed":
            return found
    found = meaning("\n".join(texts))
    if own is not None:
        return own
    if ended is not None and ended.fault.code in ("kernel-died", "spark-timeout"):
        words = "%s: %s" % (ended.fault.message, found.message)
        return ended.fault._replace(message=words if any(map(str.strip, texts)) else str(ended))
    return found
