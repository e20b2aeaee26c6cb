"""Why Spark does not start: what lies on the host, and what a failure means, in one set of words.

Copied into a kernelspec's folder as ``jhpatch_reasons.py``, beside ``jhpatch_pyspark.py``,
which looks by it before it starts a JVM: in milliseconds, at Spark's own files, Java, the
workers' Python, Hadoop's configuration, the ticket, the ResourceManager. ``jhpatch
kernelspec`` and ``doctor`` use it too. Standard library alone, Python 3.6 and later.

In this order: the words, Spark, Java and Python, Hadoop, tickets, a kernel's environment,
what a failure means.
"""

import glob
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import xml.etree.ElementTree
from typing import Any, Callable, Dict, Iterator, List, Mapping, NamedTuple, Optional, Tuple

_CAP = 4 * 1024 * 1024  # bytes of a configuration file


# The words. ``doctor`` and docs/doctor.md show them too.


class Cause(NamedTuple):
    """Why there is no session: ``next`` is a command or a line; {names} are filled in."""

    severity: str
    why: str
    next: str


CAUSES: Dict[str, Cause] = {
    "spark-home-missing": Cause(
        "error",
        "a PySpark kernel runs the Spark that lies at SPARK_HOME",
        "python -m jhpatch kernelspec install --spark-home DIR",
    ),
    "spark-no-pyspark": Cause(
        "error",
        "Spark's Python part must be on PYTHONPATH: SPARK_HOME/python, or its pyspark.zip",
        "python -m jhpatch kernelspec install --spark-home DIR",
    ),
    "spark-py4j": Cause(
        "error",
        "pyspark talks to Java through the one py4j of its own release",
        "python -m jhpatch kernelspec install --spark-home DIR",
    ),
    "spark-java-missing": Cause(
        "error",
        "Spark runs in a JVM",
        "python -m jhpatch kernelspec install --java-home DIR",
    ),
    "spark-java-unfit": Cause(
        "error",
        "each Spark runs on some releases of Java and on no other",
        "python -m jhpatch kernelspec install --java-home DIR",
    ),
    "spark-python-mismatch": Cause(
        "error",
        "what a notebook sends to workers can only be read by the same minor Python",
        "python -m jhpatch kernelspec install --python PATH (there on all nodes)",
    ),
    "spark-python-unfit": Cause(
        "warning",
        "this Spark was released for other Pythons: functions may not reach the workers",
        "python -m jhpatch kernelspec install --python PATH",
    ),
    "hadoop-conf-unreadable": Cause(
        "error",
        "Spark learns from HADOOP_CONF_DIR where YARN and HDFS are",
        "python -m jhpatch kernelspec install --hadoop-conf-dir DIR",
    ),
    "spark-no-ticket": Cause(
        "error",
        "the cluster is Kerberized: without a ticket nobody gets in",
        "python -m jhpatch ticket; kinit in a terminal gets one",
    ),
    "spark-ticket-expired": Cause(
        "error",
        "the cluster is Kerberized: an expired ticket is none",
        "python -m jhpatch ticket; kinit in a terminal gets a new one",
    ),
    "spark-cache-unseen": Cause(
        "error",
        "Java reads a FILE cache at /tmp/krb5cc_UID, or the one that KRB5CCNAME names",
        "c.KerberosTicket.ccache = '/tmp/krb5cc_{{uid}}' in jupyterhub_config.py",
    ),
    "spark-token-expired": Cause(
        "error",
        "a delegation token lives for so long, and Spark was not told to get new ones",
        "python -m jhpatch kernelspec install --conf spark.kerberos.renewal.credentials=ccache",
    ),
    "yarn-unreachable": Cause(
        "error",
        "Spark asks the ResourceManager for its executors",
        "nc -vz {address}",
    ),
    "yarn-queue": Cause(
        "error",
        "YARN runs an application in a queue that is there and that its user may use",
        "python -m jhpatch kernelspec install --conf spark.yarn.queue=QUEUE",
    ),
    "yarn-memory": Cause(
        "error",
        "YARN gives no container larger than yarn.scheduler.maximum-allocation-mb",
        "python -m jhpatch kernelspec install --conf spark.executor.memory=1g",
    ),
    "hdfs-permission": Cause(
        "error",
        "HDFS lets nobody in but the owner of a file and whom its mode names",
        "hdfs dfs -ls -d {path}",
    ),
    "spark-timeout": Cause(
        "error",
        "it may wait for room in its queue, or for a host that does not answer",
        "yarn application -list -appStates ACCEPTED",
    ),
    "kernel-died": Cause(
        "error",
        "the kernel's own Python does not run",
        "python -m jhpatch kernelspec install --python PATH",
    ),
    "spark-failed": Cause(
        "error",
        "Spark says itself what is wrong",
        "the kernel's output, in the log of the Jupyter server",
    ),
}


