"""kernel.json: values in, the same text out each time, and a shell's words that Spark reads."""

import ast
import json
import os
import shlex

import pytest

from jhpatch.deployed.reasons import CAUSES
from jhpatch.spark import kernelspec
from testing import ROOT
from testing.pages import documented, table_of
from tests.spark.one_kernel import ONE

GOLDEN = os.path.join(ROOT, "tests", "spark", "golden")
KERNELS = {
    "yarn": ONE,
    "lazy": ONE._replace(lazy=True, idle_stop=30.0, conf=(("spark.yarn.queue", "a b"),)),
    "spark1": ONE._replace(spark="1.6.3", master="yarn", worker_python="/usr/bin/python3.6"),
    "local": ONE._replace(master="local[2]", hadoop_conf_dir="", env=(("A", "$HOME"),)),
}


@pytest.mark.parametrize("name", sorted(KERNELS))
def test_the_file_is_as_it_was(name):
    """Byte for byte the file in golden/: who changes it sees it in the diff."""
    with open(os.path.join(GOLDEN, name + ".json")) as file:
        assert kernelspec.kernel_json(KERNELS[name]) == file.read()


@pytest.mark.parametrize(
    "value", ["a b", "a'b", 'a"b', "$(id)", "a;b", "a\\b", "pyspark-shell", ""]
)
def test_no_value_breaks_out_of_its_setting(value):
    """Spark splits the words as a shell does: each comes back as it was given."""
    words = shlex.split(kernelspec.submit_args(ONE._replace(conf=(("spark.x", value),))))
    assert words[-1] == "pyspark-shell"
    assert words[words.index("--conf") + 1 : -1].count("spark.x=" + value) == 1


def test_jupyterlab_shows_the_debugger_where_the_kernel_has_one():
    """``metadata.debugger``, as jupyter_client passes it on."""
    for debugger in (True, False):
        document = json.loads(kernelspec.kernel_json(ONE._replace(debugger=debugger)))
        assert document["metadata"].get("debugger", False) is debugger


def test_the_startup_file_is_python_whatever_the_directory():
    """A quote in a path ends no string, and what is not ASCII is the same path."""
    for directory in ("/a'b", '/a"b', "/a\\b", "/\U0001f600", "/plain"):
        text = kernelspec.startup(ONE._replace(directory=directory))
        calls = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call)]
        begin = [call for call in calls if getattr(call.func, "id", "") == "_jhpatch_begin"]
        assert ast.literal_eval(begin[0].args[0]) == directory


def test_the_documented_table_is_the_code():
    """docs/pyspark.md has each cause with its severity, its meaning and its next step."""
    assert table_of("pyspark.md") == documented(CAUSES)
