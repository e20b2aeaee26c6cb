"""Check the options of ``kernelspec install``, and complete them from this host to a kernel."""

import os
import re
from typing import Dict, List, Mapping, Optional, Sequence, Tuple

from jhpatch.deployed.causes import Fault
from jhpatch.errors import Usage
from jhpatch.namedtuple import NamedTuple
from jhpatch.spark import discovery, kernel_store
from jhpatch.spark.debugger import has_debugger
from jhpatch.spark.faults import prevents_start, refusal_of
from jhpatch.spark.kernelspec import Kernel

_NAME = re.compile(r"[a-z0-9._-]+", re.I)  # as jupyter_client requires
_MASTER = re.compile(r"yarn(-client)?|local(\[[\d*]+(,\d+)?\])?|(spark|k8s|mesos)://[^\s$]+")
_CONF = re.compile(r"spark\.[\w.-]+")
_VARIABLE = re.compile(r"[A-Za-z_]\w*")


class KernelOptions(NamedTuple):
    """The options as they were typed; None for those that are found on the host."""

    name: str
    python: str
    """A name on PATH or an absolute path."""
    spark_home: Optional[str] = None
    hadoop_conf_dir: Optional[str] = None
    java_home: Optional[str] = None
    worker_python: Optional[str] = None
    master: str = "yarn"
    deploy_mode: str = "client"
    display_name: Optional[str] = None
    conf: Sequence[str] = ()
    """``KEY=VALUE``."""
    env: Sequence[str] = ()
    """``NAME=VALUE``."""
    lazy: bool = False
    idle_stop: float = 0.0
    """Minutes; 0: never."""
    user: bool = False
    prefix: Optional[str] = None
    yarn_conf_dir: Optional[str] = None


def resolve(options: KernelOptions, environ: Mapping[str, str]) -> Tuple[Kernel, List[str]]:
    """Return the kernel, and notes for the user. Raises Usage, Refused, Failed."""
    _check(options)
    python = discovery.path_of(options.python, "--python", environ)
    worker = discovery.path_of(options.worker_python or python, "--worker-python", environ)
    spark = discovery.find_spark(options.spark_home, environ, python)
    java = discovery.find_java(options.java_home, environ, spark.version)
    conf_dir = yarn_dir = ""
    is_yarn = options.master.startswith("yarn")
    if is_yarn:
        conf_dir, yarn_dir = discovery.find_hadoop_conf(
            options.hadoop_conf_dir, options.yarn_conf_dir, environ
        )
    elif options.hadoop_conf_dir:
        conf_dir = _readable_conf_dir(options.hadoop_conf_dir)
    for path in (spark.home, java.home, conf_dir, yarn_dir, python, worker):
        if "$" in path or "\n" in path:
            raise Usage("a path in kernel.json must not contain $ or a line break", found=path)
    is_local = options.master.startswith("local")
    pythons = discovery.find_pythons(spark.version, python, worker, is_local, environ)
    for fault in filter(prevents_start, pythons.faults):
        raise refusal_of(fault)
    notes = list(pythons.unknown) + [fault.message for fault in pythons.faults]
    if is_yarn and spark.version.startswith(("1.", "2.")):
        notes.append(
            "a running session of Spark %s does not use new tickets: see docs/pyspark.md"
            % spark.version
        )
    env = dict(_parse_pairs(options.env, "--env", _VARIABLE))
    more = [entry for entry in env.pop("PYTHONPATH", "").split(":") if entry]
    version = " " + spark.version if spark.version else ""
    kernel = Kernel(
        display_name=options.display_name or "PySpark%s (%s)" % (version, options.master),
        directory=kernel_store.directory_of(options.name, options.user, options.prefix),
        python=python,
        worker_python=worker,
        spark_home=spark.home,
        spark=spark.version,
        python_path=spark.python_path + tuple(more) + ("${PYTHONPATH}",),
        hadoop_conf_dir=conf_dir,
        yarn_conf_dir=yarn_dir,
        java_home=java.home,
        master=options.master,
        conf=_parse_pairs(options.conf, "--conf", _CONF),
        env=tuple(sorted(env.items())),
        lazy=options.lazy,
        idle_stop=options.idle_stop,
        debugger=has_debugger(python, environ),
    )
    return kernel, notes


def _readable_conf_dir(directory: str) -> str:
    """Return the absolute path of a configuration of HDFS. Raises Refused."""
    path = os.path.join(os.path.abspath(directory), "core-site.xml")
    try:
        open(path).close()
    except OSError as error:
        raise refusal_of(Fault("hadoop-conf-unreadable", "%s: %s" % (path, error.strerror), path))
    return os.path.dirname(path)


def _check(options: KernelOptions) -> None:
    if not _NAME.fullmatch(options.name):
        raise Usage(
            "--name is not a valid kernel name",
            expected="letters, digits, . _ and -",
            found=options.name,
        )
    if not _MASTER.fullmatch(options.master):
        raise Usage(
            "--master is not a supported cluster URL",
            expected="a master such as yarn, local[2] or spark://HOST:PORT",
            found=options.master or "nothing",
        )
    if options.yarn_conf_dir and not options.master.startswith("yarn"):
        raise Usage(
            "--yarn-conf-dir needs --master yarn",
            expected="--hadoop-conf-dir, which applies to each master",
            found="--master " + options.master,
        )
    if options.deploy_mode != "client":
        raise Usage(
            "--deploy-mode: the notebook is the driver, and cannot run on the cluster",
            expected="client",
            found=options.deploy_mode,
        )


def _parse_pairs(
    texts: Sequence[str], option: str, names: "re.Pattern[str]"
) -> Tuple[Tuple[str, str], ...]:
    """Return the pairs, sorted by name; of two with the same name, the last one."""
    pairs: Dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if equals and option == "--conf" and not name.startswith("spark."):
            raise Usage(
                '--conf: Spark ignores a setting whose name does not begin with "spark."',
                expected="spark.NAME=VALUE; spark.hadoop.NAME=VALUE for a Hadoop setting",
                found=text,
            )
        if not equals or not names.fullmatch(name) or "\n" in value or "\0" in value:
            raise Usage(option + " cannot be read", expected="NAME=VALUE on one line", found=text)
        pairs[name] = value
    return tuple(sorted(pairs.items()))