class Fault(NamedTuple):
    """Something that keeps Spark from starting: a code of CAUSES, what was found, and where.

    ``fill``: what the next step's {names} stand for.
    """

    code: str
    message: str
    path: str = ""
    fill: Mapping[str, str] = {}

    @property
    def next(self) -> str:
        """What to type, or to write."""
        return CAUSES[self.code].next.format(**self.fill)


# What lies on the host.


def spark_version(home: str) -> str:
    """Spark's release, from its own files; empty where they do not tell."""
    for name in ("python/pyspark/version.py", "version.py"):  # the second is pip's
        found = re.search(
            r"^__version__[^=]*= *[\"']([\d.]+)", _text(os.path.join(home, name)), re.M
        )
        if found:
            return found.group(1)
    found = re.match(r"Spark ([\d.]+)", _text(home + "/RELEASE"))
    if found:
        return found.group(1)
    # spark-core_2.11-2.4.8.jar; spark-assembly-1.6.0-cdh5.16.2-hadoop2.6.0-cdh5.16.2.jar
    for jar in sorted(glob.glob(_glob(home) + "/jars/spark-core_*.jar")) + assemblies(home):
        found = re.search(r"spark-(?:core_[\d.]+|assembly)-(\d+\.\d+\.\d+)", jar)
        if found:
            return found.group(1)
    return ""


def assemblies(home: str) -> List[str]:
    """Spark 1's one jar; CDH 5 has a link to it."""
    return sorted(
        {os.path.realpath(jar) for jar in glob.glob(_glob(home) + "/lib/spark-assembly*")}
    )


def hadoop_version(home: str) -> str:
    """The release of the Hadoop client that a Spark brings; empty for none."""
    for jar in sorted(glob.glob(_glob(home) + "/jars/hadoop-*.jar")):
        found = re.search(r"/hadoop-(?:common|client-api)-(\d+\.\d+\.\d+)", jar)
        if found:
            return found.group(1)
    for jar in assemblies(home):
        found = re.search(r"hadoop(\d+\.\d+\.\d+)", jar)
        if found:
            return found.group(1)
    return ""


def python_path(home: str) -> Tuple[List[str], Optional[Fault]]:
    """PYTHONPATH's entries for a Spark: its pyspark and its py4j; and why there are none."""
    if not os.path.isdir(home):
        return [], Fault("spark-home-missing", "SPARK_HOME is no folder: %s" % home, home)
    package, archive = home + "/python", home + "/python/lib/pyspark.zip"
    # pip's pyspark has nothing but shell.py there: the package is where SPARK_HOME is.
    if os.path.exists(package + "/pyspark/__init__.py"):
        entries = [package]
    elif os.path.exists(archive):
        entries = [archive]
    else:
        return [], Fault("spark-no-pyspark", "no pyspark below %s" % package, package)
    found = sorted(glob.glob(_glob(home) + "/python/lib/py4j-*-src.zip"))
    if len(found) != 1:
        words = ", ".join(map(os.path.basename, found)) or "none"
        message = "one py4j-*-src.zip is expected below %s/python/lib; there is: %s"
        return [], Fault("spark-py4j", message % (home, words), home + "/python/lib")
    return entries + found, None


class Java(NamedTuple):
    """A Java: where it is, and its feature release (8, 11, 17); 0 where that is not known."""

    home: str
    release: int


