"""Compiles sources and rebuilds .pyc files with the interpreter that runs this file.

Also run as a script by a site's own Python (``python -I -S -B``): standard library
only, Python 3.6 and later; JSON on standard input and output.
"""

import contextlib
import json
import os
import re
import sys
import warnings
from typing import Dict, Iterator, List

_PYC = re.compile(r"^(.*/|)__pycache__/([^/.]+)\.([^/.]+)(?:\.opt-([12]))?\.pyc$")


def check(sources: Dict[str, str]) -> List[List[str]]:
    """``[path, message]`` of each source that does not compile.

    A source comes as its bytes decoded as Latin-1, so that its own coding line counts.
    """
    bad = []
    for path in sorted(sources):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # with -W error they were syntax errors
                compile(sources[path].encode("latin-1"), path, "exec", dont_inherit=True)
        except (SyntaxError, ValueError, OverflowError, RecursionError, MemoryError) as error:
            bad.append([path, str(error) or type(error).__name__])
    return bad


def rebuild(site: str, dropped: List[str]) -> None:
    """Writes those of the ``dropped`` .pyc files that this interpreter would write."""
    for path in dropped:
        match = _PYC.match(path)
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
    job = json.load(sys.stdin)
    if "sources" in job:
        json.dump(check(job["sources"]), sys.stdout)
    else:
        rebuild(job["site"], job["dropped"])
        json.dump([], sys.stdout)


if __name__ == "__main__":
    main()
