"""The text of a PySpark kernelspec's files, from its values. Pure and deterministic.

The format of kernel.json is jupyter_client's ("Making kernels for Jupyter"); the variables
that Spark reads are in its bin/pyspark and python/pyspark/java_gateway.py.
"""

import json
import shlex
from typing import Dict, Tuple

from jhpatch.namedtuple import NamedTuple

SCHEMA = 1
RENEWAL = "spark.kerberos.renewal.credentials"
"""With ``ccache`` a running application reads new tickets from the cache (SPARK-28005)."""

# Overrides ``exec_PYTHONSTARTUP = False`` in a user's profile.
_EXECUTE = "--IPKernelApp.exec_PYTHONSTARTUP=True"
MODULES = (
    *("causes", "host_files", "spark_home", "hadoop", "tickets", "meanings", "reasons"),
    *("spark_start", "spark_jobs", "spark_session"),
    *("spark_names", "spark_imports", "pyspark"),
)
"""The modules of jhpatch/deployed that run in a kernel, each after those that it imports."""

_STARTUP = '''\
"""Written by jhpatch: what PYTHONSTARTUP of this kernel runs."""


def _jhpatch_begin(directory, shell):
    import importlib.util
    import sys

    for name in MODULES:
        name = "jhpatch_" + name
        spec = importlib.util.spec_from_file_location(name, "%s/%s.py" % (directory, name))
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    sys.modules["jhpatch_pyspark"].begin(shell)


if "get_ipython" in globals():
    _jhpatch_begin(DIRECTORY, get_ipython())
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
    """Spark's release, such as 3.5.1; empty if it is not known."""
    python_path: Tuple[str, ...]
    hadoop_conf_dir: str
    java_home: str
    master: str
    yarn_conf_dir: str = ""
    """If it is not the same as ``hadoop_conf_dir``."""
    deploy_mode: str = "client"
    conf: Tuple[Tuple[str, str], ...] = ()
    env: Tuple[Tuple[str, str], ...] = ()
    lazy: bool = False
    idle_stop: float = 0
    """Minutes after which an unused session is stopped; 0: never."""
    debugger: bool = False
    """Whether the Python's ipykernel has one, for JupyterLab."""


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
    """Return ``env`` of kernel.json; jupyter_client applies string.Template to its values."""
    values = {
        "JAVA_HOME": kernel.java_home,
        "JHPATCH_PYSPARK": json.dumps({"lazy": kernel.lazy, "idle_stop": kernel.idle_stop}),
        "PYSPARK_DRIVER_PYTHON": kernel.python,
        "PYSPARK_PYTHON": kernel.worker_python,
        # A ``$`` reaches Spark as it was typed: jupyter_client takes one from each pair.
        "PYSPARK_SUBMIT_ARGS": submit_args(kernel).replace("$", "$$"),
        "PYTHONPATH": ":".join(kernel.python_path),
        "PYTHONSTARTUP": kernel.directory + "/startup.py",
        "SPARK_HOME": kernel.spark_home,
    }
    if kernel.hadoop_conf_dir:
        values["HADOOP_CONF_DIR"] = kernel.hadoop_conf_dir
        values["YARN_CONF_DIR"] = kernel.yarn_conf_dir or kernel.hadoop_conf_dir
    values.update(kernel.env)
    return values


def kernel_json(kernel: Kernel) -> str:
    """Return the text of kernel.json."""
    metadata: Dict[str, object] = {"jhpatch": {"schema": SCHEMA, "spark": kernel.spark}}
    if kernel.debugger:
        metadata["debugger"] = True
    document = {
        "argv": [kernel.python, "-m", "ipykernel_launcher", "-f", "{connection_file}", _EXECUTE],
        "display_name": kernel.display_name,
        "language": "python",
        "env": environment(kernel),
        "metadata": metadata,
    }
    return json.dumps(document, indent=1, sort_keys=True) + "\n"


def startup(kernel: Kernel) -> str:
    """Return the text of startup.py, which adds only ``spark`` and ``sc`` to the user's names."""
    text = _STARTUP.replace("DIRECTORY", ascii(kernel.directory))
    return text.replace("MODULES", repr(MODULES))