def java_of(home: str, path: str = "") -> Optional[Java]:
    """The Java at JAVA_HOME, else the one on PATH, as Spark's own scripts take it."""
    program = home + "/bin/java" if home else shutil.which("java", path=path or None)
    if not program or not os.access(program, os.X_OK):
        return None
    folder = home or os.path.dirname(os.path.dirname(os.path.realpath(program)))
    for name in ("/release", "/../release"):
        found = re.search(r'^JAVA_VERSION="(?:1\.)?(\d+)', _text(folder + name), re.M)
        if found:
            return Java(folder, int(found.group(1)))
    return Java(folder, 0)


def java_fits(spark: str, java: int) -> Tuple[int, int]:
    """The oldest and the newest Java that a Spark runs on (99: no limit is known)."""
    release = numbers(spark)
    for since, oldest, newest in _JAVAS:
        if release >= since:
            return oldest, newest
    return 0, 99


# Each Spark's own "Downloading" page; what runs beyond it is not refused. From Java 24 on there
# is no Subject.getSubject (JEP 486), without which Hadoop before 3.4.2 has no user.
_JAVAS = (
    ((4, 1), 17, 99),
    ((4,), 17, 23),
    ((3, 3), 8, 23),
    ((3,), 8, 11),
    ((2,), 8, 8),
    ((1,), 7, 8),
)
_PYTHONS = (
    ((4, 3), (3, 11), (3, 14)),
    ((4, 1), (3, 10), (3, 14)),
    ((4,), (3, 9), (3, 13)),
    ((3, 5), (3, 8), (3, 12)),
    ((3, 4), (3, 7), (3, 11)),
    ((3, 3), (3, 7), (3, 10)),
    ((3, 1), (3, 6), (3, 9)),
    ((3,), (2, 7), (3, 8)),
    ((2, 3), (2, 7), (3, 7)),
    ((2, 1), (2, 7), (3, 6)),
    ((1,), (2, 6), (3, 5)),
)


def numbers(version: str) -> Tuple[int, ...]:
    """A release as numbers, to compare; empty where it is not known."""
    return tuple(int(part) for part in re.findall(r"\d+", version)[:3])


def judged_java(spark: str, java: Optional[Java], home: str) -> Iterator[Fault]:
    """Whether there is a Java, and one on which this Spark runs."""
    if java is None:
        where = "JAVA_HOME is %s, and %s/bin/java is no program" % (home, home)
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
    """Driver and workers need one minor Python; empty: not known."""
    if driver and worker and driver[:2] != worker[:2]:
        words = "the notebook's Python is %d.%d, the workers' (%s) %d.%d"
        yield Fault("spark-python-mismatch", words % (driver[:2] + (path,) + worker[:2]), path)
    for since, oldest, newest in _PYTHONS:
        if spark and numbers(spark) >= since:
            if driver and not oldest <= driver[:2] <= newest:
                words = "Spark %s was released for Python %d.%d to %d.%d; this is %d.%d"
                named = (spark,) + oldest + newest + driver[:2]
                yield Fault("spark-python-unfit", words % named)
            return


class Hadoop(NamedTuple):
    """What a Hadoop configuration says."""

    folder: str
    kerberized: bool = False
    default_fs: str = ""
    managers: Tuple[str, ...] = ()
    """``host:port`` of each ResourceManager."""
    principal: str = ""
    """The ResourceManager's own, which names the realm."""

    @property
    def realm(self) -> str:
        """The realm of the cluster; empty where no principal tells."""
        return self.principal.rpartition("@")[2] if "@" in self.principal else ""


def hadoop_of(folder: str) -> Tuple[Optional[Hadoop], Optional[Fault]]:
    """Reads core-site.xml and yarn-site.xml of a HADOOP_CONF_DIR; or why it cannot be used."""

    def fault(words: str, path: str) -> Fault:
        return Fault("hadoop-conf-unreadable", words, path)

    if not folder:
        return None, fault("neither HADOOP_CONF_DIR nor YARN_CONF_DIR is set", "")
    values: Dict[str, str] = {}
    for name in ("core-site.xml", "yarn-site.xml"):
        path = os.path.join(folder, name)
        try:
            values.update(_properties(path))
        except OSError as error:
            return None, fault("%s: %s" % (path, error.strerror), path)
        except (ValueError, xml.etree.ElementTree.ParseError) as error:
            return None, fault("%s: %s" % (path, error), path)
    kerberized = values.get("hadoop.security.authentication", "simple").strip() == "kerberos"
    default_fs = values.get("fs.defaultFS") or values.get("fs.default.name", "")
    principal = values.get("yarn.resourcemanager.principal", "")
    return Hadoop(folder, kerberized, default_fs, _managers(values), principal), None


