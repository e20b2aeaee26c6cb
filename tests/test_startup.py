"""``status`` may stand in a prompt: it imports next to nothing."""

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
    """On a site of 100 distributions: no heavy module, and headers of installed ones alone."""
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
    } | {"kerberos/" + name for name in os.listdir(ROOT + "/jhpatch/deployed/kerberos")}
