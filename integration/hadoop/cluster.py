"""A Kerberized HDFS and YARN on loopback: four true daemons, with Hadoop's default ports.

It takes a private world (integration/e2e/world.py), whose krb5.conf is that of its KDC.
"""

import os
import subprocess
import time
from typing import Any, Dict, Iterable, List, NamedTuple, Optional, Type

import requests

from integration.e2e import world
from integration.hadoop import configuration
from integration.hadoop.configuration import Plan
from integration.hadoop.parts import Spark, jars

USER = "hadoop"
_SERVICES = ("hdfs", "yarn", "HTTP")


class Daemon(NamedTuple):
    """One of the four; ``log`` names the log that has ``ready`` in it when it is up."""

    name: str
    heap: str
    main: str
    log: str
    ready: str


_DAEMONS = (
    Daemon(
        "namenode",
        "192m",
        "org.apache.hadoop.hdfs.server.namenode.NameNode",
        "namenode",
        "NameNode RPC up at",
    ),
    Daemon(
        "datanode",
        "160m",
        "org.apache.hadoop.hdfs.server.datanode.DataNode",
        "namenode",
        "BLOCK* registerDatanode",
    ),
    Daemon(
        "resourcemanager",
        "256m",
        "org.apache.hadoop.yarn.server.resourcemanager.ResourceManager",
        "resourcemanager",
        "Transitioned to active state",
    ),
    Daemon(
        "nodemanager",
        "192m",
        "org.apache.hadoop.yarn.server.nodemanager.NodeManager",
        "resourcemanager",
        "Node Transitioned from NEW to RUNNING",
    ),
)
_OPENED = ("lang", "io", "net", "util")  # to reflection, which JDK 17 denies otherwise

# A JRE compiles no Java, so the folders are made through Spark's py4j.
_FOLDERS = """\
import sys
from py4j.java_gateway import JavaGateway
classpath, java, keytab = sys.argv[1:4]
gateway = JavaGateway.launch_gateway(
    classpath=classpath, java_path=java, javaopts=["-Xmx128m", "-XX:TieredStopAtLevel=1"],
    die_on_exit=True,
)
hadoop = gateway.jvm.org.apache.hadoop
conf = hadoop.hdfs.HdfsConfiguration()
hadoop.security.UserGroupInformation.setConfiguration(conf)
hadoop.security.UserGroupInformation.loginUserFromKeytab("hdfs/localhost", keytab)
files = hadoop.fs.FileSystem.get(conf)
def make(path, mode, owner):
    path = hadoop.fs.Path(path)
    files.mkdirs(path)
    files.setPermission(path, hadoop.fs.permission.FsPermission(mode))
    files.setOwner(path, owner, owner)
make("/tmp", "1777", "hdfs")
for name in sys.argv[4:]:
    make("/user/" + name, "0700", name)
gateway.shutdown()
"""


