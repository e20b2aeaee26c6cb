"""The compiler that a site's own Python runs: sources in, code or messages out."""

import json
import os
import subprocess
import sys

import pytest

from jhpatch.system import compiler
from testing import ROOT


def test_each_source_that_does_not_compile_is_named():
    """The answer has path and message of each broken source, and the code of the others."""
    code = {}
    sources = {"a.py": "a = 1\n", "b.py": "b = = 1\n", "c.py": "c = '\0'\n"}
    bad = compiler.check(sources, "/site", code)
    assert [path for path, _ in bad] == ["b.py", "c.py"] and all(text for _, text in bad)
    assert set(code) == (set() if sys.flags.optimize else {"a.py"})


def test_a_source_is_read_by_its_own_coding_line():
    """A source comes as Latin-1 and is compiled as the bytes that it stands for."""
    text = "# -*- coding: utf-8 -*-\na = '\u00e4'\n".encode().decode("latin-1")
    bad = compiler.check({"a.py": text, "b.py": "# coding: utf-8\nb = '\xff'\n"})
    assert [path for path, _ in bad] == ["b.py"]


def test_a_warning_is_no_error():
    """Python started with -W error compiles an invalid escape all the same."""
    code = "import sys; from jhpatch.system.compiler import check; "
    code += "sys.exit(len(check({'a.py': sys.argv[1]})))"
    argv = [sys.executable, "-W", "error", "-c", code, r"a = '\d'"]
    assert subprocess.run(argv, cwd=ROOT).returncode == 0


def test_as_a_script_it_answers_json(tmp_path):
    """Run by an isolated Python: a check, then the .pyc of a module."""

    def ask(job):
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-B", compiler.__file__],
            input=json.dumps(job).encode(),
            stdout=subprocess.PIPE,
            check=True,
        )
        return json.loads(done.stdout.decode("ascii"))

    answer = ask({"sources": {"a.py": "a = 1\n", "b.py": "("}, "site": str(tmp_path)})
    assert [path for path, _ in answer["bad"]] == ["b.py"] and list(answer["code"]) == ["a.py"]
    assert answer["tag"] == sys.implementation.cache_tag
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "a.py").write_text("a = 1\n")
    name = "__pycache__/a.%s.pyc" % answer["tag"]
    assert ask({"site": str(tmp_path), "dropped": [name]}) == []
    assert (tmp_path / name).exists()


@pytest.mark.parametrize("kind", ["the source", "the directory", "__pycache__"])
def test_nothing_is_compiled_through_a_symlink(tmp_path, kind):
    """A link in the place of a source or of a directory is not followed."""
    site, outside = tmp_path / "site", tmp_path / "outside"
    (outside / "__pycache__").mkdir(parents=True)
    (outside / "a.py").write_text("a = 1\n")
    (site / "app").mkdir(parents=True)
    if kind == "the directory":
        (site / "app").rmdir()
        (site / "app").symlink_to(outside)
    elif kind == "__pycache__":
        (site / "app/a.py").write_text("a = 1\n")
        (site / "app/__pycache__").symlink_to(outside / "__pycache__")
    else:
        (site / "app/__pycache__").mkdir()
        (site / "app/a.py").symlink_to(outside / "a.py")
    compiler.rebuild(str(site), ["app/__pycache__/a.%s.pyc" % sys.implementation.cache_tag])
    assert os.listdir(str(outside / "__pycache__")) == []
    assert kind != "the source" or os.listdir(str(site / "app/__pycache__")) == []


@pytest.mark.parametrize(
    "path, parts",
    [
        ("a/__pycache__/b.cpython-36.pyc", ("a/", "b", "cpython-36", None)),
        ("__pycache__/b.cpython-313.opt-2.pyc", ("", "b", "cpython-313", "2")),
        ("a/b.pyc", None),
        ("a/__pycache__/b.c.cpython-36.pyc", None),
    ],
)
def test_the_name_of_a_pyc(path, parts):
    """Directory, module, tag of the interpreter and level of optimization (PEP 3147, 488)."""
    match = compiler.PYC.match(path)
    assert (match and match.groups()) == parts
