"""Wheels: their names, their files, and pip that downloads them."""

import os

import pytest

from jhpatch.errors import Failed, Usage
from jhpatch.maintenance import wheels
from testing.index import made_wheel, serving


@pytest.mark.parametrize(
    "name, release",
    [
        ("app-1.0-py3-none-any.whl", ("app", "1.0")),
        ("/a/b/jupyter_server-2.0rc1-py2.py3-none-any.whl", ("jupyter_server", "2.0rc1")),
        ("app-1.0-2-cp311-cp311-linux_x86_64.whl", ("app", "1.0")),
        ("app-1.0.tar.gz", None),
        ("app.whl", None),
        ("app-1.0-py3-none-any.zip", None),
    ],
)
def test_the_release_of_a_wheel(name, release):
    """As PEP 427 has it in the file's name; any other name is a usage error."""
    if release is None:
        with pytest.raises(Usage):
            wheels.release_of(name)
    else:
        assert wheels.release_of(name) == release


def test_the_files_of_a_wheel(tmp_path):
    """Those that it has, up to 16 MiB each; what is no wheel is an error."""
    large = b"x" * (17 << 20)
    wheel = made_wheel(str(tmp_path), "app", "1.0", {"app/a.py": b"a", "app/large.py": large})
    assert wheels.read_files(wheel, ["app/a.py", "app/large.py", "app/b.py"]) == {"app/a.py": b"a"}
    for path in ("/nowhere/app-1.0-py3-none-any.whl", __file__):
        with pytest.raises(Failed):
            wheels.read_files(path, ["app/a.py"])


def test_a_directory_for_downloads(tmp_path):
    """The one that is named stays; another is temporary."""
    with wheels.directory_for_downloads(str(tmp_path)) as directory:
        assert directory == str(tmp_path)
    with wheels.directory_for_downloads(None) as directory:
        assert os.listdir(directory) == []
    assert tmp_path.exists() and not os.path.exists(directory)


@pytest.mark.slow
def test_a_wheel_is_downloaded_once(tmp_path, monkeypatch):
    """Into the directory, by its name; then it is there without an index."""
    made_wheel(str(tmp_path / "served"), "my_app", "1.0", {"a.py": b"a"})
    kept = str(tmp_path / "kept")
    with serving(str(tmp_path / "served")) as address:
        monkeypatch.setenv("PIP_INDEX_URL", address)
        wheel = wheels.fetch("my-app", "1.0", kept)
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    assert wheels.fetch("My.App", "1.0", kept) == wheel
    assert os.listdir(kept) == ["my_app-1.0-py3-none-any.whl"]


@pytest.mark.slow
def test_what_pip_does_not_find(tmp_path, monkeypatch):
    """Its own last line and its exit code; nothing stays in the directory."""
    made_wheel(str(tmp_path / "served"), "app", "1.0", {})
    with serving(str(tmp_path / "served")) as address:
        monkeypatch.setenv("PIP_INDEX_URL", address)
        with pytest.raises(Failed) as failed:
            wheels.fetch("app", "2.0", str(tmp_path / "kept"))
        assert wheels.released_versions("app") == ["1.0"]
    assert failed.value.message.startswith("pip download failed: ")
    assert "app==2.0" in failed.value.next.parts[0].arguments
    assert os.listdir(str(tmp_path / "kept")) == []


def test_the_directory_is_a_file(tmp_path):
    """An error that names it."""
    (tmp_path / "file").write_text("")
    with pytest.raises(Failed) as failed:
        wheels.fetch("app", "1.0", str(tmp_path / "file"))
    assert failed.value.path == str(tmp_path / "file")
