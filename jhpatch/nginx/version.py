"""The version of the installed nginx, as nginx itself prints it."""

import re
import subprocess
from typing import Iterable, Optional

_PROGRAMS = ("/usr/sbin/nginx", "/usr/local/sbin/nginx", "/usr/bin/nginx", "/usr/local/bin/nginx")
_TIMEOUT = 5.0  # seconds


def installed(programs: Iterable[str] = _PROGRAMS) -> Optional[str]:
    """Return a version such as ``1.22.1``; None without an nginx that prints one."""
    for program in programs:
        try:
            completed = subprocess.run(
                [program, "-v"],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                cwd="/",
                env={"LC_ALL": "C"},
                timeout=_TIMEOUT,
            )
        except (OSError, subprocess.TimeoutExpired):
            continue
        match = re.search(rb"nginx/([0-9]+\.[0-9]+\.[0-9]+)", completed.stdout)
        if match:
            return match.group(1).decode()
    return None
