"""The meanings of error messages of Spark, YARN, a JVM and Python.

Copied into a kernelspec's directory as ``jhpatch_meanings.py``.
"""

import re
from typing import Tuple

if not __name__.startswith("jhpatch_"):
    from jhpatch.deployed.causes import Fault
else:  # in a kernel, where no jhpatch need be
    from jhpatch_causes import Fault  # type: ignore[import-not-found,no-redef]

_SIZE = 400  # characters of a sentence, at most
_MEANINGS: Tuple[Tuple[str, str], ...] = (
    ("kernel-no-ipykernel", r"No module named '?(?:ipykernel|IPython)"),
    ("kernel-program", r"Error while finding module specification for|^\S+: can't open file"),
    ("spark-java-missing", r"JAVA_HOME is not set|/bin/java: (?:No such file|not found)"),
    ("spark-java-missing", r"java: command not found|No such file or directory: '?java\b"),
    (
        "spark-java-unfit",
        r"UnsupportedClassVersionError|InaccessibleObjectException"
        r"|Unsupported class file major version|module java\.base does not"
        r"|Unrecognized VM option|Unrecognized option: --add-"  # of a newer Java than this one
        r"|getSubject is (?:not supported|supported only if)",  # Java 24 and an older Hadoop
    ),
    ("spark-python-mismatch", r"PYTHON_VERSION_MISMATCH|Python in worker has different version"),
    # cloudpickle and the standard library of a Python that is newer than this Spark.
    ("spark-python-unfit", r"No module named '?distutils"),
    ("spark-python-unfit", r"TypeError: (?:an integer is required|code\(\) arg)"),
    ("spark-python-unfit", r"TypeError: code expected at least"),
    ("spark-python-unfit", r"IndexError: tuple index out of range"),
    ("spark-python-unfit", r"cannot import name '\w+' from 'collections'"),
    ("spark-python-unfit", r"Python \d[\w. ]+ (?:is|are) not supported"),
    ("spark-py4j", r"No module named '?py4j"),
    ("spark-no-pyspark", r"No module named '?pyspark(?:'|$|\s)"),
    ("spark-mixed", r"does not exist in the JVM|has been modified between versions"),
    ("spark-mixed", r"cannot import name '\w+' from 'py(?:spark|4j)"),
    ("spark-home-missing", r"Could not find valid SPARK_HOME"),
    ("spark-home-missing", r"No such file or directory: '?\S*/bin/spark-submit"),
    ("spark-worker-python", r'Cannot run program "[^"]*python[^"]*"[^\n]*'),
    ("spark-submit-args", r"Missing application resource|Unrecognized option: "),
    ("spark-submit-args", r"No closing quotation|No escaped character"),
    ("spark-submit-args", r"Remote cannot be specified with master"),
    ("spark-submit-args", r"Cannot load main class from JAR|Failed to get main class in JAR"),
    ("spark-driver-memory", r"Invalid (?:maximum|initial) heap size|Too small maximum heap"),
    ("spark-driver-memory", r"Could not reserve enough space|insufficient memory for the Java"),
    ("spark-driver-memory", r"heap size[^\n]*(?:exceeds|larger than)|System memory \d+ must be"),
    ("spark-package", r"unresolved dependency: [^\n]*|UNRESOLVED DEPENDENCIES"),
    ("spark-package", r"java\.io\.FileNotFoundException: [^\n]*\.jar"),
    ("spark-master", r"All masters are unresponsive[^\n]*|Could not parse Master URL"),
    ("spark-master", r"Master must either be yarn"),
    ("hadoop-conf-unreadable", r"either HADOOP_CONF_DIR or YARN_CONF_DIR must be set"),
    ("yarn-queue", r"(?:unknown|non-leaf|STOPPED|nonexistent) queue|cannot submit applications"),
    ("yarn-queue", r"queue \S+ (?:does not|doesn.t) exist|permission to submit \S+ to queue"),
    (
        "yarn-memory",
        r"is above the max threshold|ResourceRequestException[^\n]*(?:requested memory|\[memory)",
    ),
    ("spark-token-expired", r"InvalidToken|HDFS_DELEGATION_TOKEN.*(?:expired|can't be found)"),
    ("spark-no-ticket", r"Client cannot authenticate via:? ?\[TOKEN, KERBEROS\]"),
    ("spark-ticket-expired", r"Failed to find any Kerberos tgt|Ticket expired"),
    ("hdfs-permission", r"Permission denied: user=[^\n]*"),
    ("yarn-unreachable", r"Call From .* failed on connection exception|No route to host"),
)
# Sentences that report only that something else has failed.
_EMPTY = re.compile(
    r"Java gateway process exited|JAVA_GATEWAY_EXITED|An error occurred while calling"
    r"|Failed to initialize Spark session|NameError: name '(?:spark|sc)'|^SystemExit\b"
    r"|Could not create the Java Virtual Machine|A fatal exception has occurred|^Traceback"
    r"|Error occurred during initialization of VM|Error while obtaining a new communication"
    r"|An error occurred while trying to connect|Py4JNetworkError|Answer from Java side is empty"
    r"|^Spark (?:is starting|\S+ is ready)|^\d+\.\d+s - |^\[IPKernelApp\] WARN|Connection refused"
    r"|Error initializing SparkContext|ShutdownHook"
)
# The most informative patterns come first.
_SENTENCES = (
    r"^Caused by: \S",
    r"^(?:: |Exception in thread \"[^\"]*\" )?(?:\w+\.)+[\w$]*(?:Exception|Error)(?:: \S|$)",
    r"^[Ee]rror: \S|^\[IPKernelApp\] (?:CRITICAL|ERROR) \| \S",
    r"^[\w.]*(?:Error|Exception|Interrupt): \S",
    r"\b(?:ERROR|FATAL)\b \S+: \S",
    r"^\S+: (?:line \d+: )?.*(?:[Nn]o such file|not found|[Cc]annot|[Ii]nvalid|denied)",
)
# Printed by jhpatch's kernels without a line break, so that other output may follow.
_PROGRESS = re.compile(r"Spark is starting \([^\n]*?\): \d+ s *")
_COLOUR = re.compile("\x1b\\[[0-9;]*[A-Za-z]")


