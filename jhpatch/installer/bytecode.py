"""The compile check ahead of a change, and the .pyc files after it, by a site's own Python."""

import contextlib
import os
import sys
from typing import Any, Callable, Dict, List, Optional, Tuple

from jhpatch.errors import Failed
from jhpatch.namedtuple import NamedTuple
from jhpatch.system import compiler
from jhpatch.system.rooted_files import Dir, RootDir

_TIMEOUT = 120  # seconds, for all files of a site

# Read now: a child that has become another user may not reach our files any more.
with open(compiler.__file__, encoding="utf-8") as _file:
    _SCRIPT = _file.read()


class Code(NamedTuple):
    """What the sources were compiled to: not to do it a second time for their .pyc files."""

    tag: str
    head: bytes
    """Of each .pyc: see ``compiling.form``."""
    files: Dict[str, Tuple[bytes, bytes]]
    """By the source's path from the site's root: the source, and its code."""


def _other(python: Optional[str]) -> Optional[str]:
    """None where it is the very program that runs us, which compiles as we do: as that of a
    virtual environment that was made with it. There is no need to start it."""
    try:
        return None if python is None or os.path.samefile(python, sys.executable) else python
    except OSError:
        return python


def check(python: Optional[str], sources: Dict[str, bytes], site: str = "") -> Code:
    """Compiles every source. ``python``: None for the interpreter that runs us.

    Raises Failed where one does not compile, or where the interpreter does not run.
    """
    texts = {path: data.decode("latin-1") for path, data in sources.items()}
    other = _other(python)
    if other is None:
        made: Dict[str, bytes] = {}
        bad = compiler.check(texts, site, made)
        code = Code(*compiler.form(), {path: (sources[path], made[path]) for path in made})
    else:
        bad, code = _ask(
            other, {"sources": texts, "site": site}, lambda answer: _parsed(answer, sources)
        )
    for path, message in bad:
        raise Failed(
            "a patched file does not compile: %s" % message,
            path=path,
            expected="source that %s compiles" % (python or sys.executable),
            found=message,
        )
    return code


def _parsed(answer: Any, sources: Dict[str, bytes]) -> Tuple[List[Tuple[str, str]], Code]:
    """The sources that do not compile, with the reason, and the code of the others."""
    bad = [(str(path), str(message)) for path, message in answer["bad"]]
    texts = answer["code"].items()
    made = {path: (sources[path], text.encode("latin-1")) for path, text in texts}
    return bad, Code(str(answer["tag"]), answer["head"].encode("latin-1"), made)


def rebuilder(
    python: Optional[str], site: str, code: Optional[Code] = None
) -> Callable[[List[str]], None]:
    """What rebuilds the .pyc files of ``site`` that it is given (paths from the site's root).

    Of a source that is still as it was compiled to ``code``, by that alone.
    """

    def rebuild(dropped: List[str]) -> None:
        if code:
            with RootDir(site) as root:
                dropped = [path for path in dropped if not _is_written(root, path, code)]
        if not dropped:
            return
        other = _other(python)
        if other is None:
            compiler.rebuild(site, dropped)
        else:
            _ask(other, {"site": site, "dropped": dropped}, list)

    return rebuild


def _is_written(root: RootDir, path: str, code: Code) -> bool:
    """Whether nothing is left to do for a .pyc: it is there again, or another Python's."""
    match = compiler.PYC.match(path)
    if not match or match.group(3) != code.tag:
        return True
    source = "%s%s.py" % match.group(1, 2)
    with contextlib.suppress(OSError):
        found = root.read(source)
        made = code.files.get(source)
        if found and made and found.data == made[0] and not match.group(4):
            when = int(found.stat.st_mtime) & 0xFFFFFFFF
            numbers = (number.to_bytes(4, "little") for number in (when, len(found.data)))
            folder, name = root.parent(path)
            with folder:
                data = code.head + b"".join(numbers) + made[1]
                _write(folder, name, data, (found.stat.st_mode | 0o200) & 0o666)
            return True
    return False


def _write(folder: Dir, name: str, data: bytes, mode: int) -> None:
    """As py_compile does: replaced at once, and not fsynced. Who misses it compiles."""
    temp = "%s.%d" % (name, os.getpid())
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        with os.fdopen(os.open(temp, flags, mode, dir_fd=folder.fd), "wb") as file:
            file.write(data)
        folder.rename(temp, name)
    except OSError:
        folder.unlink(temp)
        raise


def _ask(python: str, job: Dict[str, Any], read: Callable[[Any], Any]) -> Any:
    """The answer of a child, as ``read`` takes it. Raises Failed."""
    import json
    import subprocess

    try:
        done = subprocess.run(
            [python, "-I", "-S", "-B", "-c", _SCRIPT],
            input=json.dumps(job).encode("ascii"),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            timeout=_TIMEOUT,
            cwd="/",
            env={"PATH": os.defpath, "LC_ALL": "C"},
            start_new_session=True,
        )
        if done.returncode:
            raise ValueError(done.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2])
        return read(json.loads(done.stdout.decode("ascii")))
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        raise _failed(python, error)
    except (KeyError, TypeError, AttributeError):
        raise _failed(python, "an odd answer")


def _failed(python: str, error: object) -> Failed:
    return Failed(
        "the site's own Python could not compile for us: %s" % error,
        path=python,
        expected="a Python 3.6 or later that runs",
    )
