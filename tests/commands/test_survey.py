"""``jhpatch survey``: what the package index has, and what of it no patch names."""

import hashlib
import os
import subprocess
import sys

import pytest

from testing import ROOT
from testing.index import made_wheel, serving
from testing.patch_files import PATH, UPSTREAM, patch_text, put

OTHER = UPSTREAM + b"# changed\n"


@pytest.fixture
def patches(tmp_path):
    """Patches for ``app`` 1.0 to 1.2 and, of another slug, 1.0; 3 needs none."""
    patches = str(tmp_path / "patches")
    put(patches, patch_text())
    return patches


@pytest.fixture
def survey(jhpatch, patches, tmp_path, monkeypatch):
    """Runs ``survey app`` over an index that has the wheels ``{version: bytes}``."""

    def call(releases, *arguments):
        served = str(tmp_path / "served")
        for version, data in releases.items():
            made_wheel(served, "app", version, {} if data is None else {PATH: data})
        with serving(served) as address:
            monkeypatch.setenv("PIP_INDEX_URL", address)
            return jhpatch(None, "survey", "app", "--patches", patches, *arguments)

    return call


def states(answer):
    """The state of each release."""
    return {row["version"]: row["state"] for row in answer.document["releases"]}


@pytest.mark.slow
def test_all_covered(survey):
    """Nothing to do: exit code 0."""
    answer = survey({"1.0": UPSTREAM, "1.1": UPSTREAM, "1.2": UPSTREAM})
    assert answer.code == 0
    assert states(answer) == {"1.2": "covered", "1.1": "covered", "1.0": "covered"}


@pytest.mark.slow
def test_what_is_new(survey):
    """Exit code 3: known bytes, unknown bytes, a file that is gone, a prerelease that is out."""
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
    rows = {row["version"]: row for row in answer.document["releases"]}
    assert rows["1.2.1"]["editions"] == ["1.0-hooks"]
    assert rows["1.2.1"]["uncovered"] == rows["1.3"]["uncovered"] == ["app/hooks"]
    assert rows["1.3"]["reason"] == "no patch file of app/hooks fits the release"
    assert rows["1.4"]["reason"] == "the release has no " + PATH


@pytest.mark.slow
def test_a_release_needs_an_edition_of_each_patch(survey, patches):
    """Two patches, and one of them names the release."""
    other = hashlib.sha256(OTHER).hexdigest()
    text = patch_text(versions="==1.0").replace(PATH, "app/other.py")
    put(patches, text, "1.0-more.patch")
    put(patches, text.replace("==1.0", "==1.2"), "1.2-more.patch")
    answer = survey({"1.0": UPSTREAM, "1.1": UPSTREAM, "1.2": UPSTREAM})
    assert states(answer) == {"1.0": "covered", "1.1": "new", "1.2": "covered"}
    assert other not in str(answer.document)


@pytest.mark.slow
def test_what_to_type_next(survey, capsys, patches, tmp_path, monkeypatch):
    """A person is told the first release that asks for something, and the command."""
    from jhpatch.cli.main import main

    survey({"1.0": UPSTREAM, "1.3": OTHER})
    with serving(str(tmp_path / "served")) as address:
        monkeypatch.setenv("PIP_INDEX_URL", address)
        assert main(["survey", "app", "--patches", patches]) == 3
    out, talk = capsys.readouterr()
    assert talk == "app 1.3\napp 1.0\n"  # it takes minutes: the release that it is at
    out = out.splitlines()
    assert out[0] == "app 1.3 new (no patch file of app/hooks fits the release)"
    assert out[1] == "app: 2 releases: 1 covered, 1 new"
    assert out[2].endswith("-m jhpatch rebase --patches %s app/hooks --to 1.3" % patches)


@pytest.mark.slow
@pytest.mark.skipif(sys.version_info < (3, 8), reason="rebase itself needs Python 3.8")
def test_the_scheduled_report(survey, patches, tmp_path):
    """tools/survey.py: a row for each release, a candidate where rebase is sure, exit code 3."""
    moved = UPSTREAM.replace(b"import json", b"import json\nimport os")
    survey({"1.0": UPSTREAM, "1.3": moved, "1.4": UPSTREAM.replace(b"def _save", b"def save")})
    script = os.path.join(ROOT, "tools", "survey.py")
    with serving(str(tmp_path / "served")) as address:
        done = subprocess.run(
            [sys.executable, script, str(tmp_path / "found"), "--patches", patches, "app"],
            env=dict(os.environ, PIP_INDEX_URL=address, PYTHONPATH=ROOT),
            stdout=subprocess.PIPE,
        )
    assert done.returncode == 3
    lines = done.stdout.decode().splitlines()
    assert lines[2].startswith("| app/hooks | 1.4 | new | a person is needed: ContentsHandler._sa")
    assert lines[3] == "| app/hooks | 1.3 | new | a candidate, app-hooks-1.3.txt |"
    with open(str(tmp_path / "found" / "app-hooks-1.3.txt")) as file:
        assert file.read() == patch_text(moved, versions="==1.3")
    assert not os.path.exists(os.path.join(patches, "app", "1.3-hooks.patch"))


def test_an_index_that_does_not_answer(jhpatch, patches, monkeypatch):
    """Exit code 1 and pip's own words; never "all covered"."""
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "0")
    answer = jhpatch(None, "survey", "app", "--patches", patches)
    assert answer.code == 1
    assert answer.error["message"].startswith("pip index failed")


def test_an_unknown_distribution(jhpatch, patches):
    """Exit code 2, and those that there are."""
    answer = jhpatch(None, "survey", "nonsense", "--patches", patches)
    assert (answer.code, answer.error["found"]) == (2, "nonsense")
    assert "app" in answer.error["expected"]
