"""Compiling sources and rebuilding .pyc files with the Python of a site."""

import glob
import os
import py_compile
import subprocess
import sys

import pytest

from jhpatch.errors import Failed
from jhpatch.installer import bytecode


@pytest.fixture(params=["ourselves", "the same program", "a child"])
def python(request, tmp_path_factory):
    """The Python of a site: None for the running one, a link to it, another program."""
    if request.param == "a child":
        child = tmp_path_factory.mktemp("child") / "python"
        child.write_text('#!/bin/sh\nexec "%s" "$@"\n' % sys.executable)
        child.chmod(0o755)
        return str(child)
    if request.param == "ourselves":
        return None
    link = tmp_path_factory.mktemp("link") / "python"
    link.symlink_to(sys.executable)
    return str(link)


def test_the_program_that_runs_us_is_not_started_again(tmp_path, monkeypatch):
    """A link to the running interpreter compiles in this process: a third of an apply less."""
    link = tmp_path / "python"
    link.symlink_to(sys.executable)
    (tmp_path / "a.py").write_text("a = 1\n")
    monkeypatch.setattr(subprocess, "run", None)
    code = bytecode.check(str(link), {"a.py": b"a = 1\n"})
    bytecode.rebuilder(str(link), str(tmp_path), code)(["__pycache__/a.%s.pyc" % code.tag])
    with pytest.raises(Failed) as failed:
        bytecode.check(str(link), {"a.py": b"a = = 1\n"})
    assert str(link) in failed.value.expected


def test_a_source_that_does_not_compile_is_named(python):
    """The interpreter that will import a source compiles it; the error names the file."""
    bytecode.check(
        python, {"a.py": b"a = 1\n", "b.py": b"# -*- coding: utf-8 -*-\nb = '\xc3\xa4'\n"}
    )
    with pytest.raises(Failed) as failed:
        bytecode.check(python, {"a.py": b"a = 1\n", "b.py": b"b = = 1\n"}, "/site")
    error = failed.value
    assert (error.path, error.message) == ("/site/b.py", "a patched file does not compile")
    assert error.found.startswith("invalid syntax") and "correct the patch" in error.next.parts[0]


@pytest.mark.parametrize("text", ["#!/bin/sh\nexit 1\n", "#!/bin/sh\necho nonsense\n", "nothing"])
def test_an_interpreter_that_does_not_work_is_an_error(tmp_path, text):
    """A Python that fails, prints something else or cannot be run is an error that names it."""
    python = tmp_path / "python"
    python.write_text(text)
    python.chmod(0o755)
    with pytest.raises(Failed) as failed:
        bytecode.check(str(python), {"a.py": b""})
    assert failed.value.path == str(python)


def test_a_pyc_is_rebuilt_only_where_there_was_one(tmp_path, python):
    """Only the .pyc files that were removed are rebuilt, for the tag of the site's Python."""
    tag = sys.implementation.cache_tag
    (tmp_path / "app/__pycache__").mkdir(parents=True)
    (tmp_path / "app/a.py").write_text("a = 1\n")
    (tmp_path / "app/b.py").write_text("b = 1\n")
    names = ["a.%s.pyc" % tag, "a.%s.opt-1.pyc" % tag, "a.other-27.pyc"]
    rebuild = bytecode.rebuilder(python, str(tmp_path))
    rebuild(["app/__pycache__/" + name for name in names] + ["app/gone.pyc"])
    assert sorted(os.listdir(str(tmp_path / "app/__pycache__"))) == sorted(names[:2])


def test_another_minor_rebuilds_its_own(tmp_path):
    """The Python of another minor version writes its own .pyc."""
    others = sorted(glob.glob(os.path.expanduser("~/.pyenv/versions/3.*/bin/python3.[0-9]*")))
    others = [path for path in others if path[-1].isdigit()]
    if not others:
        pytest.skip("no other Python here")
    (tmp_path / "app/__pycache__").mkdir(parents=True)
    (tmp_path / "app/a.py").write_text("a = 1\n")
    tag = "cpython-" + os.path.basename(others[0])[len("python") :].replace(".", "")
    bytecode.rebuilder(others[0], str(tmp_path))(["app/__pycache__/a.%s.pyc" % tag])
    assert os.listdir(str(tmp_path / "app/__pycache__")) == ["a.%s.pyc" % tag]


def test_what_was_compiled_ahead_is_not_compiled_again(tmp_path, monkeypatch, python):
    """The code of the check becomes the .pyc that py_compile writes, without a new process."""
    tag = sys.implementation.cache_tag
    names = ["app/__pycache__/%s.%s.pyc" % (module, tag) for module in "abc"]
    (tmp_path / "app/__pycache__").mkdir(parents=True)
    sources = {"app/%s.py" % module: b"def f():\n    return 1\n" for module in "abc"}
    for path, data in sources.items():
        (tmp_path / path).write_bytes(data)
    code = bytecode.check(python, sources, str(tmp_path))
    rebuild = bytecode.rebuilder(python, str(tmp_path), code)
    with monkeypatch.context() as patched:
        patched.setattr(bytecode, "_ask", None)
        patched.setattr(bytecode.compiler, "rebuild", None)
        rebuild(names[:2] + ["app/__pycache__/a.other-27.pyc"])
    assert len(os.listdir(str(tmp_path / "app/__pycache__"))) == 2
    for name, module in zip(names, "ab"):
        made = (tmp_path / name).read_bytes()
        py_compile.compile(str(tmp_path / ("app/%s.py" % module)), str(tmp_path / name))
        assert made == (tmp_path / name).read_bytes()
    (tmp_path / "app/c.py").write_bytes(b"changed = since\n")
    rebuild(names[2:])
    assert b"since" in (tmp_path / names[2]).read_bytes()