class Cluster:
    """HDFS and YARN with their state in one folder; ``with`` starts and stops them.

    ``token_renewal`` and ``token_life`` are those of HDFS's delegation tokens, in seconds.
    """

    def __init__(
        self,
        folder: str,
        kdc: Any,
        spark: Spark,
        java_home: str,
        users: Iterable[str],
        token_renewal: int = 24 * 3600,
        token_life: int = 7 * 24 * 3600,
    ) -> None:
        self.folder = folder
        self.conf = os.path.join(folder, "conf")
        self.keytab = os.path.join(folder, "hadoop.keytab")
        self._kdc = kdc
        self._spark = spark
        self._java_home = java_home
        self._users = list(users)
        self._token = token_renewal, token_life
        self._processes: Dict[str, subprocess.Popen] = {}

    def start(self) -> None:
        """Returns when an application can be submitted and each user has a home."""
        subprocess.run(["useradd", "--system", "--no-create-home", USER], check=True)
        for name in ("logs", "data/tmp", "conf/webapps"):
            os.makedirs(os.path.join(self.folder, name))
        for name in _SERVICES:
            self._kdc.add_principal(name + "/localhost", keytab=self.keytab)
        self.configure(self.conf, {})
        subprocess.run(["chown", "-R", USER + ":", self.folder], check=True)
        os.chmod(self.keytab, 0o600)
        self._run("format", _DAEMONS[0].main, "-format", "-nonInteractive")
        for daemon in _DAEMONS:
            self._launch(daemon)
        for daemon in _DAEMONS:
            self._await(daemon)
        self._make_folders()

    def configure(self, folder: str, changes: Dict[str, str]) -> None:
        """Writes what HADOOP_CONF_DIR and SPARK_CONF_DIR name; ``changes`` are yarn-site's."""
        # hadoop-hdfs's jar has no webapps folder, and the daemons want one.
        for name in ("hdfs", "datanode", "static"):
            os.makedirs(os.path.join(folder, "webapps", name), exist_ok=True)
        plan = Plan(self.folder, self.keytab, self._kdc.realm, self._spark.home, *self._token)
        for name, text in configuration.files(plan, changes).items():
            with open(os.path.join(folder, name), "w") as file:
                file.write(text)

    def environment(self) -> Dict[str, str]:
        """What a driver needs beside the configuration, where the host's name is not its own."""
        return dict(configuration.LOCAL, SPARK_CONF_DIR=self.conf)

    def _argv(self, heap: str, main: str) -> List[str]:
        opened = ["--add-opens=java.base/java.%s=ALL-UNNAMED" % name for name in _OPENED]
        quick = ["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Djava.net.preferIPv4Stack=true"]
        java = [os.path.join(self._java_home, "bin", "java"), "-Xmx" + heap] + quick + opened
        return world.as_user(USER, *java, "-cp", "%s:%s/*" % (self.conf, jars()), main)

    def _environment(self) -> Dict[str, str]:
        return {
            "PATH": "/usr/bin:/bin",
            "HOME": self.folder + "/data",
            "USER": USER,
            "JAVA_HOME": self._java_home,
            "HADOOP_CONF_DIR": self.conf,
        }

    def _run(self, name: str, main: str, *arguments: str) -> None:
        argv = self._argv("128m", main) + list(arguments)
        with open(self._log(name), "wb") as log:
            done = subprocess.run(
                argv, cwd=self.folder, env=self._environment(), stdout=log, stderr=log
            )
        assert done.returncode == 0, self.complaints(name)

    def _launch(self, daemon: Daemon) -> None:
        with open(self._log(daemon.name), "wb") as log:
            self._processes[daemon.name] = subprocess.Popen(
                self._argv(daemon.heap, daemon.main),
                cwd=self.folder,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _await(self, daemon: Daemon) -> None:
        deadline = time.monotonic() + 180
        while daemon.ready not in self.log(daemon.log):
            for name, process in self._processes.items():
                assert process.poll() is None, "%s died:\n%s" % (name, self.complaints(name))
            assert time.monotonic() < deadline, self.complaints(daemon.name)
            time.sleep(0.2)

    def _make_folders(self) -> None:
        classpath = "%s:%s/*" % (self.conf, jars())
        java = os.path.join(self._java_home, "bin", "java")
        argv = [self._spark.python, "-c", _FOLDERS, classpath, java, self.keytab] + self._users
        done = subprocess.run(
            world.as_user(USER, *argv),
            cwd="/",
            env=self._environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        assert done.returncode == 0, done.stdout.decode()

    def stop(self) -> None:
        """Ends all four."""
        for process in self._processes.values():
            process.kill()
            process.wait()
        self._processes = {}

    def __enter__(self) -> "Cluster":
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, kind: Optional[Type[BaseException]], error: object, trace: object) -> None:
        self.stop()

    def pids(self) -> Dict[str, int]:
        """The process of each daemon."""
        return {name: process.pid for name, process in self._processes.items()}

    def applications(self) -> List["Application"]:
        """All that were ever submitted, as the ResourceManager tells of them, in order."""
        url = "http://localhost:8088/ws/v1/cluster/apps?user.name=yarn"
        answer = requests.get(url, headers={"Accept": "application/json"}, timeout=300)
        assert answer.status_code == 200, answer.text[-400:]
        rows = (answer.json()["apps"] or {}).get("app", [])
        rows.sort(key=lambda row: row["id"])
        return [Application(row["id"], row["user"], row["state"], row["name"]) for row in rows]

    def running(self) -> List["Application"]:
        """Those that have not ended."""
        ended = ("FINISHED", "FAILED", "KILLED")
        return [one for one in self.applications() if one.state not in ended]

    def _log(self, name: str) -> str:
        return os.path.join(self.folder, "logs", name + ".log")

    def log(self, name: str) -> str:
        """A daemon's log."""
        with open(self._log(name), errors="replace") as file:
            return file.read()

    def complaints(self, name: str) -> str:
        """What a person looks for in it."""
        marks = ("ERROR", "Exception", "Caused", "Error")
        lines = [line for line in self.log(name).splitlines() if any(m in line for m in marks)]
        return "\n".join(lines[:20])


class Application(NamedTuple):
    """An application of YARN."""

    id: str
    user: str
    state: str
    name: str
