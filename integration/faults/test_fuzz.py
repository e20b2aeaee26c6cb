"""Coverage-guided fuzzing of the parsers; the inputs that it found lie in fuzz/corpus."""

import glob
import importlib
import os
import subprocess
import sys

import pytest

from integration.faults.watched import bounded
from testing import ROOT

HERE = os.path.join(ROOT, "tests", "faults", "fuzz")
TARGETS = ["header", "diff", "ccache"]
SECONDS = 300


@pytest.mark.parametrize("name", TARGETS)
def test_the_corpus_holds(name, tally):
    """Every input that once reached something new still gets what is promised, in time."""
    check = importlib.import_module("integration.faults.fuzz." + name).target()
    paths = sorted(glob.glob(os.path.join(HERE, "corpus", name, "*")))
    assert paths
    for path in paths:
        with open(path, "rb") as file:
            data = file.read()
        with bounded():
            check(data)
    tally("fuzzing, inputs of the corpus: " + name, len(paths))


def test_the_corpus_is_small():
    """What is kept in the repository can be read by a person."""
    paths = glob.glob(os.path.join(HERE, "corpus", "*", "*"))
    assert len(paths) < 200 and sum(map(os.path.getsize, paths)) < 300 * 1024


@pytest.mark.parametrize("name", TARGETS)
def test_new_inputs_hold(name, tmp_path, thorough, tally):
    """Some minutes of atheris from the corpus on: no crash, no hang, bounded memory."""
    if not thorough:
        pytest.skip("fuzzing takes minutes: --long")
    pytest.importorskip("atheris", reason="atheris is not installed")
    done = subprocess.run(
        [
            *(sys.executable, os.path.join(HERE, name + ".py"), str(tmp_path)),
            *(os.path.join(HERE, "corpus", name), "-max_total_time=%d" % SECONDS),
            *("-timeout=10", "-rss_limit_mb=2000", "-max_len=4000"),
            "-artifact_prefix=%s/" % tmp_path,
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=SECONDS + 120,
    )
    said = done.stdout.decode("utf-8", "replace")
    assert done.returncode == 0, said[-3000:]
    runs = int(said.rpartition("Done ")[2].split()[0])
    assert runs > 1000
    tally("fuzzing, new inputs: " + name, runs)
