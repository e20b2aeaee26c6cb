"""Kernelspecs on the disk: found, written with kernel.json last, and removed."""

import json
import os

import pytest

from jhpatch.errors import Failed, Refused, Usage
from jhpatch.spark import kernel_store, kernelspec
from testing.kernels import directory_of
from testing.spark_homes import write
from testing.users import ROOT_ONLY
from tests.spark.one_kernel import ONE

MODULES = {"jhpatch_%s.py" % name for name in kernelspec.MODULES} | {"jhpatch_spark_child.py"}
NAMES = sorted(MODULES | {"logo-32x32.png", "logo-64x64.png"}) + ["startup.py", "kernel.json"]


@pytest.fixture
def directory(host):
    """Where the user's kernel is written."""
    return str(directory_of(host))


@pytest.fixture
def files(directory):
    """The files of a kernel in that directory."""
    return kernel_store.files_of(ONE._replace(directory=directory))


def install(directory, files):
    """Writes what is stale, and returns its names."""
    stale = kernel_store.stale_files(directory, files)
    kernel_store.write(directory, {name: files[name] for name in stale})
    return stale


def test_only_what_is_stale_is_written(directory, files):
    """kernel.json is last; a file that was changed is replaced, and no other."""
    assert install(directory, files) == NAMES
    assert install(directory, files) == []
    write(os.path.join(directory, "startup.py"), "changed")
    assert install(directory, files) == ["startup.py"]
    assert kernel_store.read_spec(directory).ours


@pytest.mark.parametrize("umask", [0o022, pytest.param(0o077, marks=ROOT_ONLY)])
def test_every_user_can_read_what_is_written(directory, files, umask):
    """Directories 0755 and files 0644, whatever the umask: a kernel of root is for all users."""
    os.makedirs(os.path.dirname(os.path.dirname(directory)))
    before = os.umask(umask)
    try:
        install(directory, files)
    finally:
        os.umask(before)
    for path, mode in ((os.path.dirname(directory), 0o755), (directory, 0o755)):
        assert os.stat(path).st_mode & 0o777 == mode
    for name in files:
        assert os.stat(os.path.join(directory, name)).st_mode & 0o777 == 0o644


def test_the_directory_of_a_kernel(host):
    """The user's, a prefix's, or the system's; in lower case, as jupyter_client reads it."""
    place = kernel_store.directory_of("PySpark", True, None)
    assert place == str(directory_of(host))
    place = kernel_store.directory_of("a", False, str(host))
    assert place == str(host / "share" / "jupyter" / "kernels" / "a")
    place = kernel_store.directory_of("a", False, None)
    assert place.endswith("/share/jupyter/kernels/a") and not place.startswith(str(host))


def test_which_kernels_there_are(directory, files, host, monkeypatch):
    """By name; of two directories the first counts; what is no PySpark kernel is left out."""
    install(directory, files)
    other = json.dumps({"argv": ["p"], "display_name": "theirs", "env": {"SPARK_HOME": "/s"}})
    for name in ("pyspark", "another"):
        write(str(host / "path" / "kernels" / name / "kernel.json"), other)
    write(str(directory_of(host, "broken") / "kernel.json"), "{")
    write(str(directory_of(host, "latin") / "kernel.json"), "{}")
    (directory_of(host, "latin") / "kernel.json").write_bytes(b'{"argv": "\xff"}')
    write(str(directory_of(host, "large") / "kernel.json"), other + " " * (2 << 20))
    monkeypatch.setenv("JUPYTER_PATH", str(host / "path"))
    kernels = {kernel.name: kernel.spec.display_name for kernel in kernel_store.kernels()}
    assert kernels["another"] == kernels["pyspark"] == "theirs"
    assert not {"broken", "latin", "large"} & set(kernels)
    assert kernel_store.find("Another").directory == str(host / "path" / "kernels" / "another")
    with pytest.raises(Usage) as unknown:
        kernel_store.find("nosuch")
    assert "another" in unknown.value.expected


def test_another_kernel_is_refused(directory, files):
    """Its kernel.json was not written by jhpatch, or cannot be read."""
    path = write(os.path.join(directory, "kernel.json"), "{}")
    with pytest.raises(Refused):
        kernel_store.stale_files(directory, files)
    os.unlink(path)
    os.symlink("/nowhere", path)
    with pytest.raises(Refused):
        kernel_store.stale_files(directory, files)


def test_without_jupyter_client(monkeypatch):
    """The command that installs it."""
    monkeypatch.setitem(__import__("sys").modules, "jupyter_client.kernelspec", None)
    with pytest.raises(Failed) as failed:
        list(kernel_store.kernels())
    assert failed.value.next.parts[0].arguments == ("install", "jupyter_client")


def test_what_is_removed(directory, files):
    """What jhpatch wrote and what Python compiled of it; the names of other files are returned."""
    install(directory, files)
    for name in ("jhpatch_pyspark.cpython-311.pyc", "startup.cpython-311.pyc"):
        write(os.path.join(directory, "__pycache__", name), "")
    assert kernel_store.remove(directory) == () and not os.path.exists(directory)
    install(directory, files)
    write(os.path.join(directory, "mine.txt"), "x")
    write(os.path.join(directory, "__pycache__", "mine.pyc"), "x")
    assert kernel_store.remove(directory) == ("__pycache__", "mine.txt")
    assert os.listdir(os.path.join(directory, "__pycache__")) == ["mine.pyc"]


def test_a_directory_that_cannot_be_written(directory, files, host):
    """The error names it, and the command with other rights."""
    write(str(host / "home" / "jupyter"), "a file")
    with pytest.raises(Failed) as failed:
        kernel_store.write(directory, files)
    assert failed.value.path.startswith(str(host)) and "--user" in failed.value.next.parts[0]


def test_a_user_without_an_account_and_a_home(monkeypatch):
    """jupyter_core raises RuntimeError; the caller has an error that it expects."""

    class Manager:
        @property
        def kernel_dirs(self):
            raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(kernel_store, "_jupyter", lambda: (Manager(), None))
    with pytest.raises(Failed) as failed:
        list(kernel_store.kernels())
    assert "Could not determine home directory" in failed.value.message
