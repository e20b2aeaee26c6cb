"""Two users at work on the cluster for minutes, with nobody at their notebooks."""

import concurrent.futures
import json
import os
import time
from typing import Any, Dict

from integration.e2e.client import Browser, Kernel
from integration.e2e.hub import CLASSIC, Hub
from integration.e2e.stacks import Stack
from integration.e2e.world import PASSWORDS
from integration.hadoop.kernels import Kernels

# Four lives of a ticket and more than two of a token; twenty and twelve.
SECONDS = 1800 if os.environ.get("JHPATCH_LONG") else 360
START = 300  # seconds that a session may take to start beside others, on two processors

# What a session says of itself; `files` stays for the cells that come after it.
WORK = """\
import json
hadoop = spark._jvm.org.apache.hadoop
files = hadoop.fs.FileSystem.get(spark._jsc.hadoopConfiguration())
spark.range(1000).write.mode("overwrite").parquet("%(folder)s")
status = files.getFileStatus(hadoop.fs.Path("%(folder)s"))
print(json.dumps({
    "read": spark.read.parquet("%(folder)s").count(),
    "path": status.getPath().toString(),
    "owner": status.getOwner(),
    "user": sc.sparkUser(),
    "application": sc.applicationId,
    "master": sc.master,
}))
"""

# What still works in it: "" or the error's text, by what was tried.
ROUND = """\
import json
def result(function):
    try:
        function()
    except Exception as error:
        return str(error)
    return ""
def another():
    one = hadoop.fs.FileSystem.newInstance(spark._jsc.hadoopConfiguration())
    one.listStatus(one.getHomeDirectory())
    one.close()
print(json.dumps({
    "files": result(lambda: files.listStatus(files.getHomeDirectory())),
    "new files": result(another),
    "read": result(lambda: spark.read.parquet("%(folder)s").count()),
    "write": result(lambda: spark.range(9).write.mode("overwrite").parquet("%(folder)s-late")),
}))
"""


def answer(kernel: Kernel, code: str, timeout: float = START) -> Dict[str, Any]:
    """The document that a cell prints."""
    text = kernel.run(code, timeout)
    lines = [line for line in text.splitlines() if line.startswith("{")]
    assert lines, text
    return dict(json.loads(lines[-1]))


class Scene:
    """A hub, a notebook each of alice and bob, and one of alice's without our setting."""

    def __init__(self, stack: Stack, folder: str, kernels: Kernels) -> None:
        os.makedirs(folder)
        self.hub = Hub(stack, folder, CLASSIC)
        self.cluster = kernels.cluster
        self.browsers: Dict[str, Browser] = {}
        self.kernels: Dict[str, Kernel] = {}
        self.first: Dict[str, Dict[str, Any]] = {}
        """What each session said of itself when it had started."""
        self.last: Dict[str, Dict[str, Any]] = {}
        self.began = 0.0
        self._install = kernels.install

    def start(self) -> None:
        """Returns when all sessions have worked once; from then on the clock runs."""
        self._install("as-upstream", "--conf", "spark.kerberos.renewal.credentials=keytab")
        self.hub.start()
        for name in PASSWORDS:
            self.browsers[name] = browser = Browser(self.hub, name)
            browser.login(PASSWORDS[name])
            browser.spawn()
            browser.save("night.ipynb")
            browser.open("night.ipynb")
            self.kernels[name] = browser.start_kernel("pyspark")
        self.first = self._all(WORK)
        # Not beside the others: a slow start would outlive its token.
        upstream = self.kernels["as-upstream"] = self.browsers["alice"].start_kernel("as-upstream")
        self.first["as-upstream"] = answer(upstream, WORK % {"folder": "of-as-upstream"})
        self.began = time.monotonic()

    def _all(self, code: str) -> Dict[str, Dict[str, Any]]:
        with concurrent.futures.ThreadPoolExecutor(len(self.kernels)) as pool:
            found = {
                name: pool.submit(answer, kernel, code % {"folder": "of-" + name})
                for name, kernel in self.kernels.items()
            }
            return {name: one.result() for name, one in found.items()}

    def over(self) -> None:
        """Waits for the end, when each session works once more."""
        time.sleep(max(0.0, self.began + SECONDS - time.monotonic()))
        if not self.last:
            self.last = self._all(ROUND)

    def stop(self) -> None:
        """Ends all of it."""
        self.hub.stop()
