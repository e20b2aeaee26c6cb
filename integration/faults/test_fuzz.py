"""Coverage-guided fuzzing of the parsers, from the inputs of fuzz/corpus.jsonl on."""

import importlib
import os
import subprocess
import sys

import pytest

from integration.faults.fuzz import corpus
from integration.faults.watched import bounded

FUZZ = os.path.dirname(corpus.FILE)
TARGETS = ["header", "diff", "ccache"]
SECONDS = 300


@pytest.mark.parametrize("name", TARGETS)
def test_the_corpus_holds(name, tally):
    """Every input that once reached something new still gets what is promised, in time."""
    check = importlib.import_module("integration.faults.fuzz." + name).target()
    inputs = corpus.inputs(name)
    assert inputs
    for data in inputs.values():
        with bounded():
            check(data)
    tally("fuzzing, inputs of the corpus: " + name, len(inputs))


def test_the_corpus_is_small():
    """What is kept in the repository can be read by a person."""
    assert len(corpus.rows()) < 200 and os.path.getsize(corpus.FILE) < 300 * 1024


def test_an_input_is_added_once(tmp_path):
    """Another input is a row more; the same bytes under another name are none."""
    path = tmp_path / "corpus.jsonl"
    path.write_text("")
    for name, data in (("b", b"\xff\0\n"), ("a", b""), ("c", b"")):
        (tmp_path / name).write_bytes(data)
        corpus.add("diff", [str(tmp_path / name)], str(path))
    assert corpus.rows(str(path)) == [("diff", "a", b""), ("diff", "b", b"\xff\0\n")]


@pytest.mark.parametrize("name", TARGETS)
def test_new_inputs_hold(name, tmp_path, thorough, tally):
    """Some minutes of atheris from the corpus on: no crash, no hang, bounded memory."""
    if not thorough:
        pytest.skip("fuzzing takes minutes: --long")
    pytest.importorskip("atheris", reason="atheris is not installed")
    new, known = tmp_path / "new", tmp_path / "known"
    new.mkdir()
    known.mkdir()
    corpus.unpack(name, str(known))
    done = subprocess.run(
        [
            *(sys.executable, os.path.join(FUZZ, name + ".py"), str(new)),
            *(str(known), "-max_total_time=%d" % SECONDS),
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
