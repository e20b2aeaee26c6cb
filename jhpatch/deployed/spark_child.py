"""The program that starts Spark's JVM and creates its context for a kernel.

Copied into a kernelspec's directory as ``jhpatch_spark_child.py``. A kernel runs it in a
process of its own: in a thread of the kernel, the imports of pyspark would meet the imports of
the user's first cell, and Python hands out half-initialized modules to break such a deadlock.

Standard input is a pipe from the kernel. The JVM inherits it, and exits when the kernel closes
it or ends. The program prints one line of JSON and exits; the JVM stays. It uses the standard
library and pyspark, and runs on Python 3.6 and later.
"""

import json
import os
import sys
from typing import Any, Dict

_CATALOG = "spark.sql.catalogImplementation"


def main() -> None:
    """Print the result of ``start`` as JSON, and exit."""
    answer = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what pyspark and the JVM print is not part of the answer
    try:
        result = start()
    except BaseException as error:
        result = {"error": words(error)}
    answer.write(json.dumps(result) + "\n")
    answer.flush()
    os._exit(0)  # without the functions of atexit, which may stop the context


def start() -> Dict[str, Any]:
    """Return ``port`` and ``secret`` of the JVM's gateway, or why pyspark is ``unusable``."""
    try:
        import pyspark  # type: ignore[import-not-found,unused-ignore]

        pickled(lambda row: row)
    except ImportError:
        raise
    except Exception as error:
        return {"unusable": words(error)}
    # launch_gateway gives this constant to Popen as the JVM's standard input.
    sys.modules["pyspark.java_gateway"].PIPE = 0  # type: ignore[attr-defined]
    pyspark.SparkContext._ensure_initialized()
    conf = pyspark.SparkConf()
    # As _create_shell_session does, which would submit a second time if the first fails.
    if has_hive(pyspark.SparkContext._jvm) and not conf.get(_CATALOG, None):
        conf.set(_CATALOG, "hive")
    context = pyspark.SparkContext.getOrCreate(conf)
    sql = __import__("pyspark.sql", fromlist=["sql"])
    if hasattr(sql, "SparkSession"):  # from Spark 2 on; it becomes the JVM's default session
        sql.SparkSession.builder.getOrCreate()
    gateway = pyspark.SparkContext._gateway.gateway_parameters
    return {
        "port": gateway.port,
        "secret": getattr(gateway, "auth_token", None) or "",
        "version": str(context.version),
        "application": str(context.applicationId),
    }


def pickled(function: Any) -> None:
    """Pickle a function as pyspark does for the workers, and unpickle it."""
    serializers = __import__("pyspark.serializers", fromlist=["serializers"])
    serializer = serializers.CloudPickleSerializer()
    serializer.loads(serializer.dumps(function))


def has_hive(jvm: Any) -> bool:
    """Return whether this Spark was built with Hive."""
    try:
        jvm.org.apache.hadoop.hive.conf.HiveConf()
    except Exception:  # without Hive, HiveConf is a package, which cannot be called
        return False
    return True


def words(error: BaseException) -> str:
    """Return the type and the message of an error."""
    try:
        return "%s: %s" % (type(error).__name__, error)
    except Exception:  # py4j asks the JVM for the message
        return type(error).__name__


if __name__ == "__main__":
    main()
