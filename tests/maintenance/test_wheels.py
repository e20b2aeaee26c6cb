"""Wheels: their names, their files, and pip that downloads them."""

import os
import subprocess
import sys

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
    command, words = failed.value.next.parts
    assert words.startswith("; then name that directory with --wheels DIR; ")
    assert os.listdir(str(tmp_path / "kept")) == []
    made_wheel(str(tmp_path / "served"), "app", "2.0", {})
    with serving(str(tmp_path / "served")) as address:
        monkeypatch.setenv("PIP_INDEX_URL", address)
        arguments = [word.replace("DIR", str(tmp_path / "DIR")) for word in command.arguments]
        subprocess.run([sys.executable, "-m", command.module, *arguments], check=True)
    assert os.path.isfile(wheels.fetch("app", "2.0", str(tmp_path / "DIR")))


@pytest.mark.slow
def test_yanked_releases(tmp_path, monkeypatch):
    """pip leaves them out of its list, and names them where it finds none that is asked for."""
    for version in ("1.0", "1.1", "1.2"):
        made_wheel(str(tmp_path / "served"), "app", version, {})
    with serving(str(tmp_path / "served"), yanked=["1.1"]) as address:
        monkeypatch.setenv("PIP_INDEX_URL", address)
        assert wheels.released_versions("app") == ["1.2", "1.0"]
        assert wheels.yanked_versions("app") == ["1.1"]
    with serving(str(tmp_path / "served")) as address:
        monkeypatch.setenv("PIP_INDEX_URL", address)
        assert wheels.yanked_versions("app") == []


def test_a_pip_that_does_not_know_the_option(tmp_path, monkeypatch):
    """18.1, which Python 3.6 brings along, refuses it: the wheel is downloaded without it."""
    calls = []

    def run_pip(*arguments):
        calls.append(arguments)
        if "--ignore-requires-python" in arguments:
            refused = b"Usage: ...\n\nno such option: --ignore-requires-python\n"
            return subprocess.CompletedProcess(arguments, 2, b"", refused)
        made_wheel(arguments[arguments.index("--dest") + 1], "app", "1.0", {})
        return subprocess.CompletedProcess(arguments, 0, b"", b"")

    monkeypatch.setattr(wheels, "_run_pip", run_pip)
    assert wheels.fetch("app", "1.0", str(tmp_path)) == str(tmp_path / "app-1.0-py3-none-any.whl")
    assert len(calls) == 2 and calls[1][:2] == ("download", "--no-deps")


def test_where_wheels_install(tmp_path):
    """Packages, of ``.data/purelib`` too; a single module has no directory."""
    files = {"app/a.py": b"1\n", "app-1.0.data/purelib/more/b.py": b"2\n", "one.py": b"3\n"}
    wheel = made_wheel(str(tmp_path), "app", "1.0", files)
    assert wheels.top_directories(wheel) == {"app", "more", "app-1.0.dist-info"}
    assert wheels.read_files(wheel, ["more/b.py", "one.py", "x"]) == {
        "more/b.py": b"2\n",
        "one.py": b"3\n",
    }


def test_the_directory_is_a_file(tmp_path):
    """An error that names it."""
    (tmp_path / "file").write_text("")
    with pytest.raises(Failed) as failed:
        wheels.fetch("app", "1.0", str(tmp_path / "file"))
    assert failed.value.path == str(tmp_path / "file")


def test_pip_runs_no_module_of_the_current_directory(tmp_path, monkeypatch):
    """The directory, or PYTHONPATH, may be another user's, and jhpatch may run as root."""
    for name in ("here", "path"):
        (tmp_path / name).mkdir()
        for module in ("pip.py", "sitecustomize.py"):
            text = "open(%r, 'w')\n" % str(tmp_path / "was_run")
            (tmp_path / name / module).write_text(text)
    monkeypatch.chdir(str(tmp_path / "here"))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "path"))
    assert os.path.isabs(wheels.cache_directory())
    assert not (tmp_path / "was_run").exists()


def test_relative_paths(tmp_path, monkeypatch):
    """Those of the directory and of pip's variables are from the current directory."""
    made_wheel(str(tmp_path / "served"), "app", "1.0", {"a.py": b"a"})
    monkeypatch.chdir(str(tmp_path))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", "served nowhere")
    assert wheels.fetch("app", "1.0", "kept") == "kept/app-1.0-py3-none-any.whl"
    assert os.listdir(str(tmp_path / "kept")) == ["app-1.0-py3-none-any.whl"]
