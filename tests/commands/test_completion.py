"""``jhpatch completion``: the script of each shell, and a real bash that uses it."""

import importlib.util
import os
import shutil
import subprocess
import sys

import pytest

from jhpatch.commands import completion
from testing import ROOT


@pytest.mark.skipif(not importlib.util.find_spec("shtab"), reason="no shtab for this Python")
@pytest.mark.parametrize("shell", completion.SHELLS)
def test_the_scripts_are_those_of_the_parser(shell, jhpatch):
    """Made anew by tools/completions.py they are the same: each option is in them."""
    path = os.path.join(ROOT, "tools", "completions.py")
    spec = importlib.util.spec_from_file_location("completions", path)
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    if sys.version_info >= (3, 11):  # argparse's own words differ in older ones
        assert jhpatch(None, "completion", shell).document["script"] == tool.made(shell)


@pytest.mark.skipif(not shutil.which("bash"), reason="no bash")
@pytest.mark.parametrize(
    "words, wanted",
    [("kern", {"kernelspec"}), ("re", {"revert", "rebase"}), ("apply --dr", {"--dry-run"})],
)
def test_bash_completes(words, wanted):
    """A real bash completes commands and options with the script that the command prints."""
    script = 'eval "$("$0" -m jhpatch completion bash)"; COMP_WORDS=(jhpatch $1)\n'
    script += "COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _shtab_jhpatch; echo ${COMPREPLY[@]}\n"
    done = subprocess.run(
        ["bash", "-c", script, sys.executable, words],
        env={"PYTHONPATH": ROOT, "PATH": os.environ["PATH"]},
        cwd="/",
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert set(done.stdout.decode().split()) == wanted, done.stderr.decode()


@pytest.mark.skipif(not shutil.which("bash"), reason="no bash")
@pytest.mark.parametrize(
    "words, wanted",
    [
        ("-m jhpatch kern", {"kernelspec"}),
        ("-I -m jhpatch apply --dr", {"--dry-run"}),
        ("-m json kern", set()),
        ("script.py -m jhpatch kern", set()),
    ],
)
def test_bash_completes_the_module(words, wanted):
    """``python -m jhpatch`` is completed as ``jhpatch``; any other python is left alone."""
    script = 'eval "$("$0" -m jhpatch completion bash)"; COMP_WORDS=(python $1)\n'
    script += "COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _jhpatch_of_python; echo ${COMPREPLY[@]}\n"
    done = subprocess.run(
        ["bash", "--norc", "-c", script, sys.executable, words],
        env={"PYTHONPATH": ROOT, "PATH": os.environ["PATH"]},
        cwd="/",
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert set(done.stdout.decode().split()) == wanted, done.stderr.decode()


def test_a_missing_script_is_an_error(jhpatch, monkeypatch, tmp_path):
    """An incomplete installation: exit code 1, with the path and how to mend it."""
    monkeypatch.setattr(completion, "DIRECTORY", str(tmp_path))
    answer = jhpatch(None, "completion", "bash")
    assert (answer.code, answer.error["path"]) == (1, str(tmp_path / "jhpatch.bash"))
    assert "reinstall jhpatch" in answer.error["next"]
