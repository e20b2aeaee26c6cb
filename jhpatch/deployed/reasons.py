"""Find what would keep Spark from starting in a kernel, without a JVM.

Copied into a kernelspec's directory as ``jhpatch_reasons.py``. The kernel runs these checks before
it starts a JVM. ``jhpatch kernelspec`` and ``jhpatch doctor`` use them too.
"""

import glob
import os
import re
import shlex
import shutil
import sys
from typing import Dict, Iterator, List, Mapping, Optional, Tuple

if not __name__.startswith("jhpatch_"):
    from jhpatch.deployed.causes import CAUSES, Fault, told
    from jhpatch.deployed.hadoop import directories_of, hadoop_of, judged_managers, reached
    from jhpatch.deployed.host_files import escaped, text_of
    from jhpatch.deployed.meanings import meaning
    from jhpatch.deployed.spark_home import (
        KernelPython,
        java_of,
        judged_java,
        judged_python,
        numbers,
        own_home,
        python_path,
        spark_version,
        worker_python,
    )
    from jhpatch.deployed.tickets import judged_tickets, tickets_of
else:  # in a kernel, where no jhpatch need be
    from jhpatch_causes import CAUSES, Fault, told  # type: ignore[import-not-found,no-redef]
    from jhpatch_hadoop import directories_of, hadoop_of, judged_managers, reached  # type: ignore[import-not-found,no-redef]
    from jhpatch_host_files import escaped, text_of  # type: ignore[import-not-found,no-redef]
    from jhpatch_meanings import meaning  # type: ignore[import-not-found,no-redef]
    from jhpatch_spark_home import (  # type: ignore[import-not-found,no-redef]
        KernelPython,
        java_of,
        judged_java,
        judged_python,
        numbers,
        own_home,
        python_path,
        spark_version,
        worker_python,
    )
    from jhpatch_tickets import judged_tickets, tickets_of  # type: ignore[import-not-found,no-redef]

__all__ = [  # what ``pyspark.py`` uses
    "CAUSES",
    "Fault",
    "look",
    "meaning",
    "numbers",
    "settings_of",
    "spark_version",
    "told",
]
_SHELL = "pyspark-shell"
_SHORT = {
    "--master": "spark.master",
    "--keytab": "spark.kerberos.keytab",
    "--queue": "spark.yarn.queue",
    "--remote": "spark.remote",
}


def defaults_of(environ: Mapping[str, str], home: str) -> Dict[str, str]:
    """Return spark-defaults.conf's settings, as Spark finds the file."""
    folder = environ.get("SPARK_CONF_DIR") or home + "/conf"
    rows = re.findall(
        r"^[ \t]*(spark\.\S+?)[ \t]*[ \t=:][ \t]*(.*?)[ \t]*$",
        text_of(folder + "/spark-defaults.conf"),
        re.M,
    )
    return dict(rows)


def settings_of(environ: Mapping[str, str], home: str = "") -> Dict[str, str]:
    """Return the settings of spark-defaults.conf, overridden by PYSPARK_SUBMIT_ARGS.

    The forms are spark-submit's (``SparkSubmitOptionParser``): ``--conf K=V``, ``-c K=V``,
    ``--conf=K=V``, ``--master URL``, ``--master=URL``.
    """
    found = defaults_of(environ, home or environ.get("SPARK_HOME", ""))
    words, _ = submit_words(environ.get("PYSPARK_SUBMIT_ARGS", ""))
    while words:
        word = words.pop(0)
        if word == _SHELL:
            break
        option, equals, value = word.partition("=") if word.startswith("--") else (word, "", "")
        if option not in _SHORT and option not in ("--conf", "-c"):
            continue
        if not equals:
            value = words.pop(0) if words else ""
        if option in _SHORT:
            found[_SHORT[option]] = value
        else:
            name, _, value = value.partition("=")
            found[name] = value
    return found


def submit_words(text: str) -> Tuple[List[str], str]:
    """Return the words of PYSPARK_SUBMIT_ARGS as pyspark splits them, or why it cannot."""
    try:
        return shlex.split(text), ""
    except ValueError as error:
        return [], str(error)


def judged_submit_args(environ: Mapping[str, str]) -> Iterator[Fault]:
    """Yield a fault if pyspark's gateway does not start with PYSPARK_SUBMIT_ARGS, if set."""
    text = environ.get("PYSPARK_SUBMIT_ARGS")
    if text is None:
        return
    words, problem = submit_words(text)
    if problem:
        message = "PYSPARK_SUBMIT_ARGS cannot be split into words: %s" % problem
    elif not words:
        message = "PYSPARK_SUBMIT_ARGS is set but empty"
    elif _SHELL not in words:
        message = "PYSPARK_SUBMIT_ARGS does not end in %s: %s" % (_SHELL, text)
    else:
        return
    yield Fault("spark-submit-args", message)


