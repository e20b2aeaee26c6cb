"""The options of ``kernelspec install`` → a kernel, or what is wrong with them."""

import sys

import pytest

from jhpatch.errors import Refused, Usage
from jhpatch.spark import kernel_options
from jhpatch.spark.kernel_options import KernelOptions
from jhpatch.spark.kernelspec import environment
from testing.spark_homes import make_hadoop, make_java, make_python, make_spark


@pytest.fixture
def options(host):
    """Of a local kernel, with that host's Spark and Java."""
    spark, java = str(host / "spark"), str(host / "java")
    return KernelOptions(
        "pyspark", sys.executable, spark, None, java, master="local[2]", user=True
    )


def resolve(options):
    """The kernel, on a host without a variable."""
    return kernel_options.resolve(options, {"PATH": "/nowhere"})[0]


def test_a_kernel(options, host):
    """Named after its Spark and cluster; pairs are sorted, and the last of a name counts."""
    kernel = resolve(
        options._replace(conf=("spark.b=1", "spark.a=x=y", "spark.b=2"), env=("A=",), lazy=True)
    )
    assert kernel.display_name == "PySpark 3.5.1 (local[2])"
    assert kernel.directory == str(host / "home" / "jupyter" / "kernels" / "pyspark")
    assert kernel.conf == (("spark.a", "x=y"), ("spark.b", "2")) and kernel.env == (("A", ""),)
    assert kernel.python == kernel.worker_python == sys.executable
    assert (kernel.hadoop_conf_dir, kernel.lazy) == ("", True)
    assert resolve(options._replace(display_name="Mine")).display_name == "Mine"


def test_a_kernel_on_yarn(options, host):
    """It has a Hadoop configuration; a Spark before 3.0 takes no new tickets, which is a note."""
    conf = make_hadoop(str(host / "conf"), {}, {})
    python = make_python(str(host / "python"), "3.11")  # one that this Spark was released for
    yarn = options._replace(
        python=python, master="yarn", hadoop_conf_dir=conf, worker_python="/cluster/python"
    )
    kernel, notes = kernel_options.resolve(yarn, {"PATH": "/nowhere"})
    assert (kernel.hadoop_conf_dir, kernel.worker_python) == (conf, "/cluster/python")
    assert notes == ["/cluster/python is not an executable file on this host"]
    make_spark(str(host / "spark"), "2.4.8")
    make_java(str(host / "java"), "1.8.0_402")
    two = make_python(str(host / "python"), "3.7")
    old = yarn._replace(python=two, worker_python=None)
    assert kernel_options.resolve(old, {"PATH": "/nowhere"})[1] == [
        "a running session of Spark 2.4.8 does not use new tickets: see docs/pyspark.md",
    ]


def test_a_hadoop_configuration_without_yarn(options, host):
    """Standalone Spark on a Kerberized HDFS needs core-site.xml alone, and only if it is named."""
    conf = host / "conf"
    conf.mkdir()
    named = options._replace(master="spark://host:7077", hadoop_conf_dir=str(conf))
    with pytest.raises(Refused) as error:
        resolve(named)
    assert error.value.path == str(conf / "core-site.xml")
    (conf / "core-site.xml").write_text("<configuration/>")
    for master in ("spark://host:7077", "local[2]", "k8s://https://host"):
        kernel = resolve(named._replace(master=master))
        assert environment(kernel)["HADOOP_CONF_DIR"] == str(conf)
    found = {"PATH": "/nowhere", "HADOOP_CONF_DIR": "/nowhere"}
    assert kernel_options.resolve(options, found)[0].hadoop_conf_dir == ""


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"name": "a/b"}, "--name is not a valid kernel name"),
        ({"name": ""}, "--name is not a valid kernel name"),
        ({"master": "yarn;x"}, "--master is not a supported cluster URL"),
        ({"master": "spark://$HOST"}, "--master is not a supported cluster URL"),
        ({"deploy_mode": "cluster"}, "the notebook is the driver"),
        ({"conf": ("spark.x",)}, "--conf cannot be read"),
        ({"conf": ("x=1",)}, 'does not begin with "spark."'),
        ({"conf": ("spark.x=1\n2",)}, "--conf cannot be read"),
        ({"env": ("1A=x",)}, "--env cannot be read"),
        ({"env": ("A=\0",)}, "--env cannot be read"),
        ({"worker_python": "/opt/$x/python"}, "must not contain $"),
        ({"yarn_conf_dir": "/etc/hadoop/conf"}, "--yarn-conf-dir needs --master yarn"),
    ],
)
def test_a_value_that_cannot_be_used(options, changes, message):
    """Exit code 2, and what was expected or found."""
    with pytest.raises(Usage) as error:
        resolve(options._replace(**changes))
    assert message in error.value.message and (error.value.expected or error.value.found)


def test_a_fault_of_the_host_is_refused(options, host):
    """Exit code 5: two minor Pythons, a Java that is gone."""
    old = make_python(str(host / "old"), "3.8")
    new = make_python(str(host / "new"), "3.9")
    pythons = options._replace(python=old, worker_python=new)
    for wrong in (pythons, options._replace(java_home="/nowhere")):
        with pytest.raises(Refused):
            resolve(wrong)