def _properties(path: str) -> Iterator[Tuple[str, str]]:
    """The properties of a Hadoop XML file. Raises OSError, ValueError, ParseError."""
    with open(path, "rb") as file:
        data = file.read(_CAP + 1)
    if len(data) > _CAP:
        raise ValueError("larger than %d bytes" % _CAP)
    if b"<!ENTITY" in data:
        raise ValueError("it defines entities, which no Hadoop configuration needs")
    for row in xml.etree.ElementTree.fromstring(data).iter("property"):
        name, value = row.findtext("name"), row.findtext("value")
        if name:
            yield name.strip(), (value or "").strip()


def _managers(values: Mapping[str, str]) -> Tuple[str, ...]:
    """Where the ResourceManagers are (yarn-default.xml): two or more with high availability."""
    names = values.get("yarn.resourcemanager.ha.rm-ids", "")
    ends = [""]
    if values.get("yarn.resourcemanager.ha.enabled", "") == "true" and names:
        ends = ["." + name.strip() for name in names.split(",")]
    found = []
    for end in ends:
        host = values.get("yarn.resourcemanager.hostname" + end, "")
        address = values.get("yarn.resourcemanager.address" + end) or (host and host + ":8032")
        if address:
            found.append(address.replace("${yarn.resourcemanager.hostname%s}" % end, host))
    return tuple(found)


def judged_managers(hadoop: Hadoop, reach: Callable[[str], Optional[str]]) -> Tuple[Fault, ...]:
    """Whether a ResourceManager answers; ``reach`` gives None, or why an address does not."""
    if not hadoop.managers:
        words = "%s/yarn-site.xml names no ResourceManager" % hadoop.folder
        return (Fault("hadoop-conf-unreadable", words, hadoop.folder + "/yarn-site.xml"),)
    why = [(address, reach(address)) for address in hadoop.managers]
    if any(reason is None for _, reason in why):
        return ()
    words = "; ".join("%s: %s" % one for one in why)
    fill = {"address": " ".join(hadoop.managers[0].rsplit(":", 1))}
    message = "no ResourceManager answers (%s)" % words
    return (Fault("yarn-unreachable", message, hadoop.folder + "/yarn-site.xml", fill),)


def reached(address: str, seconds: float = 2.0) -> Optional[str]:
    """Whether something listens at ``host:port``: None, or why not, within the seconds."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), seconds).close()
    except (OSError, ValueError) as error:
        return str(getattr(error, "strerror", None) or error)
    return None


class Tickets(NamedTuple):
    """What libkrb5 and the JVM see of a user's tickets.

    ``default`` and ``jvm`` are the names of their caches; each with whether klist finds a
    valid ticket there, and whether there is a cache at all.
    """

    default: str
    default_valid: bool
    jvm: str
    jvm_valid: bool
    jvm_there: bool


def judged_tickets(found: Tickets) -> Iterator[Fault]:
    """No ticket, an expired one, or a good one where Java does not look."""
    if found.jvm_valid:
        return
    if found.default_valid and found.default != found.jvm:
        words = "the ticket is in %s; Java looks into %s" % (found.default, found.jvm)
        yield Fault("spark-cache-unseen", words, found.default)
    elif found.jvm_there:
        yield Fault("spark-ticket-expired", "the ticket in %s has expired" % found.jvm, found.jvm)
    else:
        yield Fault("spark-no-ticket", "there is no ticket in %s" % found.jvm, found.jvm)


def tickets_of(environ: Mapping[str, str], uid: int) -> Tickets:
    """Asks klist(1), as the user; the JVM's cache is as sun.security.krb5 finds it."""
    named = environ.get("KRB5CCNAME", "")
    path = named[len("FILE:") :] if named.startswith("FILE:") else named
    jvm = "FILE:" + (path or "/tmp/krb5cc_%d" % uid)
    known = dict(environ, LC_ALL="C")
    default = named
    if not default:
        done = _ran(["klist"], known)
        found = re.search(r"^Ticket cache: (\S+)$", done, re.M)
        found = found or re.search(r"\((?:filename: |ticket cache )?(\S+)\)", done)
        default = found.group(1) if found else jvm
    if default.startswith("/"):
        default = "FILE:" + default
    return Tickets(
        default,
        _has_ticket(default, known),
        jvm,
        _has_ticket(jvm, known),
        os.path.exists(jvm[len("FILE:") :]),
    )


