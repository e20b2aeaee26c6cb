"""The files of a release, from a wheel on the disk or from an index through a real pip."""

import os

import pytest

from jhpatch.errors import Failed, Usage
from jhpatch.maintenance import wheels
from testing.index import made_wheel, serving


@pytest.mark.parametrize(
    "name, expected",
    [
        ("app-1.0-py3-none-any.whl", ("app", "1.0")),
        ("/a/Jupyter_Server-2.0rc1-1-py2.py3-none-any.whl", ("Jupyter_Server", "2.0rc1")),
    ],
)
def test_the_release_of_a_wheel(name, expected):
    """Distribution and version stand in the file's name (PEP 427)."""
    assert wheels.release_of(name) == expected


@pytest.mark.parametrize("name", ["app.zip", "app-1.0.tar.gz", "app-1.0-py3.whl", ""])
def test_a_name_of_another_form_is_a_usage_error(name):
    """It names the file and the form."""
    with pytest.raises(Usage) as refused:
        wheels.release_of(name)
    assert refused.value.path == name and "<distribution>" in refused.value.expected


def test_files_of_a_wheel(tmp_path):
    """The bytes by path; files that are missing or too large are left out."""
    files = {"app/a.py": b"a = 1\n", "app/large.py": b"\n" * (17 << 20)}
    wheel = made_wheel(str(tmp_path), "app", "1.0", files)
    found = wheels.files_of(wheel, ["app/a.py", "app/large.py", "app/gone.py"])
    assert found == {"app/a.py": b"a = 1\n"}


@pytest.mark.parametrize("kind", ["missing", "no zip", "a directory"])
def test_a_wheel_that_cannot_be_read(tmp_path, kind):
    """An error with the path and the command that brings the wheel."""
    path = tmp_path / "app-1.0-py3-none-any.whl"
    if kind == "no zip":
        path.write_bytes(b"PK\x05\x06 no zip")
    elif kind == "a directory":
        path.mkdir()
    with pytest.raises(Failed) as failed:
        wheels.files_of(str(path), ["app/a.py"])
    assert failed.value.path == str(path) and failed.value.next is not None


def test_a_wheel_that_is_there_is_not_downloaded(tmp_path, monkeypatch):
    """A wheel in the directory counts under each spelling of its distribution."""
    monkeypatch.setattr(wheels, "_pip", None)
    made = made_wheel(str(tmp_path), "Our_App", "1.0", {})
    assert wheels.wheel_of("our-app", "1.0", str(tmp_path)) == made


def test_pip_brings_a_wheel_and_lists_releases(tmp_path, monkeypatch):
    """From an index: the wheel is kept, releases are listed with prereleases, newest first."""
    served, kept = str(tmp_path / "served"), str(tmp_path / "kept")
    for version in ("1.0", "1.10", "1.9", "2.0rc1"):
        made_wheel(served, "app", version, {"app/a.py": version.encode()})
    with serving(served) as address:
        monkeypatch.setenv("PIP_INDEX_URL", address)
        path = wheels.wheel_of("app", "1.10", kept)
        assert wheels.released("app") == ["2.0rc1", "1.10", "1.9", "1.0"]
    assert os.listdir(kept) == [os.path.basename(path)]
    assert wheels.files_of(path, ["app/a.py"]) == {"app/a.py": b"1.10"}


def test_an_index_that_does_not_answer(tmp_path, monkeypatch):
    """pip's last words are the error, and its command the next step."""
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "0")
    with pytest.raises(Failed) as failed:
        wheels.wheel_of("app", "1.0", str(tmp_path))
    assert failed.value.message.startswith("pip download failed: ")
    assert failed.value.next.parts[0].module == "pip" and os.listdir(str(tmp_path)) == []


def test_a_directory_for_wheels(tmp_path):
    """The one that is named stays; without a name one is made that is removed again."""
    with wheels.kept_in(str(tmp_path)) as directory:
        assert directory == str(tmp_path)
    with wheels.kept_in(None) as directory:
        assert os.listdir(directory) == []
    assert tmp_path.exists() and not os.path.exists(directory)