def judged_imports(environ: Mapping[str, str], python: KernelPython, home: str) -> Iterator[Fault]:
    """Yield faults unless the kernel's Python finds pyspark and py4j of the Spark in ``home``."""
    entries = [entry for entry in environ.get("PYTHONPATH", "").split(":") if entry]
    absent = [entry for entry in entries if not os.path.exists(entry)]
    package, release = python.pyspark
    if not package:
        words = "%s finds no pyspark: PYTHONPATH is %s" % (
            python.path,
            environ.get("PYTHONPATH") or "not set",
        )
        if "PYTHON_PATH" in environ:
            words += "; Python does not read PYTHON_PATH"
        yield Fault("spark-no-pyspark", words, home and home + "/python")
        return
    version = spark_version(home)
    if version and release and numbers(version)[:2] != numbers(release)[:2]:
        words = "pyspark is %s (%s), but SPARK_HOME contains Spark %s (%s)"
        yield Fault("spark-mixed", words % (release, package, version, home), home)
    there = sorted(os.path.basename(path) for path in _archives(home))
    if not python.py4j[0]:
        named = [entry for entry in absent if "py4j" in entry]
        words = "%s finds no py4j" % python.path
        if named and "*" in named[0]:
            words += ": Python does not expand wildcards in PYTHONPATH: %s" % named[0]
        elif named:
            words += ": PYTHONPATH names %s, which does not exist" % named[0]
        if there:
            words += "; %s/python/lib contains %s" % (home, ", ".join(there))
        yield Fault("spark-py4j", words, home and home + "/python/lib")
    elif python.py4j[1] and there:
        releases = [name[len("py4j-") : -len("-src.zip")] for name in there]
        # pyspark 4 itself accepts several releases of py4j 0.10.9 (its setup.py).
        if not any(_same_py4j(one, python.py4j[1]) for one in releases):
            words = "py4j is %s (%s), but this Spark needs %s"
            named_py4j = (python.py4j[1], python.py4j[0], ", ".join(releases))
            yield Fault("spark-py4j", words % named_py4j, home + "/python/lib")


def _archives(home: str) -> List[str]:
    return glob.glob(escaped(home) + "/python/lib/py4j-*-src.zip") if home else []


def _same_py4j(one: str, other: str) -> bool:
    return one.split(".")[:3] == other.split(".")[:3]


def look(
    environ: Mapping[str, str],
    mine: bool = True,
    python: Optional[KernelPython] = None,
    partial: bool = False,
) -> Iterator[Fault]:
    """Yield what would keep Spark from starting in a kernel with this environment, in order.

    This changes nothing and starts no JVM. ``mine``: this process runs as the kernel's user, so
    check the user's ticket and run the workers' Python. ``python``: the kernel's, if it does not
    run this function. ``partial``: a start-up file may add to the environment, so do not report
    what is missing from it.
    """
    home = environ.get("SPARK_HOME", "")
    home = home or own_home(python.pyspark[0] if python else "")
    settings = settings_of(environ, home)
    if not home:
        if not partial:
            yield from _homeless(environ, python)
        return
    if not os.path.isdir(home):
        yield Fault("spark-home-missing", "SPARK_HOME is not a directory: %s" % home, home)
    elif python is None:
        fault = python_path(home)[1]
        if fault:
            yield fault
    if python is not None and not (partial and not python.pyspark[0]):
        yield from judged_imports(environ, python, home if os.path.isdir(home) else "")
    if not partial or environ.get("PYSPARK_SUBMIT_ARGS"):
        yield from judged_submit_args(environ)
    spark, elsewhere = spark_version(home), _set_by_spark_env(environ, home)
    java_home = environ.get("JAVA_HOME", "")
    java = java_of(java_home, environ.get("PATH", ""))
    if "JAVA_HOME" not in elsewhere and (java or java_home or not partial):
        yield from judged_java(spark, java, java_home)
    if mine:
        yield from _look_at_pythons(environ, spark, settings, python, partial)
    if settings.get("spark.master", "").startswith("yarn"):
        directories = directories_of(environ)
        if directories or not (partial or {"HADOOP_CONF_DIR", "YARN_CONF_DIR"} & elsewhere):
            yield from _look_at_yarn(environ, settings, mine)


def _homeless(environ: Mapping[str, str], python: Optional[KernelPython]) -> Iterator[Fault]:
    """Yield what a kernel without SPARK_HOME lacks, if its pyspark contains no Spark."""
    if python is None or python.pyspark[0]:
        if not environ.get("SPARK_REMOTE"):  # a client of Spark Connect needs none
            yield Fault("spark-home-missing", "SPARK_HOME is not set")
        return
    yield from judged_imports(environ, python, "")


def _set_by_spark_env(environ: Mapping[str, str], home: str) -> "set[str]":
    """Return the variables that spark-env.sh sets for the JVM (``load-spark-env.sh``)."""
    folder = environ.get("SPARK_CONF_DIR") or home + "/conf"
    text = text_of(folder + "/spark-env.sh")
    return set(re.findall(r"^[^#\n]*?\b(JAVA_HOME|HADOOP_CONF_DIR|YARN_CONF_DIR)=", text, re.M))


def _look_at_pythons(
    environ: Mapping[str, str],
    spark: str,
    settings: Mapping[str, str],
    python: Optional[KernelPython],
    partial: bool,
) -> Iterator[Fault]:
    driver = python.release if python else sys.version_info[:2]
    is_local = settings.get("spark.master", "local").startswith("local")
    named = environ.get("PYSPARK_PYTHON", "")
    if not named and (partial or not is_local):
        path, worker = "", ()  # type: Tuple[str, Tuple[int, ...]]
    else:
        path, worker = worker_python(environ, spark, python)
    if path and is_local and not shutil.which(path, path=environ.get("PATH") or None):
        words = "the workers' Python is not an executable program: %s" % path
        yield Fault("spark-worker-python", words, path)
    yield from judged_python(spark, driver, worker, path)


def _look_at_yarn(
    environ: Mapping[str, str], settings: Mapping[str, str], mine: bool
) -> Iterator[Fault]:
    hadoop, fault = hadoop_of(*directories_of(environ))
    if fault:
        yield fault
    if hadoop is None:
        return
    keytab = settings.get("spark.kerberos.keytab") or settings.get("spark.yarn.keytab")
    if hadoop.kerberized and not keytab and mine:
        yield from judged_tickets(tickets_of(environ, os.getuid()))
    yield from judged_managers(hadoop, reached)
