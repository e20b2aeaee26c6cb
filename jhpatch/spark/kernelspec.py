"""A PySpark kernelspec: values in, the text of its files out. Pure and deterministic.

The form of kernel.json is jupyter_client's ("Making kernels for Jupyter"); what Spark reads
from its environment is in its own bin/pyspark and python/pyspark/java_gateway.py.
"""

import json
import shlex
from typing import Any, Dict, Optional, Tuple

from jhpatch.namedtuple import NamedTuple

SCHEMA = 1
RENEWAL = "spark.kerberos.renewal.credentials"
"""With ``ccache`` a running application takes fresh tickets from the cache (SPARK-28005)."""

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
    """What a PySpark kernel is made of; paths are absolute."""

    display_name: str
    folder: str
    """Where its files will lie."""
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


def submit_args(kernel: Kernel) -> str:
    """PYSPARK_SUBMIT_ARGS: Spark splits it as a shell does, and wants ``pyspark-shell`` last."""
    conf = dict(kernel.conf)
    if int(kernel.spark.partition(".")[0] or 0) >= 3 and kernel.master.startswith("yarn"):
        conf.setdefault(RENEWAL, "ccache")
    words = ["--master", kernel.master]
    if kernel.master.startswith("yarn"):
        words += ["--deploy-mode", kernel.deploy_mode]
    for name in sorted(conf):
        words += ["--conf", "%s=%s" % (name, conf[name])]
    return " ".join(map(shlex.quote, words + ["pyspark-shell"]))


def kernel_json(kernel: Kernel) -> str:
    """kernel.json. Its ``env`` values pass through string.Template in jupyter_client."""
    environment = {
        "JAVA_HOME": kernel.java_home,
        "JHPATCH_PYSPARK": json.dumps({"lazy": kernel.lazy, "idle_stop": kernel.idle_stop}),
        "PYSPARK_DRIVER_PYTHON": kernel.python,
        "PYSPARK_PYTHON": kernel.worker_python,
        "PYSPARK_SUBMIT_ARGS": submit_args(kernel),
        "PYTHONPATH": ":".join(kernel.python_path),
        "PYTHONSTARTUP": kernel.folder + "/startup.py",
        "SPARK_HOME": kernel.spark_home,
    }
    if kernel.hadoop_conf_dir:
        environment["HADOOP_CONF_DIR"] = environment["YARN_CONF_DIR"] = kernel.hadoop_conf_dir
    environment.update(kernel.env)
    document = {
        "argv": [kernel.python, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
        "display_name": kernel.display_name,
        "language": "python",
        "env": environment,
        "metadata": {"jhpatch": {"schema": SCHEMA, "spark": kernel.spark}},
    }
    return json.dumps(document, indent=1, sort_keys=True) + "\n"


def startup(kernel: Kernel) -> str:
    """startup.py: leaves nothing in the user's namespace but ``spark`` and ``sc``."""
    return _STARTUP.replace("FOLDER", ascii(kernel.folder))


class Known(NamedTuple):
    """What a kernelspec that is there says of itself; ``ours``: jhpatch wrote it."""

    ours: bool
    display_name: str
    environment: Dict[str, str]
    spark: str
    python: str


def known(document: Any) -> Optional[Known]:
    """The values of a kernel.json; None where it is no PySpark kernel's, or no kernelspec."""
    try:
        environment = {str(key): str(value) for key, value in document.get("env", {}).items()}
        ours = document.get("metadata", {}).get("jhpatch") or {}
        argv = [str(word) for word in document["argv"]]
        name, spark = str(document["display_name"]), str(ours.get("spark", ""))
    except (AttributeError, KeyError, TypeError):
        return None
    if not argv or not (ours or "SPARK_HOME" in environment):
        return None
    return Known(ours.get("schema") == SCHEMA, name, environment, spark, argv[0])


def known_of(text: str) -> Known:
    """The values of a kernel.json that ``kernel_json`` gave."""
    found = known(json.loads(text))
    assert found is not None
    return found
