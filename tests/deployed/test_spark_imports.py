"""What follows an import of pyspark in a kernel."""

import importlib
import sys
import types
import zipfile

import pytest

from jhpatch.deployed import spark_imports
from testing.spark_homes import write


@pytest.fixture
def imported(monkeypatch, tmp_path):
    """The names that a finder in sys.meta_path has seen, each with the last line of its module."""
    seen = []
    finder = spark_imports.Finder(lambda module: seen.append((module.__name__, module.LAST)))
    monkeypatch.setattr(sys, "meta_path", [finder] + sys.meta_path)
    monkeypatch.syspath_prepend(str(tmp_path / "place"))
    for name in [name for name in sys.modules if name.partition(".")[0] == "pyspark"]:
        monkeypatch.delitem(sys.modules, name)
    yield seen
    for name in [name for name in sys.modules if name.partition(".")[0] == "pyspark"]:
        del sys.modules[name]


FILES = {"pyspark/__init__.py": "import pyspark.sql\nLAST = 1\n", "pyspark/sql.py": ""}


@pytest.mark.parametrize("kind", ["directory", "zip"])
def test_it_follows_once_the_module_is_whole(imported, tmp_path, kind):
    """Also from a zip file, whose loader is an old one before Python 3.10."""
    for name, text in FILES.items():
        if kind == "directory":
            write(str(tmp_path / "place" / name), text)
        else:
            with zipfile.ZipFile(str(tmp_path / "place"), "a") as archive:
                archive.writestr(name, text)
    importlib.invalidate_caches()
    module = importlib.import_module("pyspark")
    importlib.import_module("pyspark.sql")
    assert imported == [("pyspark", 1)]
    assert type(module.__loader__).__module__ != spark_imports.__name__


def test_nothing_follows_an_import_that_fails(imported, tmp_path):
    """The error is the module's own."""
    write(str(tmp_path / "place" / "pyspark" / "__init__.py"), "LAST = 1 / 0")
    importlib.invalidate_caches()
    with pytest.raises(ZeroDivisionError):
        importlib.import_module("pyspark")
    assert imported == []


def test_a_python_without_pyspark_says_so(imported):
    """As without the finder."""
    with pytest.raises(ImportError):
        importlib.import_module("pyspark")


class Session:
    """A session that notes what it is asked for."""

    def __init__(self):
        self.objects, self.noticed = {}, 0

    def notice(self):
        self.noticed += 1

    def get(self, name):
        return "the kernel's " + name


@pytest.fixture
def taught(monkeypatch):
    """pyspark's classes, and the session that they know."""

    class SparkContext:
        def stop(self):
            """Stop it."""

    class SparkSession:
        current = None

        @classmethod
        def getActiveSession(cls):
            return cls.current

    session = Session()
    monkeypatch.setitem(
        sys.modules, "pyspark.sql", types.SimpleNamespace(SparkSession=SparkSession)
    )
    spark_imports.teach(types.SimpleNamespace(SparkContext=SparkContext), session)
    return session, SparkContext, SparkSession


def test_a_stop_is_noticed(taught):
    """And the method keeps its documentation."""
    session, context, _ = taught
    context().stop()
    assert session.noticed == 1 and context.stop.__doc__ == "Stop it."


def test_the_active_session_is_the_kernels_where_there_is_no_other(taught):
    """One that the user has made active counts more."""
    session, _, kind = taught
    assert kind.getActiveSession() == "the kernel's spark"
    session.objects = {"spark": 1}
    kind.current = "a new session of the user's"
    assert kind.getActiveSession() == kind.current
