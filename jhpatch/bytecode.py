"""The compile check ahead of a change, and the .pyc files after it, by a site's own Python."""

import os
import sys
from typing import Any, Callable, Dict, List, Optional

from jhpatch import compiling
from jhpatch.errors import Failed

_TIMEOUT = 120  # seconds, for all files of a site

# Read now: a child that has become another user may not reach our files any more.
with open(compiling.__file__, encoding="utf-8") as _file:
    _SCRIPT = _file.read()


def check(python: Optional[str], sources: Dict[str, bytes]) -> None:
    """Compiles every source. ``python``: None for the interpreter that runs us.

    Raises Failed where one does not compile, or where the interpreter does not run.
    """
    texts = {path: data.decode("latin-1") for path, data in sources.items()}
    bad = compiling.check(texts) if python is None else _ask(python, {"sources": texts})
    for path, message in bad:
        raise Failed(
            "a patched file does not compile: %s" % message,
            path=path,
            expected="source that %s compiles" % (python or sys.executable),
            found=message,
        )


def rebuilder(python: Optional[str], site: str) -> Callable[[List[str]], None]:
    """What rebuilds the .pyc files of ``site`` that it is given (paths from the site's root)."""

    def rebuild(dropped: List[str]) -> None:
        if python is None:
            compiling.rebuild(site, dropped)
        else:
            _ask(python, {"site": site, "dropped": dropped})

    return rebuild


def _ask(python: str, job: Dict[str, Any]) -> Any:
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
        return json.loads(done.stdout.decode("ascii"))
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        raise Failed(
            "the site's own Python could not compile for us: %s" % error,
            path=python,
            expected="a Python 3.6 or later that runs",
        )
