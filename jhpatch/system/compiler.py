"""Compile sources and rebuild .pyc files with the interpreter that runs this file.

A site's own Python runs it as a script (``python -I -S -B``). It therefore imports only the
standard library, supports Python 3.6, and reads and writes JSON.
"""

import contextlib
import marshal
import os
import re
import sys
import warnings
from typing import Dict, Iterator, List, Optional, Tuple

PYC = re.compile(r"^(.*/|)__pycache__/([^/.]+)\.([^/.]+)(?:\.opt-([12]))?\.pyc$")
"""The parent directory, the module, the interpreter's tag and the optimization level."""


def check(
    sources: Dict[str, str], site: str = "", compiled: Optional[Dict[str, bytes]] = None
) -> List[List[str]]:
    """Return ``[path, message]`` of each source that does not compile.

    A source is its bytes decoded as Latin-1, so that its own coding line applies. ``compiled``
    receives the code of the others, marshalled as in a .pyc for a file below ``site``.
    """
    errors = []
    for path in sorted(sources):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # -W error turns them into syntax errors
                data, file_name = sources[path].encode("latin-1"), os.path.join(site, path)
                code_object = compile(data, file_name, "exec", dont_inherit=True)
        except (SyntaxError, ValueError, OverflowError, RecursionError, MemoryError) as error:
            errors.append([path, str(error) or type(error).__name__])
            continue
        if compiled is not None and not sys.flags.optimize:
            compiled[path] = marshal.dumps(code_object)
    return errors


def form() -> Tuple[str, bytes]:
    """Return the tag in a .pyc's name and the .pyc's first bytes, up to the time (PEP 552)."""
    # importlib.util has it from there, too, but takes 2 ms to load.
    from importlib._bootstrap_external import MAGIC_NUMBER

    flags = b"\0\0\0\0" if sys.version_info >= (3, 7) else b""
    return sys.implementation.cache_tag, MAGIC_NUMBER + flags


def rebuild(site: str, dropped: List[str]) -> None:
    """Write those of the ``dropped`` .pyc files that are this interpreter's."""
    for path in dropped:
        match = PYC.match(path)
        if match and match.group(3) == sys.implementation.cache_tag:
            parent, module, _, level = match.groups()
            # If this fails, the next import of the module writes it.
            with contextlib.suppress(OSError, ValueError, SyntaxError):
                _compile(site, parent, module, os.path.basename(path), int(level or 0))


def _compile(site: str, parent: str, module: str, name: str, level: int) -> None:
    import py_compile

    with _open_directory(site, parent) as directory, _open_directory(
        directory, "__pycache__"
    ) as cache:
        source = "%s/%s.py" % (directory, module)
        if os.path.isfile(source) and not os.path.islink(source):
            file_name = os.path.join(site, parent, module + ".py")
            with contextlib.suppress(py_compile.PyCompileError), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                target = "%s/%s" % (cache, name)
                py_compile.compile(source, target, file_name, doraise=True, optimize=level)


@contextlib.contextmanager
def _open_directory(top: str, path: str) -> Iterator[str]:
    """Return a path to an open directory: it is not affected if a symlink replaces the name."""
    fd = os.open(top, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for part in filter(None, path.split("/")):
            inner_fd = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=fd)
            os.close(fd)
            fd = inner_fd
        yield "/proc/self/fd/%d" % fd
    finally:
        os.close(fd)


def main() -> None:
    """Read one job from standard input and write its answer to standard output."""
    import json

    job = json.load(sys.stdin)
    if "sources" in job:
        compiled: Dict[str, bytes] = {}
        errors = check(job["sources"], job["site"], compiled)
        tag, head = form()
        texts = {path: data.decode("latin-1") for path, data in compiled.items()}
        answer = {"bad": errors, "tag": tag, "head": head.decode("latin-1"), "code": texts}
        json.dump(answer, sys.stdout)
    else:
        rebuild(job["site"], job["dropped"])
        json.dump([], sys.stdout)


if __name__ == "__main__":
    main()
