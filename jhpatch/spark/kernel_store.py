"""Kernelspecs on the disk: where they lie, which there are, writing one and taking it away.

Where they lie is jupyter_client's and jupyter_core's to say (KernelSpecManager).
"""

import importlib
import json
import os
from typing import Any, Dict, Iterator, List, Optional, Tuple

from jhpatch.errors import Failed, Refused, jhpatch_command, python_command
from jhpatch.namedtuple import NamedTuple
from jhpatch.spark import kernelspec as kernelspecs
from jhpatch.spark.kernelspec import Known
from jhpatch.system import path_owners
from jhpatch.system.files import read_file, write_file

MANIFEST = "kernel.json"
_SOURCES = ("jhpatch_pyspark.py", "jhpatch_reasons.py", "logo-32x32.png", "logo-64x64.png")
_NAMES = _SOURCES + ("startup.py", MANIFEST)
_CAP = 1024 * 1024  # bytes of a kernel.json


class Installed(NamedTuple):
    """A PySpark kernel that is there."""

    name: str
    folder: str
    known: Known


def sources() -> Dict[str, bytes]:
    """The files of a kernel that are the same for all."""
    here = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "deployed")
    found = {}
    for name in _SOURCES:
        path = os.path.join(here, name.replace("jhpatch_", ""))
        with open(path, "rb") as file:
            found[name] = file.read()
    return found


def folder_of(name: str, user: bool, prefix: Optional[str]) -> str:
    """Where a kernel goes: the user's own folder, a prefix's, or the system's. Raises Failed."""
    manager, paths = _jupyter()
    if user:
        top = manager.user_kernel_dir
    elif prefix:
        top = os.path.join(os.path.abspath(prefix), "share", "jupyter", "kernels")
    else:
        top = os.path.join(paths.SYSTEM_JUPYTER_PATH[0], "kernels")
    return os.path.join(top, name.lower())


def _jupyter() -> Tuple[Any, Any]:
    """``(a KernelSpecManager, jupyter_core.paths)``."""
    try:
        kernelspec = importlib.import_module("jupyter_client.kernelspec")
        paths = importlib.import_module("jupyter_core.paths")
    except ImportError as error:
        raise Failed(
            "this Python has no jupyter_client: %s" % error,
            expected="the Python of the notebook server",
            next=python_command("pip", "install", "jupyter_client"),
        )
    return kernelspec.KernelSpecManager(), paths


def installed() -> Iterator[Installed]:
    """The PySpark kernels that a server of this Python and user offers, by name."""
    folders: Dict[str, str] = {}
    for top in _jupyter()[0].kernel_dirs:
        try:
            names = sorted(os.listdir(top))
        except OSError:
            continue
        for name in names:
            folders.setdefault(name.lower(), os.path.join(top, name))
    for name in sorted(folders):
        one = read(folders[name])
        if one is not None:
            yield Installed(name, folders[name], one)


def read(folder: str) -> Optional[Known]:
    """What the kernel.json in a folder says; None where there is no PySpark kernel."""
    data = _bytes(os.path.join(folder, MANIFEST))
    try:
        return kernelspecs.known(json.loads((data or b"").decode("utf-8")))
    except (ValueError, RecursionError):
        return None


def _bytes(path: str) -> Optional[bytes]:
    """A small regular file's; None where there is none."""
    try:
        return read_file(path, _CAP).data
    except OSError:
        return None


def changed(folder: str, files: Dict[str, bytes]) -> List[str]:
    """The files that are not there as they should be. Raises Refused for another's kernel."""
    if os.path.lexists(os.path.join(folder, MANIFEST)):
        one = read(folder)
        if one is None or not one.ours:
            raise Refused(
                "there is a kernel of this name that jhpatch did not write",
                path=folder,
                expected="no such kernel, or one of jhpatch's",
                found=one.display_name if one else "another kernel",
                next=jhpatch_command("kernelspec", "install", "--name", "ANOTHER"),
            )
    return [name for name in _order(files) if _bytes(os.path.join(folder, name)) != files[name]]


def _order(files: Dict[str, bytes]) -> List[str]:
    """kernel.json last: without it a folder is no kernel, with it all is there."""
    return sorted(files, key=lambda name: (name == MANIFEST, name))


def write(folder: str, files: Dict[str, bytes]) -> None:
    """Makes a kernel's folder, and in it those files that have ``changed``, each replaced
    whole, in the order of ``files``. Raises Failed, Refused."""
    _refuse_foreign(folder)
    try:
        os.makedirs(folder, mode=0o755, exist_ok=True)
        for name in files:
            write_file(os.path.join(folder, name), files[name])
    except OSError as error:
        raise _failed(error, folder)


def remove(folder: str) -> Tuple[str, ...]:
    """Takes away what jhpatch wrote; gives the names that stay. Raises Failed, Refused."""
    _refuse_foreign(folder)
    try:
        for name in _order(dict.fromkeys(_NAMES, b""))[::-1]:
            _unlink(os.path.join(folder, name))
        cache = os.path.join(folder, "__pycache__")
        if os.path.isdir(cache) and not os.path.islink(cache):
            for name in os.listdir(cache):
                if name.startswith(("jhpatch_", "startup.")):
                    os.unlink(os.path.join(cache, name))
            _rmdir(cache)
        left = tuple(sorted(os.listdir(folder)))
        if not left:
            os.rmdir(folder)
        return left
    except OSError as error:
        raise _failed(error, folder)


def _unlink(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass


def _rmdir(path: str) -> None:
    try:
        os.rmdir(path)
    except OSError:
        pass  # something of another's is in it


def _refuse_foreign(folder: str) -> None:
    """Root writes where root alone can: what it puts elsewhere a user can replace."""
    if os.geteuid() != 0:
        return
    above = folder
    while not os.path.lexists(above):
        above = os.path.dirname(above)
    writer = path_owners.writer_of(above)
    if writer is not None:
        raise Refused(
            "root does not write a kernel where somebody else can",
            path=writer.path,
            expected="a path that root alone can write",
            found="owner uid %d, mode %o" % (writer.uid, writer.mode),
            next="the same command as that user",
        )


def _failed(error: OSError, folder: str) -> Failed:
    return Failed(
        error.strerror or str(error),
        path=os.fsdecode(error.filename or folder),
        expected="a folder that you may write",
        next="the same command with sudo, or with --user",
    )
