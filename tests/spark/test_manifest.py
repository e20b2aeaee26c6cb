"""A kernel.json of anybody's: its values, what is wrong with it, and whether it is PySpark's."""

import json

import pytest

from jhpatch.spark import kernelspec, manifest
from tests.spark.one_kernel import ONE


def parsed(document):
    """The values of a document."""
    return manifest.parse(json.dumps(document).encode())


def test_what_is_written_is_parsed_again():
    """As jhpatch's own; the same file without jhpatch's metadata is another's."""
    text = kernelspec.kernel_json(ONE)
    spec = manifest.parse(text.encode())
    assert spec.ours and spec.spark == "3.5.1" and spec.python == ONE.python
    assert spec.environment == kernelspec.environment(ONE)
    spec = parsed(dict(json.loads(text), metadata={}))
    assert (spec.ours, spec.spark, spec.display_name) == (False, "", ONE.display_name)


@pytest.mark.parametrize(
    "document, problem",
    [
        (None, "not a JSON object"),
        ([], "not a JSON object"),
        ({}, "argv"),
        ({"argv": [], "env": {"SPARK_HOME": "/s"}}, "argv"),
        ({"argv": ["p", 1]}, "argv"),
        ({"argv": ["p"], "env": []}, "env is no"),
        ({"argv": ["p"], "env": {"SPARK_HOME": 1}}, "the value of SPARK_HOME in env"),
    ],
)
def test_a_kernelspec_that_jupyter_does_not_start(document, problem):
    """What it lacks is named."""
    assert problem in parsed(document).problem


@pytest.mark.parametrize("metadata", [1, None, {"jhpatch": 1}, {"jhpatch": {"schema": 2}}])
def test_other_metadata_is_not_jhpatchs(metadata):
    """Whatever its type."""
    assert not parsed({"argv": ["p"], "metadata": metadata}).ours


@pytest.mark.parametrize(
    "data, problem",
    [
        (b"", "line 1 column 1"),
        (b"\xef\xbb\xbf{}", "line 1 column 1 (char 0) (a byte order mark"),
        (b'{\n // Spark\n "argv": []}', "line 2 column 2 (char 3) (JSON has no comments)"),
        (b'{\n "argv": ["p"],\n}', "(a superfluous comma)"),
        (b'{"argv": ["p",]}', "(a superfluous comma)"),
        (b'{\n"argv": ["p"]\n"env": {}}', "line 3 column 1"),
        (b'{\n"a": "\xff"}', "byte 0xff in line 2"),
        (b"[" * 10**5, "nested too deeply"),
        (b"\0", "line 1 column 1"),
    ],
)
def test_what_is_not_json(data, problem):
    """The place, and the usual cause: a byte order mark, a comment, a comma."""
    found = manifest.parse(data).problem
    assert problem in found or (problem.startswith("nested") and found)


PLAIN = {"argv": ["/usr/bin/python3", "-m", "ipykernel_launcher"], "language": "python"}


@pytest.mark.parametrize(
    "changes, wanted",
    [
        ({}, False),
        ({"env": {"PATH": "/usr/bin"}}, False),
        ({"env": {"SPARK_HOME": "/s"}}, True),
        ({"env": {"PYSPARK_SUBMIT_ARGS": ""}}, True),
        ({"env": {"PYTHONPATH": "/opt/x/py4j-0.10.7-src.zip"}}, True),
        ({"env": {"PYTHONSTARTUP": "/opt/x/pyspark/shell.py"}}, True),
        ({"argv": ["/bin/bash", "-c", "export SPARK_HOME=/s; exec python -m ipykernel"]}, True),
        ({"argv": ["python", "-m", "sparkmagic.kernels.pysparkkernel.pysparkkernel"]}, True),
        ({"display_name": "PySpark 3"}, True),
        ({"argv": ["/opt/sparkling/bin/python3", "-m", "ipykernel_launcher"]}, False),
        ({"argv": ["/opt/bin/pyspark-kernel.sh", "{connection_file}"]}, True),
        ({"metadata": {"jhpatch": {"schema": 1}}}, True),
        ({"language": "scala", "env": {"SPARK_HOME": "/s"}}, False),
        ({"language": "R", "env": {"SPARK_HOME": "/s"}}, False),
    ],
)
def test_which_kernels_are_pysparks(changes, wanted):
    """However they start it; a Scala or R kernel is none, with the same Spark."""
    assert manifest.is_pyspark(parsed(dict(PLAIN, **changes)), "k") is wanted


def test_a_name_or_a_wrapper_makes_it_pysparks():
    """The directory's name, and the text of the script that starts it."""
    spec = parsed(dict(PLAIN, argv=["/opt/run.sh", "{connection_file}"]))
    assert manifest.is_pyspark(spec, "pyspark-etl")
    assert manifest.is_pyspark(spec, "etl", "exec spark-submit")
    assert not manifest.is_pyspark(spec, "etl", "exec python")


def test_a_broken_file_is_pysparks_if_it_mentions_spark():
    """Nothing else is known of it."""
    assert manifest.is_pyspark(manifest.parse(b'{"env": {"SPARK_HOME"}'), "k")
    assert not manifest.is_pyspark(manifest.parse(b"{"), "k")
