"""Which nginx is installed, asked of its program."""

import re
import subprocess
from typing import Optional

_PLACES = ("/usr/sbin/nginx", "/usr/local/sbin/nginx", "/usr/bin/nginx", "/usr/local/bin/nginx")
_SECONDS = 5.0


def version() -> Optional[str]:
    """Such as ``1.22.1``; None where there is no nginx, or one that does not say."""
    for program in _PLACES:
        try:
            done = subprocess.run(
                [program, "-v"],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                cwd="/",
                env={"LC_ALL": "C"},
                timeout=_SECONDS,
            )
        except (OSError, subprocess.TimeoutExpired):
            continue
        found = re.search(rb"nginx/([0-9]+\.[0-9]+\.[0-9]+)", done.stdout)
        if found:
            return found.group(1).decode()
    return None
