"""A PySpark kernelspec: values in, the text of its files out, and back. Pure, deterministic.

The format of kernel.json is jupyter_client's ("Making kernels for Jupyter"); the variables
that Spark reads are in its bin/pyspark and python/pyspark/java_gateway.py.
"""

import json
import shlex
from typing import Dict, Optional, Tuple

from jhpatch.namedtuple import NamedTuple

SCHEMA = 1
RENEWAL = "spark.kerberos.renewal.credentials"
"""With ``ccache`` a running application reads new tickets from the cache (SPARK-28005)."""

_STARTUP = '''\
"""Written by jhpatch: what PYTHONSTARTUP of this kernel runs."""


def _jhpatch_begin(folder, shell):
    import importlib.util
    import sys

    for name in ("jhpatch_reasons", "jhpatch_pyspark"):
        spec = importlib.util.spec_from_file_location(name, "%s/%s.py" % (folder, name))
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    sys.modules["jhpatch_pyspark"].begin(shell)


if "get_ipython" in globals():
    _jhpatch_begin(FOLDER, get_ipython())
del _jhpatch_begin
'''


class Kernel(NamedTuple):
    """The values of a PySpark kernel; paths are absolute."""

    display_name: str
    directory: str
    """Of its files."""
    python: str
    worker_python: str
    spark_home: str
    spark: str
    """Spark's release, such as 3.5.1; empty where it is not known."""
    python_path: Tuple[str, ...]
    hadoop_conf_dir: str
    java_home: str
    master: str
    deploy_mode: str = "client"
    conf: Tuple[Tuple[str, str], ...] = ()
    env: Tuple[Tuple[str, str], ...] = ()
    lazy: bool = False
    idle_stop: float = 0
    """Minutes after which an unused session is stopped; 0: never."""


class KernelSpec(NamedTuple):
    """The values in an existing kernel.json."""

    ours: bool
    """Whether jhpatch wrote it."""
    display_name: str
    environment: Dict[str, str]
    spark: str
    """Spark's release; empty where the file does not name it."""
    python: str


def submit_args(kernel: Kernel) -> str:
    """Return PYSPARK_SUBMIT_ARGS: Spark splits it as a shell does; ``pyspark-shell`` is last."""
    conf = dict(kernel.conf)
    is_yarn = kernel.master.startswith("yarn")
    if int(kernel.spark.partition(".")[0] or 0) >= 3 and is_yarn:
        conf.setdefault(RENEWAL, "ccache")
    arguments = ["--master", kernel.master]
    if is_yarn:
        arguments += ["--deploy-mode", kernel.deploy_mode]
    for name in sorted(conf):
        arguments += ["--conf", "%s=%s" % (name, conf[name])]
    return " ".join(map(shlex.quote, arguments + ["pyspark-shell"]))


def environment(kernel: Kernel) -> Dict[str, str]:
    """Return ``env`` of kernel.json; its values pass through string.Template in jupyter_client."""
    values = {
        "JAVA_HOME": kernel.java_home,
        "JHPATCH_PYSPARK": json.dumps({"lazy": kernel.lazy, "idle_stop": kernel.idle_stop}),
        "PYSPARK_DRIVER_PYTHON": kernel.python,
        "PYSPARK_PYTHON": kernel.worker_python,
        "PYSPARK_SUBMIT_ARGS": submit_args(kernel),
        "PYTHONPATH": ":".join(kernel.python_path),
        "PYTHONSTARTUP": kernel.directory + "/startup.py",
        "SPARK_HOME": kernel.spark_home,
    }
    if kernel.hadoop_conf_dir:
        values["HADOOP_CONF_DIR"] = values["YARN_CONF_DIR"] = kernel.hadoop_conf_dir
    values.update(kernel.env)
    return values


def kernel_json(kernel: Kernel) -> str:
    """Return the text of kernel.json."""
    document = {
        "argv": [kernel.python, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
        "display_name": kernel.display_name,
        "language": "python",
        "env": environment(kernel),
        "metadata": {"jhpatch": {"schema": SCHEMA, "spark": kernel.spark}},
    }
    return json.dumps(document, indent=1, sort_keys=True) + "\n"


def startup(kernel: Kernel) -> str:
    """Return the text of startup.py, which adds only ``spark`` and ``sc`` to the user's names."""
    return _STARTUP.replace("FOLDER", ascii(kernel.directory))


def parse(text: str) -> Optional[KernelSpec]:
    """Return the values of a kernel.json; None where it is not a PySpark kernel's."""
    try:
        document = json.loads(text)
        env = {str(key): str(value) for key, value in document.get("env", {}).items()}
        ours = document.get("metadata", {}).get("jhpatch") or {}
        argv = [str(argument) for argument in document["argv"]]
        name, spark = str(document["display_name"]), str(ours.get("spark", ""))
    except (AttributeError, KeyError, RecursionError, TypeError, ValueError):
        return None
    if not argv or not (ours or "SPARK_HOME" in env):
        return None
    return KernelSpec(ours.get("schema") == SCHEMA, name, env, spark, argv[0])
