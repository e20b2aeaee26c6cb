"""PySpark kernels on a host of the tests' own: written by jhpatch, started by jupyter_client.

The kernel, ipykernel and IPython are real; Spark is a small one of the tests' own
(``testing.spark_homes``), as its JVM is not what is tested here.
"""

import json
import os
import shutil
import tempfile
from typing import Any, Callable, Dict, Iterator, List

import pytest

from testing.commands import Answer
from testing.spark_homes import make_java, make_spark


@pytest.fixture
def host(tmp_path: Any, monkeypatch: Any) -> Any:
    """A host with one Spark, one Java and a home, whose kernels are this test's own."""
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
def install(jhpatch: Callable[..., Answer], host: Any) -> Callable[..., Answer]:
    """Run ``kernelspec install --user`` with that Spark and Java, and further arguments."""

    def call(*arguments: str, master: str = "local[2]") -> Answer:
        given = ["--spark-home", str(host / "spark"), "--java-home", str(host / "java"), "--user"]
        given += ["--master", master]
        return jhpatch(None, "kernelspec", "install", *given + list(arguments))

    return call


def directory_of(host: Any, name: str = "pyspark") -> Any:
    """The directory of a kernel."""
    return host / "home" / "jupyter" / "kernels" / name


def kernel_json(host: Any, name: str = "pyspark") -> Dict[str, Any]:
    """The document of a kernel."""
    return json.loads((directory_of(host, name) / "kernel.json").read_text())


def spark_log(host: Any) -> List[str]:
    """What the small Spark has written down."""
    path = host / "log"
    return path.read_text().splitlines() if path.exists() else []


class Kernel:
    """A running kernel, as a notebook has it."""

    def __init__(self, name: str) -> None:
        from jupyter_client.manager import KernelManager

        # By sockets in a directory: a free TCP port may be another's when the kernel asks for it.
        self._directory = tempfile.mkdtemp()
        ip = os.path.join(self._directory, "kernel")
        self._manager = KernelManager(kernel_name=name, transport="ipc", ip=ip)
        self._manager.start_kernel()
        self._client = self._manager.client()
        self._client.start_channels()
        self._client.wait_for_ready(timeout=60)

    def run(self, code: str) -> str:
        """Return everything that a cell shows."""
        message_id, text = self._client.execute(code), ""
        while True:
            message = self._client.get_iopub_msg(timeout=60)
            content = message["content"]
            if message["parent_header"].get("msg_id") != message_id:
                continue
            if message["msg_type"] == "stream":
                text += content["text"]
            elif message["msg_type"] == "execute_result":
                text += content["data"]["text/plain"]
            elif message["msg_type"] == "display_data":
                text += content["data"].get("text/plain", "")
            elif message["msg_type"] == "error":
                text += "\n".join(content["traceback"])
            elif message["msg_type"] == "status" and content["execution_state"] == "idle":
                return text

    def complete(self, code: str) -> List[str]:
        """Return what Tab offers after ``code``."""
        message_id = self._client.complete(code, len(code))
        while True:
            reply = self._client.get_shell_msg(timeout=60)
            if reply["parent_header"].get("msg_id") == message_id:
                return reply["content"]["matches"]

    def stop(self) -> None:
        """Stop it as a server does."""
        self._client.stop_channels()
        self._manager.shutdown_kernel(now=True)
        shutil.rmtree(self._directory)


@pytest.fixture
def kernel(install: Callable[..., Answer]) -> Iterator[Callable[..., Kernel]]:
    """``kernel("--lazy")`` is installed with these options, and started."""
    running: List[Kernel] = []

    def start(*options: str, between: Callable[[], object] = lambda: None) -> Kernel:
        assert install(*options).code == 0
        between()
        running.append(Kernel("pyspark"))
        return running[-1]

    yield start
    for started in running:
        started.stop()
