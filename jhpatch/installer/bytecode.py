"""The compile check before a change, and the .pyc files after it, with a site's own Python."""

import contextlib
import os
import sys
from typing import Any, Callable, Dict, List, Optional, Tuple

from jhpatch.errors import Failed
from jhpatch.namedtuple import NamedTuple
from jhpatch.system import compiler
from jhpatch.system.rooted_files import Dir, RootDir

_TIMEOUT = 120  # seconds, for all files of a site

# Read now: a child process that runs as another user may not be able to read our files.
with open(compiler.__file__, encoding="utf-8") as _file:
    _SCRIPT = _file.read()


class Code(NamedTuple):
    """The compiled sources, so that their .pyc files need no second compilation."""

    tag: str
    head: bytes
    """The first bytes of each .pyc (``compiler.form``)."""
    files: Dict[str, Tuple[bytes, bytes]]
    """The source and its code, by the source's path from the site's root."""


def _foreign_python(python: Optional[str]) -> Optional[str]:
    """Return the interpreter, or None if this process can compile.

    That is so if the interpreter is the program that runs jhpatch, such as that of a virtual
    environment of the same Python.
    """
    try:
        return None if python is None or os.path.samefile(python, sys.executable) else python
    except OSError:
        return python


def check(python: Optional[str], sources: Dict[str, bytes], site: str = "") -> Code:
    """Compile every source with ``python``; None is the interpreter that runs jhpatch.

    Raises Failed if a source does not compile or the interpreter does not run.
    """
    texts = {path: data.decode("latin-1") for path, data in sources.items()}
    foreign = _foreign_python(python)
    if foreign is None:
        compiled: Dict[str, bytes] = {}
        errors = compiler.check(texts, site, compiled)
        code = Code(*compiler.form(), {path: (sources[path], compiled[path]) for path in compiled})
    else:
        errors, code = _ask(
            foreign,
            {"sources": texts, "site": site},
            lambda answer: _parse_answer(answer, sources),
        )
    for path, message in errors:
        raise Failed(
            "a patched file does not compile",
            path=os.path.join(site, path),
            expected="source that %s can compile" % (python or sys.executable),
            found=message,
            next="correct the patch, or for create the edited file; then run the same command "
            "again",
        )
    return code


def _parse_answer(answer: Any, sources: Dict[str, bytes]) -> Tuple[List[Tuple[str, str]], Code]:
    """Return the sources that do not compile, with the reason, and the code of the others."""
    errors = [(str(path), str(message)) for path, message in answer["bad"]]
    texts = answer["code"].items()
    compiled = {path: (sources[path], text.encode("latin-1")) for path, text in texts}
    return errors, Code(str(answer["tag"]), answer["head"].encode("latin-1"), compiled)


def rebuilder(
    python: Optional[str], site: str, code: Optional[Code] = None
) -> Callable[[List[str]], None]:
    """Return a function that rebuilds .pyc files of ``site`` (paths from the site's root).

    It writes ``code`` for each source that has not changed since its compilation.
    """

    def rebuild(dropped: List[str]) -> None:
        if code:
            with RootDir(site) as root:
                dropped = [path for path in dropped if not _write_pyc(root, path, code)]
        if not dropped:
            return
        foreign = _foreign_python(python)
        if foreign is None:
            compiler.rebuild(site, dropped)
        else:
            _ask(foreign, {"site": site, "dropped": dropped}, list)

    return rebuild


def _write_pyc(root: RootDir, path: str, code: Code) -> bool:
    """Write a .pyc from ``code``; return False if it must still be rebuilt.

    Also return True for the .pyc of another Python, which is not rebuilt.
    """
    match = compiler.PYC.match(path)
    if not match or match.group(3) != code.tag:
        return True
    source = "%s%s.py" % match.group(1, 2)
    with contextlib.suppress(OSError):
        content = root.read(source)
        compiled = code.files.get(source)
        if content and compiled and content.data == compiled[0] and not match.group(4):
            mtime = int(content.stat.st_mtime) & 0xFFFFFFFF
            numbers = (number.to_bytes(4, "little") for number in (mtime, len(content.data)))
            directory, name = root.parent(path)
            with directory:
                data = code.head + b"".join(numbers) + compiled[1]
                _replace(directory, name, data, (content.stat.st_mode | 0o200) & 0o666)
            return True
    return False


def _replace(directory: Dir, name: str, data: bytes, mode: int) -> None:
    """Replace a file atomically, without a sync, as py_compile does: it is only a cache."""
    temp = "%s.%d" % (name, os.getpid())
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        with os.fdopen(os.open(temp, flags, mode, dir_fd=directory.fd), "wb") as file:
            file.write(data)
        directory.rename(temp, name)
    except OSError:
        directory.unlink(temp)
        raise


def _ask(python: str, job: Dict[str, Any], read: Callable[[Any], Any]) -> Any:
    """Run a job in a child process; return ``read`` of its answer. Raises Failed."""
    import json
    import subprocess

    try:
        process = subprocess.run(
            [python, "-I", "-S", "-B", "-c", _SCRIPT],
            input=json.dumps(job).encode("ascii"),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            timeout=_TIMEOUT,
            cwd="/",
            env={"PATH": os.defpath, "LC_ALL": "C"},
            start_new_session=True,
        )
        if process.returncode:
            raise ValueError(process.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2])
        return read(json.loads(process.stdout.decode("ascii")))
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        raise _failed(python, error)
    except (KeyError, TypeError, AttributeError):
        raise _failed(python, "unexpected output")


def _failed(python: str, error: object) -> Failed:
    return Failed(
        "the site's Python cannot compile the patched files: %s" % error,
        path=python,
        expected="a working Python 3.6 or later",
    )