def meaning(text: str) -> Fault:
    """Return the known cause of a failure from its output, else the most informative sentence."""
    text = _PROGRESS.sub("\n", _COLOUR.sub("", text)).replace("\r", "\n")
    for code, pattern in _MEANINGS:
        found = re.search(pattern, text, re.M)
        if found:
            line = _line_of(text, found.start())
            inode = re.search(r'inode="([^"]*)"', line)
            fill = {"path": inode.group(1) if inode else "/"}
            return Fault(code, line, fill=fill if code == "hdfs-permission" else {})
    return Fault("spark-failed", sentence(text))


def sentence(text: str) -> str:
    """Return the most informative sentence of the JVM or Python about a failure.

    Indented lines are source code or stack frames, and do not count.
    """
    lines = [line.rstrip() for line in text.splitlines() if line.strip() and line[0] > " "]
    telling = [line for line in lines if not _EMPTY.search(line)]
    for some in (telling, lines):
        for number, pattern in enumerate(_SENTENCES):
            found = [line for line in some if re.search(pattern, line)]
            if found:
                best = found[-1] if number == 0 else found[0]  # the innermost cause comes last
                return re.sub(r"^(?:Caused by: |: )", "", best)[:_SIZE]
    return (telling[-1:] or ["the output names no reason"])[0].strip()[:_SIZE]


def _line_of(text: str, at: int) -> str:
    start = text.rfind("\n", 0, at) + 1
    end = text.find("\n", at)
    return text[start : end if end >= 0 else len(text)].strip()[:_SIZE]
