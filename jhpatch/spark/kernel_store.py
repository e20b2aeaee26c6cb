"""Kernelspecs on disk: find their directories, and list, write and remove kernels.

jupyter_client and jupyter_core decide on the directories (KernelSpecManager).
"""

import contextlib
import glob
import importlib
import os
from typing import Any, Dict, Iterable, Iterator, List, Optional, Tuple

from jhpatch.errors import Failed, Refused, Usage, install_command, jhpatch_command
from jhpatch.namedtuple import NamedTuple
from jhpatch.spark import kernelspec, manifest
from jhpatch.spark.kernelspec import Kernel
from jhpatch.spark.manifest import KernelSpec
from jhpatch.system import path_owners
from jhpatch.system.files import read_file, write_file

MANIFEST = "kernel.json"
_MODULES = tuple("jhpatch_%s.py" % name for name in (*kernelspec.MODULES, "spark_child"))
_SOURCES = (*_MODULES, "logo-32x32.png", "logo-64x64.png")
_NAMES = _SOURCES + ("startup.py", MANIFEST)
_SIZE = 1024 * 1024  # bytes of a kernel.json, at most
_SCRIPT_SIZE = 64 * 1024  # bytes of a wrapper script, at most


class InstalledKernel(NamedTuple):
    """A kernel that a server offers."""

    name: str
    directory: str
    spec: KernelSpec


def files_of(kernel: Kernel) -> Dict[str, bytes]:
    """Return the content of a kernel's files, by name."""
    deployed = os.path.join(
        os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "deployed"
    )
    files = {}
    for name in _SOURCES:
        with open(os.path.join(deployed, name.replace("jhpatch_", "")), "rb") as file:
            files[name] = file.read()
    files[MANIFEST] = kernelspec.kernel_json(kernel).encode("utf-8")
    files["startup.py"] = kernelspec.startup(kernel).encode("utf-8")
    return files


def directory_of(name: str, user: bool, prefix: Optional[str]) -> str:
    """Return the directory of a new kernel: the user's, a prefix's, or the system's.

    Raises Failed.
    """
    manager, paths = _jupyter()
    if user:
        parent = manager.user_kernel_dir
    elif prefix:
        parent = os.path.join(os.path.abspath(prefix), "share", "jupyter", "kernels")
    else:
        parent = os.path.join(paths.SYSTEM_JUPYTER_PATH[0], "kernels")
    return os.path.join(parent, name.lower())


def _jupyter() -> Tuple[Any, Any]:
    """Return a KernelSpecManager, and jupyter_core.paths. Raises Failed."""
    try:
        jupyter_kernelspec = importlib.import_module("jupyter_client.kernelspec")
        paths = importlib.import_module("jupyter_core.paths")
    except ImportError as error:
        raise Failed(
            "this Python cannot import jupyter_client: %s" % error,
            expected="the Python of the Jupyter server",
            next=install_command("jupyter_client"),
        )
    return jupyter_kernelspec.KernelSpecManager(), paths


def kernels() -> Iterator[InstalledKernel]:
    """Yield the PySpark kernels that a server of this Python and user offers, by name.

    One whose kernel.json cannot be used has a ``problem``. Raises Failed.
    """
    for kernel in all_kernels():
        if manifest.is_pyspark(kernel.spec, kernel.name, _starting_text(kernel.spec)):
            yield kernel


def _starting_text(spec: KernelSpec) -> str:
    """Return the text of a kernel's wrapper script and of its IPython profile's start-up files."""
    paths = [word for word in spec.argv[:3] if word.startswith("/")]
    for word, following in zip(spec.argv, spec.argv[1:] + ("",)):
        if word.startswith("--profile"):
            name = word.partition("=")[2] or following
            folder = spec.environment.get("IPYTHONDIR") or os.path.expanduser("~/.ipython")
            pattern = glob.escape(os.path.join(folder, "profile_" + name)) + "/startup/*py"
            paths += sorted(glob.glob(pattern))
    return "\n".join(filter(None, map(read_script, paths)))


def read_script(path: str) -> Optional[str]:
    """Return the text of a wrapper script; None for a program, or a file that cannot be read."""
    try:
        data = read_file(path, _SCRIPT_SIZE).data
    except OSError:
        return None
    return None if b"\0" in data[:1024] else data.decode("utf-8", "replace")


def all_kernels() -> Iterator[InstalledKernel]:
    """Yield the kernels of any language that a server offers, by name. Raises Failed."""
    directories: Dict[str, str] = {}
    manager = _jupyter()[0]
    try:
        parents = manager.kernel_dirs
    except RuntimeError as error:  # Path.expanduser, for a user without an account
        raise Failed(
            "uid %d: %s" % (os.geteuid(), error), next="set HOME to the user's home directory"
        )
    for parent in parents:
        with contextlib.suppress(OSError):
            for name in sorted(os.listdir(parent)):
                directories.setdefault(name.lower(), os.path.join(parent, name))
    for name in sorted(directories):
        spec = read_spec(directories[name])
        if spec is not None:
            yield InstalledKernel(name, directories[name], spec)


