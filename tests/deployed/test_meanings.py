"""What Spark, YARN, a JVM or Python prints, as the cause that it names."""

import re

import pytest

from jhpatch.deployed import causes, meanings

# Lines that real programs have written; most of them stand in reports of users.
SAID = [
    ("JAVA_HOME is not set", "spark-java-missing"),
    (
        "/opt/spark/bin/spark-class: line 71: /nowhere/bin/java: No such file or",
        "spark-java-missing",
    ),
    (
        "has been compiled by a more recent version: UnsupportedClassVersionError",
        "spark-java-unfit",
    ),
    ("Unsupported class file major version 55", "spark-java-unfit"),
    (
        "pyspark.errors.exceptions.base.PySparkRuntimeError: [PYTHON_VERSION_MISMATCH] Python in "
        "worker has different version: 3.9 than that in driver: 3.11",
        "spark-python-mismatch",
    ),
    (
        "Exception: Python in worker has different version 2.7 than that in",
        "spark-python-mismatch",
    ),
    ("ModuleNotFoundError: No module named 'py4j'", "spark-py4j"),
    ("ImportError: No module named pyspark", "spark-no-pyspark"),
    (
        "When running with master 'yarn' either HADOOP_CONF_DIR or YARN_CONF_DIR must be set",
        "hadoop-conf-unreadable",
    ),
    ("Application a_1 submitted by user alice to unknown queue: nosuch", "yarn-queue"),
    (
        "Failed to submit application_1 to YARN : User alice does not have permission to submit "
        "application_1 to queue prod",
        "yarn-queue",
    ),
    (
        "Required executor memory (99999 MB), offHeap memory (0) MB, overhead (9999 MB), and "
        "PySpark memory (0 MB) is above the max threshold (8192 MB) of this cluster!",
        "yarn-memory",
    ),
    (
        "org.apache.hadoop.security.token.SecretManager$InvalidToken: token (token for alice: "
        "HDFS_DELEGATION_TOKEN owner=alice) is expired",
        "spark-token-expired",
    ),
    (
        "hadoop.security.AccessControlException: Client cannot authenticate via:[TOKEN, KERBEROS]",
        "spark-no-ticket",
    ),
    ("GSSException: (Mechanism level: Failed to find any Kerberos tgt)", "spark-ticket-expired"),
    (
        'Permission denied: user=bob, access=READ, inode="/user/alice/x":alice:alice:-rw-------',
        "hdfs-permission",
    ),
    (
        "java.net.ConnectException: Call From a to b:8032 failed on connection exception: x",
        "yarn-unreachable",
    ),
    ("UnsupportedOperationException: getSubject is not supported", "spark-java-unfit"),
    ("/v/bin/python: No module named ipykernel_launcher", "kernel-no-ipykernel"),
    ("Invalid maximum heap size: -Xmxabc", "spark-driver-memory"),
    ("Error: Unrecognized option: --diver-memory", "spark-submit-args"),
    ("Error: Missing application resource.", "spark-submit-args"),
    ("Unrecognized option: --add-opens=java.base/java.lang=ALL-UNNAMED", "spark-java-unfit"),
    ("ERROR X: Reason: All masters are unresponsive! Giving up.", "spark-master"),
    ("TypeError: code expected at least 16 arguments, got 15", "spark-python-unfit"),
    ("ModuleNotFoundError: No module named 'distutils'", "spark-python-unfit"),
    (
        "[NOT_FOUND: com.example#nothing;1.5.0] unresolved dependency: com.example#nothing;1.5.0: "
        "not found",
        "spark-package",
    ),
    (
        'java.io.IOException: Cannot run program "/opt/nosuch/python3": error=2',
        "spark-worker-python",
    ),
    (
        "py4j.protocol.Py4JError: org.apache.spark.PythonUtils.x does not exist in the JVM",
        "spark-mixed",
    ),
    ("KeyError: 'nothing that we know'", "spark-failed"),
]


@pytest.mark.parametrize("text, code", SAID, ids=[row[0][:30] for row in SAID])
def test_what_spark_says_means(text, code):
    """The line that matters among others, as what it is."""
    fault = meanings.meaning("\tat org.apache.Some.java\n%s\n\tat some.Other" % text)
    assert fault.code == code
    assert re.sub(r"\s+", " ", text)[:40] in fault.message
    assert fault.next and causes.told(fault).count("\n") == 2


SENTENCES = [
    (
        "py4j.protocol.Py4JJavaError: An error occurred while calling None.org.apache.X.\n"
        ": org.apache.spark.SparkException: Application failed\n\tat a.B(C.java:1)\n"
        "Caused by: java.io.IOException: no space left\n\t... 3 more",
        "java.io.IOException: no space left",
    ),
    (
        'Traceback (most recent call last):\n  File "x.py", line 1, in f\n'
        "    raise RuntimeError(why)\npyspark.errors.PySparkRuntimeError: [JAVA_GATEWAY_EXITED] "
        "Java gateway process exited before sending its port number.",
        "pyspark.errors.PySparkRuntimeError: [JAVA_GATEWAY_EXITED] Java gateway process exited "
        "before sending its port number.",
    ),
    (
        "\x1b[0;31mFileNotFoundError\x1b[0m: [Errno 2] /x\n\rSpark is starting (yarn): 4 s",
        "FileNotFoundError: [Errno 2] /x",
    ),
    (
        "26/11/28 10:00:00 WARN Utils: Your hostname\n26/11/28 10:00:01 ERROR SparkContext: "
        "Error initializing SparkContext.\njava.lang.IllegalArgumentException: cores is 0\n",
        "java.lang.IllegalArgumentException: cores is 0",
    ),
    (
        "Error: Could not find or load main class x\nError: Could not create the Java Virtual "
        "Machine.",
        "Error: Could not find or load main class x",
    ),
    ("0.00s - Note: Debugging will proceed.\n", "the output names no reason"),
    (
        "\rSpark is starting (local[1]): 9 s     26/11/28 10:00:01 ERROR SparkContext: Error "
        "initializing SparkContext.\njava.nio.channels.UnresolvedAddressException\n\tat a.B(C:1)",
        "java.nio.channels.UnresolvedAddressException",
    ),
    (
        "\rSpark is starting (yarn): 9 s     java.io.IOException: no space left\n",
        "java.io.IOException: no space left",
    ),
    (
        "[IPKernelApp] WARNING | x\n[IPKernelApp] CRITICAL | Profile 'etl' not found.\n",
        "[IPKernelApp] CRITICAL | Profile 'etl' not found.",
    ),
    ("", "the output names no reason"),
]


@pytest.mark.parametrize("text, sentence", SENTENCES)
def test_the_sentence_that_tells_most(text, sentence):
    """The innermost cause, or the first error; no stack, no colour, no progress, no source."""
    assert meanings.meaning(text) == causes.Fault("spark-failed", sentence)


def test_a_denied_path_is_named():
    """The next step looks at it."""
    text = 'Permission denied: user=bob, access=READ, inode="/user/alice/x":alice'
    assert meanings.meaning(text).next == "hdfs dfs -ls -d /user/alice/x"
