"""A host with a Spark and a Java, and PySpark kernels that ``kernelspec install`` writes there.

The kernel, ipykernel and IPython are real; Spark is a small one of the tests' own
(testing/spark_homes.py): the JVM is not what these tests are about.
"""

import json
import os
import shutil
import tempfile

import pytest

from testing.spark_homes import make_java, make_spark, write


@pytest.fixture
def host(tmp_path, monkeypatch):
    """A host with one Spark, one Java, and a home; what kernels are there is this test's own."""
    for name in ("SPARK_HOME", "JAVA_HOME", "HADOOP_CONF_DIR", "YARN_CONF_DIR", "JUPYTER_PATH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "home" / "jupyter"))
    monkeypatch.setenv("FAKE_SPARK_LOG", str(tmp_path / "log"))
    (tmp_path / "home").mkdir()
    make_spark(str(tmp_path / "spark"))
    make_java(str(tmp_path / "java"))
    return tmp_path


@pytest.fixture
def install(jhpatch, host):
    """``kernelspec install --user`` with that Spark and Java; further arguments as given."""

    def call(*arguments, **options):
        given = ["--spark-home", str(host / "spark"), "--java-home", str(host / "java"), "--user"]
        given += ["--master", options.get("master", "local[2]")]
        return jhpatch(None, "kernelspec", "install", *given + list(arguments))

    return call


@pytest.fixture
def as_user(monkeypatch):
    """The command takes us for a user: the kernel of these tests needs no ticket."""
    monkeypatch.setattr("jhpatch.commands.kernelspec.os.geteuid", lambda: 4242)


def directory_of(host, name="pyspark"):
    """Where the kernel lies."""
    return host / "home" / "jupyter" / "kernels" / name


def kernel_json(host, name="pyspark"):
    """What was written."""
    return json.loads((directory_of(host, name) / "kernel.json").read_text())


def started(host):
    """What the small Spark has noted."""
    path = host / "log"
    return path.read_text().splitlines() if path.exists() else []


_RECORDER = """
import sys, threading

class Recorder:
    imports = []

    def find_spec(self, name, path=None, target=None):
        self.imports.append((threading.current_thread().name, name))

sys.meta_path.insert(0, Recorder())
"""


def record_imports(ipython_dir):
    """Let kernels keep ``Recorder.imports``: the thread and the name of each import."""
    write(ipython_dir + "/profile_default/startup/recorder.py", _RECORDER)


class RunningKernel:
    """A kernel as a notebook has it."""

    def __init__(self, name, **options):
        from jupyter_client.manager import KernelManager

        # By sockets in a folder: a TCP port that was free may be another's when the kernel asks.
        self._folder = tempfile.mkdtemp()
        ip = os.path.join(self._folder, "kernel")
        self._manager = KernelManager(kernel_name=name, transport="ipc", ip=ip)
        # With this variable ipykernel does not read descriptors 1 and 2.
        own = {key: os.environ[key] for key in os.environ if key != "PYTEST_CURRENT_TEST"}
        self._manager.start_kernel(env=own, **options)
        self._client = self._manager.client()
        self._client.start_channels()
        self._client.wait_for_ready(timeout=300)  # seconds, that only a hang reaches

    def run(self, code, seconds=60, interrupt_after=None, streams=("stdout", "stderr")):
        """Return all that a cell shows; interrupt it once it has shown a text.

        ``streams``: those of its streams that count.
        """
        # After an error, ipykernel would answer the next cell with "aborted" for 0.1 s.
        message_id, text = self._client.execute(code, stop_on_error=False), ""
        while True:
            message = self._client.get_iopub_msg(timeout=seconds)
            content = message["content"]
            if message["parent_header"].get("msg_id") != message_id:
                continue
            if message["msg_type"] == "stream":
                if content["name"] not in streams:
                    continue
                text += content["text"]
            elif message["msg_type"] == "execute_result":
                text += content["data"]["text/plain"]
            elif message["msg_type"] == "display_data":
                text += content["data"].get("text/plain", "")
            elif message["msg_type"] == "error":
                text += "\n".join(content["traceback"])
            elif message["msg_type"] == "status" and content["execution_state"] == "idle":
                return text
            if interrupt_after is not None and interrupt_after in text:
                interrupt_after = None
                self._manager.interrupt_kernel()

    def complete(self, code):
        """Return what Tab offers behind ``code``."""
        message_id = self._client.complete(code, len(code))
        while True:
            reply = self._client.get_shell_msg(timeout=300)
            if reply["parent_header"].get("msg_id") == message_id:
                return reply["content"]["matches"]

    def shut_down(self):
        """Ask the kernel to end, and return."""
        self._client.shutdown()

    def stop(self):
        """End it as a server does."""
        self._client.stop_channels()
        self._manager.shutdown_kernel(now=True)
        shutil.rmtree(self._folder)
