"""Compiles sources and rebuilds .pyc files with the interpreter that runs this file.

Also run as a script by a site's own Python (``python -I -S -B``): standard library
only, Python 3.6 and later; JSON on standard input and output.
"""

import contextlib
import marshal
import os
import re
import sys
import warnings
from typing import Dict, Iterator, List, Optional, Tuple

PYC = re.compile(r"^(.*/|)__pycache__/([^/.]+)\.([^/.]+)(?:\.opt-([12]))?\.pyc$")
"""The folder above, the module, the tag of the interpreter and the level."""


def check(
    sources: Dict[str, str], site: str = "", code: Optional[Dict[str, bytes]] = None
) -> List[List[str]]:
    """``[path, message]`` of each source that does not compile.

    A source comes as its bytes decoded as Latin-1, so that its own coding line counts.
    ``code`` gets that of the others, as a .pyc holds it for a file below ``site``.
    """
    bad = []
    for path in sorted(sources):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # with -W error they were syntax errors
                data, shown = sources[path].encode("latin-1"), os.path.join(site, path)
                made = compile(data, shown, "exec", dont_inherit=True)
        except (SyntaxError, ValueError, OverflowError, RecursionError, MemoryError) as error:
            bad.append([path, str(error) or type(error).__name__])
            continue
        if code is not None and not sys.flags.optimize:
            code[path] = marshal.dumps(made)
    return bad


def form() -> Tuple[str, bytes]:
    """The tag in a .pyc's name, and the bytes ahead of the source's time and size (PEP 552)."""
    # importlib.util has it from there, and takes 2 ms to load.
    from importlib._bootstrap_external import MAGIC_NUMBER

    flags = b"\0\0\0\0" if sys.version_info >= (3, 7) else b""
    return sys.implementation.cache_tag, MAGIC_NUMBER + flags


def rebuild(site: str, dropped: List[str]) -> None:
    """Writes those of the ``dropped`` .pyc files that this interpreter would write."""
    for path in dropped:
        match = PYC.match(path)
        if match and match.group(3) == sys.implementation.cache_tag:
            above, module, _, level = match.groups()
            # One that cannot be written is written by whoever imports the module next.
            with contextlib.suppress(OSError, ValueError, SyntaxError):
                _compile(site, above, module, os.path.basename(path), int(level or 0))


def _compile(site: str, above: str, module: str, name: str, level: int) -> None:
    import py_compile

    with _opened(site, above) as folder, _opened(folder, "__pycache__") as cache:
        source = "%s/%s.py" % (folder, module)
        if os.path.isfile(source) and not os.path.islink(source):
            shown = os.path.join(site, above, module + ".py")
            with contextlib.suppress(py_compile.PyCompileError), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                target = "%s/%s" % (cache, name)
                py_compile.compile(source, target, shown, doraise=True, optimize=level)


@contextlib.contextmanager
def _opened(top: str, below: str) -> Iterator[str]:
    """A folder as a path that stays that folder, even where its name turns into a symlink."""
    fd = os.open(top, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for part in filter(None, below.split("/")):
            inner = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=fd)
            os.close(fd)
            fd = inner
        yield "/proc/self/fd/%d" % fd
    finally:
        os.close(fd)


def main() -> None:
    """One job from standard input; its answer on standard output."""
    import json

    job = json.load(sys.stdin)
    if "sources" in job:
        code: Dict[str, bytes] = {}
        bad = check(job["sources"], job["site"], code)
        tag, head = form()
        texts = {path: data.decode("latin-1") for path, data in code.items()}
        answer = {"bad": bad, "tag": tag, "head": head.decode("latin-1"), "code": texts}
        json.dump(answer, sys.stdout)
    else:
        rebuild(job["site"], job["dropped"])
        json.dump([], sys.stdout)


if __name__ == "__main__":
    main()
