"""PySpark's kernels in the world: installed by root, checked by a user, and broken."""

import json
import os
import pwd
import shutil
import subprocess
import zipfile
from typing import Any, Dict, List, NamedTuple, Tuple

from integration.e2e import world
from integration.e2e.patched_stack import jhpatch
from integration.e2e.stacks import Stack
from integration.hadoop import parts
from integration.hadoop.cluster import Cluster
from integration.hadoop.parts import SPARK, Spark

OTHER_PYTHON = "3.10"
"""A minor version that no stack's kernel here has."""


class Verdict(NamedTuple):
    """What ``kernelspec check`` says to a user."""

    exit_code: int
    findings: List[Dict[str, Any]]

    @property
    def codes(self) -> List[str]:
        """The findings' codes that are no mere notes."""
        return [one["code"] for one in self.findings if one["severity"] != "note"]


class Kernels:
    """Installs kernels for a cluster with the stack's jhpatch."""

    def __init__(self, stack: Stack, folder: str, cluster: Cluster) -> None:
        self.stack = stack
        self.cluster = cluster
        self._python = os.path.join(stack.venv, "bin", "python")
        self._folder = folder

    def install(self, name: str, *arguments: str, **options: str) -> None:
        """A kernel of that name; options are the command's, with underscores."""
        given = dict(
            spark_home=SPARK.home,
            python=SPARK.python,
            worker_python=SPARK.python,
            java_home=parts.java_home(),
            hadoop_conf_dir=self.cluster.conf,
        )
        given.update(options)
        argv = ["kernelspec", "install", "--name", name]
        for option, value in given.items():
            argv += ["--" + option.replace("_", "-"), value]
        environment = dict(self.cluster.environment(), SPARK_CONF_DIR=given["hadoop_conf_dir"])
        for pair in environment.items():
            argv += ["--env", "%s=%s" % pair]
        jhpatch(self.stack, *(argv + list(arguments)))

    def listing(self) -> str:
        """The JSON document of ``kernelspec list``."""
        return jhpatch(self.stack, "kernelspec", "list", "--json")

    def remove(self, name: str) -> None:
        """Takes a kernel away."""
        jhpatch(self.stack, "kernelspec", "remove", name)

    def check(
        self,
        name: str,
        user: str,
        timeout: int,
        environment: Dict[str, str],
        within: Tuple[str, ...] = (),
    ) -> Verdict:
        """What a user is told of a kernel within so many seconds after a login.

        ``within``: what root runs it by.
        """
        argv = [self._python, "-m", "jhpatch", "kernelspec", "check", name]
        argv += ["--json", "--timeout", str(timeout)]
        done = subprocess.run(
            list(within) + world.as_user(user, *argv),
            cwd="/",
            env=dict(session_of(user), **environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        text = done.stdout.decode()
        assert done.returncode in (0, 3), text + done.stderr.decode()
        return Verdict(done.returncode, json.loads(text)["findings"])


def session_of(user: str) -> Dict[str, str]:
    """The environment of a user's shell."""
    return {
        "HOME": pwd.getpwnam(user).pw_dir,
        "USER": user,
        "LOGNAME": user,
        "PATH": "/usr/bin:/bin",
        "LANG": "C.UTF-8",
    }


def unpacked(spark: Spark, folder: str) -> str:
    """A SPARK_HOME with the layout of Spark's tar archive, which a test may break."""
    os.makedirs(folder + "/python/lib")
    for name in os.listdir(spark.home):
        if name in ("bin", "jars", "sbin", "RELEASE"):
            os.symlink(os.path.join(spark.home, name), os.path.join(folder, name))
    for path in os.listdir(spark.home + "/python/lib"):
        shutil.copy(os.path.join(spark.home, "python/lib", path), folder + "/python/lib")
    with zipfile.ZipFile(folder + "/python/lib/pyspark.zip") as archive:
        archive.extractall(folder + "/python")
    return folder