def find(name: str) -> InstalledKernel:
    """Return the installed kernel of a name, of any language. Raises Failed, Usage."""
    for kernel in all_kernels():
        if kernel.name == name.lower():
            return kernel
    names = ", ".join(kernel.name for kernel in kernels())
    raise Usage(
        "there is no kernel %s" % name,
        expected=names or "a kernel that kernelspec install has written",
        next=jhpatch_command("kernelspec", "list"),
    )


def read_spec(directory: str) -> Optional[KernelSpec]:
    """Return the values of the directory's kernel.json; None if it has none."""
    data = _read(os.path.join(directory, MANIFEST))
    return None if data is None else manifest.parse(data)


def _read(path: str) -> Optional[bytes]:
    try:
        return read_file(path, _SIZE).data
    except OSError:
        return None


def stale_files(directory: str, files: Dict[str, bytes]) -> List[str]:
    """Return the names of the files that are missing or different, in the order to write them.

    Raises Refused if jhpatch did not write the kernel in that directory.
    """
    if os.path.lexists(os.path.join(directory, MANIFEST)):
        spec = read_spec(directory)
        if spec is None or not spec.ours:
            raise Refused(
                "there is a kernel of this name that jhpatch did not write",
                path=directory,
                expected="no kernel of this name, or one that jhpatch wrote",
                found=spec.display_name if spec and spec.display_name else "another kernel",
                next=jhpatch_command("kernelspec", "install", "--name", "ANOTHER"),
            )
    names = _manifest_last(files)
    return [name for name in names if _read(os.path.join(directory, name)) != files[name]]


def _manifest_last(names: Iterable[str]) -> List[str]:
    """Sort names with kernel.json last: it makes the directory a kernel."""
    return sorted(names, key=lambda name: (name == MANIFEST, name))


def write(directory: str, files: Dict[str, bytes]) -> None:
    """Write files into a kernel's directory, in the order of ``files``.

    Each file is replaced as a whole. Raises Failed, Refused.
    """
    _require_safe_directory(directory)
    try:
        _make_directories(directory)
        for name in files:
            write_file(os.path.join(directory, name), files[name])
    except OSError as error:
        raise _failed(error, directory)


def _make_directories(directory: str) -> None:
    """Create the missing directories of a path; root's with mode 0755, whatever the umask."""
    missing, path = [], os.path.abspath(directory)
    while not os.path.isdir(path):
        missing.append(path)
        path = os.path.dirname(path)
    os.makedirs(directory, mode=0o755, exist_ok=True)
    if os.geteuid() == 0:  # all users start root's kernels
        for path in missing:
            os.chmod(path, 0o755)


def remove(directory: str) -> Tuple[str, ...]:
    """Remove what jhpatch wrote; return the names of other files. Raises Failed, Refused."""
    _require_safe_directory(directory)
    try:
        for name in reversed(_manifest_last(_NAMES)):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(os.path.join(directory, name))
        _remove_bytecode(os.path.join(directory, "__pycache__"))
        remaining = tuple(sorted(os.listdir(directory)))
        if not remaining:
            os.rmdir(directory)
        return remaining
    except OSError as error:
        raise _failed(error, directory)


def _remove_bytecode(cache: str) -> None:
    if os.path.isdir(cache) and not os.path.islink(cache):
        for name in os.listdir(cache):
            if name.startswith(("jhpatch_", "startup.")):
                os.unlink(os.path.join(cache, name))
        with contextlib.suppress(OSError):  # it has other files
            os.rmdir(cache)


def _require_safe_directory(directory: str) -> None:
    """Raise Refused if root would write a file that another user can replace."""
    if os.geteuid() != 0:
        return
    existing = directory
    while not os.path.lexists(existing):
        existing = os.path.dirname(existing)
    writer = path_owners.writer_of(existing)
    if writer is not None:
        raise Refused(
            "as root, jhpatch does not change a kernel in a directory that another user can write",
            path=writer.path,
            expected="a path that only root can write",
            found="owner uid %d, mode %04o" % (writer.uid, writer.mode),
            next="let only root write this path, then run the same command again"
            if writer.uid == 0
            else "run the same command as uid %d, the owner of this path" % writer.uid,
        )


def _failed(error: OSError, directory: str) -> Failed:
    return Failed(
        error.strerror or str(error),
        path=os.fsdecode(error.filename or directory),
        expected="a directory that this user can write",
        next="if permission is denied, run the same command with sudo; to install for yourself, "
        "add --user",
    )