def _has_ticket(cache: str, environ: Mapping[str, str]) -> bool:
    if not shutil.which("klist", path=environ.get("PATH")):
        return os.path.exists(cache.partition(":")[2])  # Java reads it without libkrb5's tools
    argv = ["klist", "-s", "-c", cache]
    try:
        return not subprocess.call(argv, env=dict(environ), timeout=5, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.SubprocessError):
        return False


def _ran(argv: List[str], environ: Mapping[str, str], seconds: float = 5) -> str:
    """What a program says on both its streams; nothing where it cannot run."""
    try:
        done = subprocess.run(
            argv,
            env=dict(environ),
            timeout=seconds,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.decode("utf-8", "replace")


def _text(path: str) -> str:
    """A small file's text; empty where there is none."""
    try:
        with open(path, "rb") as file:
            return file.read(65536).decode("utf-8", "replace")
    except OSError:
        return ""


def _glob(path: str) -> str:
    return glob.escape(path)


def defaults_of(environ: Mapping[str, str]) -> Dict[str, str]:
    """spark-defaults.conf's settings, as Spark finds the file."""
    folder = environ.get("SPARK_CONF_DIR") or environ.get("SPARK_HOME", "") + "/conf"
    rows = re.findall(
        r"^[ \t]*(spark\.\S+?)[ \t]*[ \t=:][ \t]*(.*?)[ \t]*$",
        _text(folder + "/spark-defaults.conf"),
        re.M,
    )
    return dict(rows)


def settings_of(environ: Mapping[str, str]) -> Dict[str, str]:
    """The settings that PYSPARK_SUBMIT_ARGS gives, over spark-defaults.conf's."""
    found = defaults_of(environ)
    short = {
        "--master": "spark.master",
        "--keytab": "spark.kerberos.keytab",
        "--queue": "spark.yarn.queue",
    }
    try:
        words = iter(shlex.split(environ.get("PYSPARK_SUBMIT_ARGS", "")))
    except ValueError:
        return found
    for word in words:
        if word in short:
            found[short[word]] = next(words, "")
        elif word == "--conf":
            name, _, value = next(words, "").partition("=")
            found[name] = value
    return found


def worker_python(environ: Mapping[str, str]) -> Tuple[str, Tuple[int, ...]]:
    """The workers' Python and its release; empty where it is not on this host, but on theirs."""
    path = environ.get("PYSPARK_PYTHON", "") or sys.executable
    if os.path.realpath(path) == os.path.realpath(sys.executable):
        return path, sys.version_info[:2]
    return path, minor_of(path, environ) if shutil.which(path) else ()


def minor_of(path: str, environ: Mapping[str, str], seconds: float = 5) -> Tuple[int, ...]:
    """The minor release of a Python, which is run; empty where it does not say one."""
    code = "import sys; print('%d.%d' % sys.version_info[:2])"
    known = {key: value for key, value in environ.items() if not key.startswith("PYTHON")}
    found = re.search(r"^\d+\.\d+$", _ran([path, "-I", "-c", code], known, seconds), re.M)
    return numbers(found.group()) if found else ()


def look(environ: Mapping[str, str], mine: bool = True) -> Iterator[Fault]:
    """What would keep Spark from starting in a kernel with this environment, first things first.

    Nothing is changed, and no JVM is started. ``mine``: as the kernel's user, whose ticket
    counts, and who may run the workers' Python.
    """
    home, settings = environ.get("SPARK_HOME", ""), settings_of(environ)
    if not home:
        yield Fault("spark-home-missing", "SPARK_HOME is not set")
        return
    fault = python_path(home)[1]
    if fault:
        yield fault
    spark = spark_version(home)
    java_home = environ.get("JAVA_HOME", "")
    yield from judged_java(spark, java_of(java_home, environ.get("PATH", "")), java_home)
    if mine:
        path, worker = worker_python(environ)
        yield from judged_python(spark, sys.version_info[:2], worker, path)
    if settings.get("spark.master", "").startswith("yarn"):
        yield from _look_at_yarn(environ, settings, mine)


def _look_at_yarn(
    environ: Mapping[str, str], settings: Mapping[str, str], mine: bool
) -> Iterator[Fault]:
    hadoop, fault = hadoop_of(environ.get("HADOOP_CONF_DIR") or environ.get("YARN_CONF_DIR", ""))
    if fault:
        yield fault
    if hadoop is None:
        return
    keytab = settings.get("spark.kerberos.keytab") or settings.get("spark.yarn.keytab")
    if hadoop.kerberized and not keytab and mine:
        yield from judged_tickets(tickets_of(environ, os.getuid()))
    yield from judged_managers(hadoop, reached)


# What a failure means.

_MEANINGS: Tuple[Tuple[str, str], ...] = (
    ("spark-java-missing", r"JAVA_HOME is not set|/bin/java: (?:No such file|not found)"),
    (
        "spark-java-unfit",
        r"UnsupportedClassVersionError|InaccessibleObjectException"
        r"|Unsupported class file major version|module java\.base does not"
        r"|getSubject is (?:not supported|supported only if)",  # Java 24 and an older Hadoop
    ),
    ("spark-python-mismatch", r"PYTHON_VERSION_MISMATCH|Python in worker has different version"),
    ("spark-py4j", r"No module named '?py4j"),
    ("spark-no-pyspark", r"No module named '?pyspark"),
    ("hadoop-conf-unreadable", r"either HADOOP_CONF_DIR or YARN_CONF_DIR must be set"),
    ("yarn-queue", r"(?:unknown|non-leaf|STOPPED|nonexistent) queue|cannot submit applications"),
    ("yarn-queue", r"queue \S+ (?:does not|doesn.t) exist|permission to submit \S+ to queue"),
    ("yarn-memory", r"is above the max threshold|InvalidResourceRequestException"),
    ("spark-token-expired", r"InvalidToken|HDFS_DELEGATION_TOKEN.*(?:expired|can't be found)"),
    ("spark-no-ticket", r"Client cannot authenticate via:? ?\[TOKEN, KERBEROS\]"),
    ("spark-ticket-expired", r"Failed to find any Kerberos tgt|Ticket expired"),
    ("hdfs-permission", r"Permission denied: user=[^\n]*"),
    ("yarn-unreachable", r"Call From .* failed on connection exception|No route to host"),
)


def meaning(text: str) -> Fault:
    """What Spark's, YARN's or Java's words about a failure mean."""
    for code, pattern in _MEANINGS:
        found = re.search(pattern, text)
        if found:
            line = _line_of(text, found.start())
            inode = re.search(r'inode="([^"]*)"', line)
            fill = {"path": inode.group(1) if inode else "/", "address": "HOST 8032"}
            return Fault(code, line, fill=fill)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if re.search(r"(?:Error|Exception)\b", line)]
    return Fault("spark-failed", (errors or lines or ["no word of why"])[0][:400])


def _line_of(text: str, at: int) -> str:
    start = text.rfind("\n", 0, at) + 1
    end = text.find("\n", at)
    return text[start : end if end >= 0 else len(text)].strip()[:400]


def told(fault: Fault) -> str:
    """A fault for a person, three lines."""
    cause = CAUSES[fault.code]
    words = (fault.message, fault.code, cause.why, fault.next)
    return "There is no Spark here: %s  [%s]\n  why:  %s\n  next: %s" % words


def packed(fault: Fault) -> Dict[str, Any]:
    """As JSON takes it."""
    return dict(fault._asdict(), fill=dict(fault.fill))


def unpacked(row: Mapping[str, Any]) -> Fault:
    """A fault as it was packed. Raises KeyError, TypeError, ValueError."""
    fill = {str(key): str(value) for key, value in dict(row["fill"]).items()}
    if row["code"] not in CAUSES:
        raise ValueError("no such cause")
    return Fault(str(row["code"]), str(row["message"]), str(row["path"]), fill)
