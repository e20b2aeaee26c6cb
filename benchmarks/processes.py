"""Whole processes and what they take."""

import os
import subprocess
import tempfile
import time
from typing import Dict, List, NamedTuple, Tuple


class Spent(NamedTuple):
    """Milliseconds of a process: of wall time, and of cpu with its children's."""

    wall: float
    cpu: float


def clean_environment(folder: str) -> Dict[str, str]:
    """Variables for a tool: no settings of the user's, no repository above, no .pyc left out."""
    home = os.path.join(folder, "home")
    os.makedirs(home, exist_ok=True)
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": home,
        "LC_ALL": "C.UTF-8",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CEILING_DIRECTORIES": folder,
        "NO_UPDATE_NOTIFIER": "1",
        "SOCKET_NO_UPDATE_CHECK": "1",
        "SOCKET_TELEMETRY_DISABLED": "1",
    }


def spent(argv: List[str], cwd: str, environ: Dict[str, str]) -> Tuple[Spent, int, str]:
    """What a process takes, its exit code and what it says."""
    with tempfile.TemporaryFile() as out:
        start = time.perf_counter()
        child = subprocess.Popen(
            argv, cwd=cwd, env=environ, stdin=subprocess.DEVNULL, stdout=out, stderr=out
        )
        try:
            _, status, usage = os.wait4(child.pid, 0)
        except BaseException:
            child.kill()
            child.wait()
            raise
        wall = time.perf_counter() - start
        child.returncode = os.WEXITSTATUS(status) if os.WIFEXITED(status) else -1
        out.seek(0)
        said = out.read().decode("utf-8", "replace")
    cpu = usage.ru_utime + usage.ru_stime
    return Spent(wall * 1000, cpu * 1000), child.returncode, said
