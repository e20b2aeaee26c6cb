"""The content of Spark's home directory, and the releases of Java and Python that Spark supports.

Copied into a kernelspec's directory as ``jhpatch_spark_home.py``.
"""

import glob
import os
import re
import shutil
import sys
from typing import Iterator, List, Mapping, NamedTuple, Optional, Tuple

if not __name__.startswith("jhpatch_"):
    from jhpatch.deployed.causes import Fault
    from jhpatch.deployed.host_files import escaped, ran, text_of
else:  # in a kernel, where no jhpatch need be
    from jhpatch_causes import Fault  # type: ignore[import-not-found,no-redef]
    from jhpatch_host_files import escaped, ran, text_of  # type: ignore[import-not-found,no-redef]


def spark_version(home: str) -> str:
    """Return Spark's release, from its own files; empty if they do not name it."""
    for name in ("python/pyspark/version.py", "version.py"):  # the second is pip's
        found = re.search(
            r"^__version__[^=]*= *[\"']([\d.]+)", text_of(os.path.join(home, name)), re.M
        )
        if found:
            return found.group(1)
    found = re.match(r"Spark ([\d.]+)", text_of(home + "/RELEASE"))
    if found:
        return found.group(1)
    # spark-core_2.11-2.4.8.jar; spark-assembly-1.6.0-cdh5.16.2-hadoop2.6.0-cdh5.16.2.jar
    for jar in sorted(glob.glob(escaped(home) + "/jars/spark-core_*.jar")) + assemblies(home):
        found = re.search(r"spark-(?:core_[\d.]+|assembly)-(\d+\.\d+\.\d+)", jar)
        if found:
            return found.group(1)
    return ""


def assemblies(home: str) -> List[str]:
    """Return the path of Spark 1's single jar, to which CDH 5 has a link too."""
    return sorted(
        {os.path.realpath(jar) for jar in glob.glob(escaped(home) + "/lib/spark-assembly*")}
    )


def hadoop_version(home: str) -> str:
    """Return the release of the Hadoop client in a Spark; empty if it has none."""
    for jar in sorted(glob.glob(escaped(home) + "/jars/hadoop-*.jar")):
        found = re.search(r"/hadoop-(?:common|client-api)-(\d+\.\d+\.\d+)", jar)
        if found:
            return found.group(1)
    for jar in assemblies(home):
        found = re.search(r"hadoop(\d+\.\d+\.\d+)", jar)
        if found:
            return found.group(1)
    return ""


def python_path(home: str) -> Tuple[List[str], Optional[Fault]]:
    """Return PYTHONPATH's entries for a Spark (its pyspark and py4j), or why there are none."""
    if not os.path.isdir(home):
        return [], Fault("spark-home-missing", "SPARK_HOME is not a directory: %s" % home, home)
    package, archive = home + "/python", home + "/python/lib/pyspark.zip"
    # pip's pyspark has nothing but shell.py there: the package is where SPARK_HOME is.
    if os.path.exists(package + "/pyspark/__init__.py"):
        entries = [package]
    elif os.path.exists(archive):
        entries = [archive]
    else:
        return [], Fault("spark-no-pyspark", "%s contains no pyspark" % package, package)
    found = sorted(glob.glob(escaped(home) + "/python/lib/py4j-*-src.zip"))
    if len(found) != 1:
        words = ", ".join(map(os.path.basename, found)) or "none"
        message = "%s/python/lib must contain exactly one py4j-*-src.zip, but contains: %s"
        return [], Fault("spark-py4j", message % (home, words), home + "/python/lib")
    return entries + found, None


class Java(NamedTuple):
    """A Java: where it is, and its feature release (8, 11, 17); 0 if that is not known."""

    home: str
    release: int


def java_of(home: str, path: str = "") -> Optional[Java]:
    """Return the Java at JAVA_HOME, else the one on PATH, as Spark's own scripts do."""
    program = home + "/bin/java" if home else shutil.which("java", path=path or None)
    if not program or not os.access(program, os.X_OK):
        return None
    folder = home or os.path.dirname(os.path.dirname(os.path.realpath(program)))
    for name in ("/release", "/../release"):
        found = re.search(r'^JAVA_VERSION="(?:1\.)?(\d+)', text_of(folder + name), re.M)
        if found:
            return Java(folder, int(found.group(1)))
    return Java(folder, 0)


def java_fits(spark: str, java: int) -> Tuple[int, int]:
    """Return the oldest and the newest Java that a Spark supports (99: no known limit)."""
    release = numbers(spark)
    for since, oldest, newest in _JAVAS:
        if release >= since:
            return oldest, newest
    return 0, 99


