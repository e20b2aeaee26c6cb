"""What the Hadoop tests download, each part once: the daemons' jars by Maven, Spark by pip.

The parts lie beside the stacks (integration/e2e/stacks.py), and a marker says the same of them.
"""

import fcntl
import glob
import hashlib
import os
import re
import shutil
from typing import Callable, Dict, List, NamedTuple, Tuple

from integration.e2e import stacks
from integration.e2e.stacks import STACKS, Stack
from testing import pythons

HADOOP = "3.4.1"
FIT = (17, 21)  # Spark 4 needs 17; Hadoop 3.4.1 cannot log in on 24 and later
_MODULES = (
    "hadoop-common",
    "hadoop-hdfs",
    "hadoop-hdfs-client",
    "hadoop-yarn-server-resourcemanager",
    "hadoop-yarn-server-nodemanager",
    "hadoop-yarn-server-timelineservice",  # the ResourceManager dies without it
)
_COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"
# hadoop-project as a BOM: without it Maven puts jackson-core 2.10.2 beside databind 2.12.7,
# and the NameNode dies; with it slf4j's binding falls out, and nothing is logged.
_POM = """<project xmlns="http://maven.apache.org/POM/4.0.0">
<modelVersion>4.0.0</modelVersion>
<groupId>jhpatch</groupId><artifactId>daemons</artifactId><version>1</version>
<packaging>pom</packaging>
<dependencyManagement><dependencies><dependency>
 <groupId>org.apache.hadoop</groupId><artifactId>hadoop-project</artifactId>
 <version>%(hadoop)s</version><type>pom</type><scope>import</scope>
</dependency></dependencies></dependencyManagement>
<dependencies>%(modules)s<dependency>
 <groupId>org.slf4j</groupId><artifactId>slf4j-reload4j</artifactId>
 <version>1.7.36</version><scope>runtime</scope>
</dependency></dependencies>
</project>
"""
_MODULE = """<dependency>
 <groupId>org.apache.hadoop</groupId><artifactId>%s</artifactId><version>%s</version>
</dependency>"""


class Spark(NamedTuple):
    """A Spark that pip installs, with a kernel for the Pythons that it runs on."""

    release: str
    pythons: Tuple[str, ...]
    requirements: Tuple[str, ...]

    @property
    def venv(self) -> str:
        """The virtual environment that has it."""
        return os.path.join(stacks.FOLDER, "spark-" + self.release)

    @property
    def python(self) -> str:
        """That environment's interpreter."""
        return os.path.join(self.venv, "bin", "python")

    @property
    def home(self) -> str:
        """What SPARK_HOME names."""
        (found,) = glob.glob(self.venv + "/lib/python3*/site-packages/pyspark")
        return found


def _kernel_of(stack: Stack) -> Tuple[str, ...]:
    names = ("ipykernel", "jupyter_client", "jupyter_core", "tornado", "traitlets", "pyzmq")
    pins = tuple("%s==%s" % (name, stack.version(name)) for name in names)
    return pins + (stack.pip, "setuptools<80", "wheel")


STACK = next(one for one in STACKS if one.name == "hub61-js221")
SPARK = Spark("4.3.0", STACK.pythons[:2], _kernel_of(STACK))
_OLD = next(one for one in STACKS if one.name == "hub15-nb64")
OLD_SPARK = Spark("2.4.8", ("3.7",), _kernel_of(_OLD))
"""The last of Spark 2; it needs a JDK 8."""


def interpreter(spark: Spark) -> str:
    """A Python for it; empty where there is none."""
    found = (pythons.interpreter(minor) for minor in spark.pythons)
    return next((path for path in found if path), "")


def jdks() -> Dict[str, int]:
    """The homes of this machine's Java, each with its major version, the user's choice first."""
    found = [os.environ.get("JAVA_HOME", "")]
    found.append(os.path.dirname(os.path.dirname(os.path.realpath(shutil.which("java") or ""))))
    found += sorted(glob.glob("/usr/lib/jvm/*"))
    releases = {os.path.realpath(home): stacks.text_of(home + "/release") for home in found}
    said = re.compile(r'^JAVA_VERSION="(?:1\.)?(\d+)', re.M)
    matches = {home: said.search(text) for home, text in releases.items()}
    return {home: int(match.group(1)) for home, match in matches.items() if match}


def java_home() -> str:
    """A Java that Hadoop and Spark run on; empty where there is none."""
    return next((home for home, major in jdks().items() if major in FIT), "")


def jars() -> str:
    """The folder of the daemons' jars."""
    return os.path.join(stacks.FOLDER, "hadoop-" + HADOOP)


def build_jars() -> None:
    """Fetches what the four daemons need: 88 MB."""
    modules = "".join(_MODULE % (name, HADOOP) for name in _MODULES)
    pom = _POM % {"hadoop": HADOOP, "modules": modules}
    once(jars(), [pom, _COPY], lambda: _fetch_jars(pom))


def _fetch_jars(pom: str) -> None:
    os.makedirs(jars())
    path = os.path.join(jars(), "pom.xml")
    with open(path, "w") as file:
        file.write(pom)
    repository = os.path.join(jars(), "repository")
    argv = ["mvn", "-B", "-q", "-f", path, "-Dmaven.repo.local=" + repository, _COPY]
    argv.append("-Dmaven.wagon.rto=60000")  # ms; half an hour where nothing is said
    stacks.call(argv + ["-DincludeScope=runtime", "-DoutputDirectory=" + jars()])
    shutil.rmtree(repository)


def build_spark(spark: Spark) -> None:
    """Builds its environment: pip builds a wheel from 200 to 400 MB."""
    python = interpreter(spark)
    once(spark.venv, [repr(spark), python], lambda: _install_spark(spark, python))


def _install_spark(spark: Spark, python: str) -> None:
    stacks.call([python, "-m", "venv", spark.venv])
    pip = [spark.python, "-m", "pip", "install", "-q"]
    stacks.call(pip + ["--upgrade"] + list(spark.requirements))
    stacks.call(pip + ["--no-build-isolation", "--no-cache-dir", "pyspark==" + spark.release])


def once(folder: str, wanted: List[str], build: Callable[[], None]) -> None:
    """Builds a folder anew unless its marker says that it was built from what is wanted."""
    digest = hashlib.sha256(repr(wanted).encode()).hexdigest()
    marker = os.path.join(folder, "built-from")
    with stacks.locked(os.path.basename(folder), fcntl.LOCK_EX):
        if stacks.text_of(marker) != digest:
            shutil.rmtree(folder, ignore_errors=True)
            build()
            with open(marker, "w") as file:
                file.write(digest)
