"""status is a command that people put into a prompt: it imports next to nothing."""

import os
import subprocess
import sys

import pytest

from testing import ROOT

HEAVY = (
    "dataclasses pathlib packaging importlib.metadata importlib_metadata email subprocess "
    "psutil patch_ng shutil difflib csv urllib typing_extensions tempfile"
).split()
SCRIPT = """
import argparse, sys
given = set(sys.modules)  # in Python 3.8 argparse itself imports shutil
from jhpatch.system import files
from jhpatch.cli.main import main
read = []
real = files._read
files._read = lambda path, *a, **b: read.append(path) or real(path, *a, **b)
code = main(["status", "--python", sys.argv[1]])
print(sorted((set(sys.modules) - given) & set(sys.argv[2:])), file=sys.stderr)
read = [path for path in read if path.endswith((".patch", ".py"))]
print(sorted({"/".join(path.split("/")[-2:]) for path in read}), file=sys.stderr)
sys.exit(code)
"""


@pytest.mark.parametrize("applied", [False, True], ids=["pristine", "applied"])
def test_what_status_imports(tmp_path, make_site, jhpatch, applied):
    """On a site with 100 distributions: nothing heavy, and only headers for what is installed."""
    env = make_site(tmp_path, [("notebook", "5.7.9")], slim=True)
    for number in range(100):
        folder = os.path.join(env.site, "other_%d-1.0.dist-info" % number)
        os.mkdir(folder)
        with open(os.path.join(folder, "METADATA"), "w") as file:
            file.write("Name: other-%d\nVersion: 1.0\n" % number)
    if applied:
        jhpatch(env, "apply")
    done = subprocess.run(
        [sys.executable, "-S", "-c", SCRIPT, env.python] + HEAVY,
        cwd="/",
        env={"PYTHONPATH": ROOT, "PATH": os.defpath},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    lines = done.stderr.decode().splitlines()
    assert done.returncode == (0 if applied else 3), lines
    assert lines[-2] == "[]"
    assert set(eval(lines[-1])) <= {
        "notebook/5.5.0-kerberos-open.patch",
        "notebook/5.2.0-kerberos-save.patch",
        "deployed/kerberos.py",
    }


@pytest.mark.parametrize(
    "error, words",
    [
        ("OSError(12, 'Cannot allocate memory')", "out of memory"),
        ("MemoryError()", "out of memory"),
        ("OSError(5, 'Input/output error')", "the result cannot be told (OSError)"),
        ("TypeError('takes 1 positional argument')", "the result cannot be told (TypeError)"),
    ],
)
def test_what_ends_the_telling_of_a_result_is_one_line(error, words):
    """Memory that ends in an import, or a fault of ours, of which -v shows where."""
    script = "import jhpatch.__main__ as main; from jhpatch.cli import main as cli\n"
    script += "def told(): raise %s\ncli.main = told\nraise SystemExit(main.main())" % error
    for verbose in ([], ["-v"]):
        done = subprocess.run(
            [sys.executable, "-c", script] + verbose,
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert (done.returncode, done.stdout) == (1, b"")
        said = done.stderr.decode()
        shown = bool(verbose) and error != "MemoryError()"
        assert ("Traceback" in said) == shown
        assert shown or said == "jhpatch: %s; nothing is left half done\n" % words
