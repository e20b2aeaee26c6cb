"""``python -m jhpatch``: the module that starts the command line, and its last words."""

import subprocess
import sys

import pytest

from testing import ROOT
from testing.commands import typed
from testing.notebook_site import env

__all__ = ["env"]


@pytest.mark.skipif(sys.version_info < (3, 7), reason="runpy itself may come from there")
def test_the_current_directory_is_not_imported_from(tmp_path, env):
    """A json.py that somebody left in root's current directory is not run."""
    for name in ("json.py", "argparse.py", "hashlib.py", "base64.py"):
        (tmp_path / name).write_text("raise SystemExit('planted')\n")
    done = typed("status", "--json", "--python", env.python, cwd=str(tmp_path))
    assert done.returncode == 3, done.stderr
    assert b"planted" not in done.stdout + done.stderr


@pytest.mark.parametrize("is_copy", [True, False])
def test_the_script_of_a_copied_environment(tmp_path, env, is_copy):
    """Its first line names the Python of the original: nothing is done there by mistake."""
    (tmp_path / "copy/bin").mkdir(parents=True)
    script = tmp_path / "copy/bin/jhpatch"
    text = "#!%s\nimport sys; sys.path.insert(0, %r)\n" % (sys.executable, ROOT)
    script.write_text(text + "from jhpatch.__main__ import main; sys.exit(main())\n")
    script.chmod(0o755)
    if is_copy:
        (tmp_path / "copy/pyvenv.cfg").write_text("home = /usr/bin\n")
    argv = [str(script), "status", "--python", env.python]
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd="/")
    assert done.returncode == (2 if is_copy else 3)
    assert (b"another environment" in done.stderr) == is_copy


@pytest.mark.parametrize("option", ["-O", "-I"])
def test_interpreters_with_options(env, option):
    """jhpatch runs with -O, and isolated with -I."""
    code = (
        "import sys; sys.path.insert(0, %r); from jhpatch.cli.main import main; sys.exit(main())"
    )
    argv = [sys.executable, option, "-c", code % ROOT, "status", "--python", env.python]
    assert subprocess.run(argv, stdout=subprocess.PIPE, cwd="/").returncode == 3


@pytest.mark.parametrize(
    "error, words",
    [
        ("OSError(12, 'Cannot allocate memory')", "out of memory"),
        ("MemoryError()", "out of memory"),
        ("OSError(5, 'Input/output error')", "cannot print the result (OSError)"),
        ("TypeError('takes 1 positional argument')", "cannot print the result (TypeError)"),
    ],
)
def test_a_result_that_cannot_be_printed_is_one_line(error, words):
    """Memory that ends during an import, or a bug, is one line; -v shows where."""
    script = "import jhpatch.__main__ as main; from jhpatch.cli import main as cli\n"
    script += "def fail(): raise %s\ncli.main = fail\nraise SystemExit(main.main())" % error
    for verbose in ([], ["-v"]):
        done = subprocess.run(
            [sys.executable, "-c", script] + verbose,
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert (done.returncode, done.stdout) == (1, b"")
        text = done.stderr.decode()
        shown = bool(verbose) and error != "MemoryError()"
        assert ("Traceback" in text) == shown
        assert shown or text == "jhpatch: %s; no site is half changed\n" % words
