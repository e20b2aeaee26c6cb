"""A kernel's Python is asked what it is and what it would import."""

import os
import sys
import zipfile

import pytest

from jhpatch.spark import probe
from testing import pythons
from testing.spark_homes import make_spark, write


def test_this_python(tmp_path):
    """Its release, its ipykernel; pyspark from a directory and py4j from an archive."""
    home = make_spark(str(tmp_path / "spark"))
    write(home + "/python/pyspark/version.py", '__version__: str = "3.5.1"\n')
    archive = home + "/python/lib/py4j-0.10.9.7-src.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("py4j/__init__.py", "")
        file.writestr("py4j/version.py", "__version__ = '0.10.9.7'\n")
    environ = dict(os.environ, PYTHONPATH="%s/python:%s" % (home, archive))
    python, problem = probe.ask(sys.executable, environ, "no_such_kernel")
    assert problem == "" and python.release == sys.version_info[:2] and python.has_ipykernel
    assert python.pyspark == (home + "/python/pyspark", "3.5.1")
    assert python.py4j == (archive + "/py4j", "0.10.9.7")
    assert python.lacks == "no_such_kernel"


@pytest.mark.parametrize(
    "text, problem",
    [
        ("echo hello", "hello"),
        ("echo wrong >&2; exit 3", "wrong"),
        ("exit 3", "exit code 3"),
        ("echo 'jhpatch_probe {'", "jhpatch_probe {"),
        ("echo 'jhpatch_probe []'", "jhpatch_probe []"),
    ],
)
def test_what_is_no_python(script, text, problem):
    """Its last words are the reason."""
    python, said = probe.ask(script(text), {"PATH": "/usr/bin:/bin"})
    assert python is None and problem in said


def test_a_program_that_is_not_there():
    """The operating system's words."""
    python, problem = probe.ask("/nowhere/python", {})
    assert python is None and problem.startswith("No such file or directory")


@pytest.mark.slow
@pytest.mark.skipif(not pythons.interpreter("2.7"), reason="takes a Python 2.7")
def test_an_old_python():
    """It answers too, and is refused for its release."""
    python, problem = probe.ask(pythons.interpreter("2.7"), {"PATH": "/usr/bin"})
    assert (python.release, problem) == ((2, 7), "")
