"""``jhpatch survey``: releases on the package index that no patch names."""

import hashlib
import os
import subprocess
import sys

import pytest
from packaging.version import Version

from jhpatch.cli.main import main
from jhpatch.maintenance import wheels
from jhpatch.patchset import edition
from testing import ROOT
from testing.index import made_wheel, serving
from testing.patch_files import PATH, UPSTREAM, patch_text, put

OTHER = UPSTREAM + b"# changed\n"


@pytest.fixture
def tree(tmp_path):
    """A patch directory with ``app/hooks`` for 1.0 to 1.2."""
    tree = str(tmp_path / "tree")
    put(tree, patch_text())
    return tree


@pytest.fixture
def survey(jhpatch, tree, tmp_path, monkeypatch):
    """Run ``survey app`` over the wheels ``{version: bytes}``, of which pip lists the releases."""

    def call(releases):
        edition._read.cache_clear()
        served = str(tmp_path / "served")
        for version, data in releases.items():
            made_wheel(served, "app", version, {} if data is None else {PATH: data})
        newest_first = sorted(releases, key=Version, reverse=True)
        monkeypatch.setattr(wheels, "released", lambda distribution: newest_first)
        return jhpatch(None, "survey", "app", "--patches", tree, "--wheels", served)

    return call


def states(answer):
    """The state of each release."""
    return {one["version"]: one["state"] for one in answer.document["releases"]}


def test_all_covered(survey):
    """A patch names each release: exit code 0."""
    answer = survey({"1.0": UPSTREAM, "1.1": UPSTREAM, "1.2": UPSTREAM})
    assert answer.code == 0
    assert states(answer) == {"1.2": "covered", "1.1": "covered", "1.0": "covered"}


def test_the_state_of_each_release(survey):
    """Exit code 3; each release has its state, with the reason for a new one."""
    answer = survey(
        {
            "0.9": OTHER,
            "1.0rc1": OTHER,
            "1.0": UPSTREAM,
            "1.2.1": UPSTREAM,
            "1.3rc1": OTHER,
            "1.3": OTHER,
            "1.4": None,
            "1.5b1": UPSTREAM,
            "1.2.post1": UPSTREAM,
        }
    )
    assert answer.code == 3
    assert states(answer) == {
        "0.9": "older",
        "1.0rc1": "older",
        "1.0": "covered",
        "1.2.1": "identical",
        "1.3rc1": "passed",
        "1.3": "new",
        "1.4": "new",
        "1.5b1": "identical",
        "1.2.post1": "identical",
    }
    rows = {one["version"]: one for one in answer.document["releases"]}
    assert rows["1.2.1"]["editions"] == ["1.0-hooks"]
    assert rows["1.2.1"]["uncovered"] == rows["1.3"]["uncovered"] == ["app/hooks"]
    assert rows["1.3"]["reason"] == "no patch knows its bytes for app/hooks"
    assert rows["1.4"]["reason"] == "it has no " + PATH


def test_a_release_needs_an_edition_of_each_patch(survey, tree):
    """A release that one of two patches names is not covered."""
    other = hashlib.sha256(OTHER).hexdigest()
    text = patch_text(versions="==1.0").replace(PATH, "app/other.py")
    put(tree, text, "1.0-more.patch")
    put(tree, text.replace("==1.0", "==1.2"), "1.2-more.patch")
    answer = survey({"1.0": UPSTREAM, "1.1": UPSTREAM, "1.2": UPSTREAM})
    assert states(answer) == {"1.0": "covered", "1.1": "new", "1.2": "covered"}
    assert other not in str(answer.document)


def test_the_next_command(capsys, tree, tmp_path, monkeypatch):
    """A person gets the first release that needs something, and the command."""
    served = str(tmp_path / "served")
    for version, data in (("1.0", UPSTREAM), ("1.3", OTHER)):
        made_wheel(served, "app", version, {PATH: data})
    with serving(served) as address:
        monkeypatch.setenv("PIP_INDEX_URL", address)
        assert main(["survey", "app", "--patches", tree, "--wheels", served]) == 3
    out = capsys.readouterr().out.splitlines()
    assert out[0] == "app 1.3 new (no patch knows its bytes for app/hooks)"
    assert out[1] == "app: 2 releases: 1 covered, 1 new"
    assert out[2].endswith("-m jhpatch rebase --patches %s app/hooks --to 1.3" % tree)


@pytest.mark.slow
@pytest.mark.skipif(sys.version_info < (3, 8), reason="rebase itself needs Python 3.8")
def test_the_scheduled_report(survey, tree, tmp_path):
    """tools/survey.py has a row for each release, and a candidate where rebase made one."""
    moved = UPSTREAM.replace(b"import json", b"import json\nimport os")
    survey({"1.0": UPSTREAM, "1.3": moved, "1.4": UPSTREAM.replace(b"def _save", b"def save")})
    script = os.path.join(ROOT, "tools", "survey.py")
    with serving(str(tmp_path / "served")) as address:
        done = subprocess.run(
            [sys.executable, script, str(tmp_path / "found"), "--patches", tree, "app"],
            env=dict(os.environ, PIP_INDEX_URL=address, PYTHONPATH=ROOT),
            stdout=subprocess.PIPE,
        )
    assert done.returncode == 3
    lines = done.stdout.decode().splitlines()
    assert lines[2].startswith("| app/hooks | 1.4 | new | a person is needed: ContentsHandler._sa")
    assert lines[3] == "| app/hooks | 1.3 | new | a candidate, app-hooks-1.3.txt |"
    with open(str(tmp_path / "found" / "app-hooks-1.3.txt")) as file:
        assert file.read() == patch_text(moved, versions="==1.3")
    assert not os.path.exists(os.path.join(tree, "app", "1.3-hooks.patch"))


@pytest.mark.slow
def test_an_index_that_does_not_answer(jhpatch, tree, monkeypatch):
    """Exit code 1 with pip's own words."""
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "0")
    answer = jhpatch(None, "survey", "app", "--patches", tree)
    assert answer.code == 1
    assert answer.error["message"].startswith("pip index failed")


def test_an_unknown_distribution(jhpatch, tree):
    """Exit code 2, with the distributions that have patches."""
    answer = jhpatch(None, "survey", "nonsense", "--patches", tree)
    assert (answer.code, answer.error["found"]) == (2, "nonsense")
    assert "app" in answer.error["expected"]