# From "Downloading" in each Spark's documentation, and newer releases that are known to work. From
# Java 24 on, Subject.getSubject fails (JEP 486), and Hadoop before 3.4.2 needs it.
_JAVAS = (
    ((4, 1), 17, 99),
    ((4,), 17, 23),
    ((3, 3), 8, 23),
    ((3,), 8, 11),
    ((2,), 8, 8),
    ((1,), 7, 8),
)
# The classifiers of each pyspark on PyPI.
_PYTHONS = (
    ((4, 3), (3, 11), (3, 14)),
    ((4, 1), (3, 10), (3, 14)),
    ((4,), (3, 9), (3, 13)),
    ((3, 5), (3, 8), (3, 11)),
    ((3, 4), (3, 7), (3, 11)),
    ((3, 3), (3, 7), (3, 10)),
    ((3, 1), (3, 6), (3, 9)),
    ((3,), (2, 7), (3, 8)),
    ((2, 3), (2, 7), (3, 7)),
    ((2, 1), (2, 7), (3, 6)),
    ((1,), (2, 6), (3, 5)),
)


def numbers(version: str) -> Tuple[int, ...]:
    """Return a release as numbers to compare; empty if it is not known."""
    return tuple(int(part) for part in re.findall(r"\d+", version)[:3])


def judged_java(spark: str, java: Optional[Java], home: str) -> Iterator[Fault]:
    """Yield a fault if there is no Java, or one that this Spark does not support."""
    if java is None:
        where = "the Java home is %s, but %s/bin/java is not an executable file" % (home, home)
        words = where if home else "JAVA_HOME is not set, and there is no java on PATH"
        yield Fault("spark-java-missing", words, home)
        return
    oldest, newest = java_fits(spark, java.release)
    if java.release and not oldest <= java.release <= newest:
        wanted = "%d" % oldest if newest in (oldest, 99) else "%d to %d" % (oldest, newest)
        wanted += " or later" if newest == 99 else ""
        words = "Spark %s runs on Java %s; %s is Java %d"
        yield Fault(
            "spark-java-unfit", words % (spark, wanted, java.home, java.release), java.home
        )


def judged_python(
    spark: str, driver: Tuple[int, ...], worker: Tuple[int, ...], path: str
) -> Iterator[Fault]:
    """Yield faults of the Python releases of driver and workers; an empty one is not known."""
    if driver and worker and driver[:2] != worker[:2]:
        words = "the notebook runs Python %d.%d, but the workers (%s) run %d.%d"
        yield Fault("spark-python-mismatch", words % (driver[:2] + (path,) + worker[:2]), path)
    for since, oldest, newest in _PYTHONS:
        if spark and numbers(spark) >= since:
            if driver and not oldest <= driver[:2] <= newest:
                words = (
                    "Spark %s was released for Python %d.%d to %d.%d, but the notebook runs %d.%d"
                )
                named = (spark,) + oldest + newest + driver[:2]
                yield Fault("spark-python-unfit", words % named)
            return


class KernelPython(NamedTuple):
    """A kernel's Python, and what it imports in the kernel's environment."""

    path: str
    release: Tuple[int, ...]
    """Major and minor."""
    has_ipykernel: bool = True
    lacks: str = ""
    """The module that the kernel runs instead of ipykernel, if this Python does not have it."""
    pyspark: Tuple[str, str] = ("", "")
    """The directory (or path in an archive) and the release; empty if there is none."""
    py4j: Tuple[str, str] = ("", "")


def own_home(pyspark: str) -> str:
    """Return the Spark that a pyspark finds without SPARK_HOME (``find_spark_home.py``).

    ``pyspark``: the directory of the package; empty if no Spark belongs to it.
    """
    for home in (pyspark, os.path.dirname(os.path.dirname(pyspark))) if pyspark else ():
        if os.path.isfile(home + "/bin/spark-submit"):
            return home
    return ""


def worker_python(
    environ: Mapping[str, str], spark: str, driver: Optional[KernelPython]
) -> Tuple[str, Tuple[int, ...]]:
    """Return the workers' Python as pyspark takes it, and its release if it is on this host."""
    path = environ.get("PYSPARK_PYTHON", "")
    path = path or ("python" if numbers(spark)[:1] in ((1,), (2,)) else "python3")
    mine = driver.path if driver else sys.executable
    there = shutil.which(path, path=environ.get("PATH") or None)
    if there and os.path.realpath(there) == os.path.realpath(mine):
        return path, driver.release if driver else sys.version_info[:2]
    return path, minor_of(there, environ) if there else ()


def minor_of(path: str, environ: Mapping[str, str], seconds: float = 20) -> Tuple[int, ...]:
    """Run a Python, and return its minor release; empty if it prints none."""
    code = "import sys; print('%d.%d' % sys.version_info[:2])"
    known = {key: value for key, value in environ.items() if not key.startswith("PYTHON")}
    found = re.search(r"^\d+\.\d+$", ran([path, "-I", "-c", code], known, seconds), re.M)
    return numbers(found.group()) if found else ()
