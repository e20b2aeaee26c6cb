"""The installed nginx: its program, its version, and the configuration that it reads."""

import os
import re
import subprocess
from typing import Iterable, Optional, Tuple

from jhpatch.namedtuple import NamedTuple
from jhpatch.system import path_owners

PROGRAMS: Tuple[str, ...] = (
    "/usr/sbin/nginx",
    "/usr/local/sbin/nginx",
    "/usr/bin/nginx",
    "/usr/local/bin/nginx",
    "/usr/local/nginx/sbin/nginx",
    "/usr/local/openresty/nginx/sbin/nginx",
)
"""The paths at which packages and builds install nginx."""
_TIMEOUT = 5.0  # seconds


class Nginx(NamedTuple):
    """An installed nginx. OpenResty's version is that of the nginx that it is built on."""

    program: str
    version: str
    main: str = "/etc/nginx/nginx.conf"
    """The main file that it reads if none is named."""

    @property
    def number(self) -> Tuple[int, ...]:
        """The version's parts."""
        return parse(self.version)


def parse(version: str) -> Tuple[int, ...]:
    """Return the parts of a version such as ``1.22.1``."""
    return tuple(int(part) for part in version.split("."))


def find(programs: Optional[Iterable[str]] = None) -> Optional[Nginx]:
    """Return the first nginx that prints its version; root runs none that others can write."""
    for program in PROGRAMS if programs is None else programs:
        if path_owners.untrusted_writer(program) is not None:
            continue
        try:
            completed = subprocess.run(
                [program, "-V"],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                cwd="/",
                env={"LC_ALL": "C"},
                timeout=_TIMEOUT,
            )
        except (OSError, subprocess.TimeoutExpired):
            continue
        text = completed.stdout.decode("utf-8", "replace")
        match = re.search(r"(?:nginx|openresty)/([0-9]+\.[0-9]+\.[0-9]+)", text)
        if match:
            main = re.search(r"--conf-path=(\S+)", text)
            return Nginx(program, match.group(1), *(main.groups() if main else ()))
    return None


def installed(programs: Optional[Iterable[str]] = None) -> Optional[str]:
    """Return a version such as ``1.22.1``; None without an nginx that prints one."""
    nginx = find(programs)
    return nginx and nginx.version


def untrusted(programs: Optional[Iterable[str]] = None) -> Tuple[str, ...]:
    """Return the programs that ``find`` passes over, as root, and who can write them."""
    rows = []
    for program in PROGRAMS if programs is None else programs:
        writer = path_owners.untrusted_writer(program)
        if writer is not None and os.path.isfile(program):
            values = (program, writer.path, writer.uid, writer.mode)
            rows.append(
                "%s: users other than root can write %s (owner uid %d, mode %04o)" % values
            )
    return tuple(rows)
