"""Run programs such as klist, each bounded in time, also as another user."""

import os
import signal
import subprocess
from typing import Callable, Dict, List, Mapping, Optional

from jhpatch.checks.accounts import Account
from jhpatch.checks.runner import MARGIN
from jhpatch.namedtuple import NamedTuple

SEARCH_PATH = "/usr/bin:/bin:/usr/sbin:/sbin"


class Completed(NamedTuple):
    """How a program ended."""

    exit_code: Optional[int]
    """None for a program that was killed at its limit, or that could not be started."""
    stdout: str
    stderr: str

    @property
    def message(self) -> str:
        """All that it printed, on one line."""
        return " ".join((self.stderr + " " + self.stdout).split())


Run = Callable[[List[str], float, Optional[Account]], Completed]
"""``run_program`` with an environment: the command, its limit in seconds, and the user."""


def run_program(
    argv: List[str],
    environ: Mapping[str, str],
    seconds: float,
    account: Optional[Account] = None,
) -> Completed:
    """Run a program with a clean environment, as ``account`` if that is another user.

    It has a session of its own, which is killed as a whole after ``seconds``.
    """
    try:
        child = subprocess.Popen(
            _become(account) + argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd="/",
            env=_clean_environment(environ, account),
            start_new_session=True,
        )
    except OSError as error:
        return Completed(None, "", "cannot run %s: %s" % (argv[0], error.strerror))
    try:
        stdout, stderr = child.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        _kill_session(child)
        return Completed(None, "", "no answer within %.1f s" % seconds)
    return Completed(
        child.returncode, stdout.decode("utf-8", "replace"), stderr.decode("utf-8", "replace")
    )


def _kill_session(child: "subprocess.Popen[bytes]") -> None:
    try:
        os.killpg(child.pid, signal.SIGKILL)
        child.communicate(timeout=MARGIN / 2)
    except (OSError, ValueError, subprocess.TimeoutExpired):
        pass  # an unresponsive NFS server holds it; it ends when the server answers


def can_become(account: Account) -> bool:
    """Return whether this process can run programs as that user."""
    return os.geteuid() in (0, account.uid)


def _become(account: Optional[Account]) -> List[str]:
    """Return the command that becomes the user before it runs a program: setpriv(1)."""
    if account is None or os.geteuid() == account.uid:
        return []
    groups = ",".join(str(gid) for gid in account.groups)
    argv = ["setpriv", "--reuid=%d" % account.uid, "--regid=%d" % account.gid]
    argv += ["--groups=" + groups, "--inh-caps=-all", "--no-new-privs", "--"]
    return [find_program("setpriv") or "setpriv"] + argv[1:]


def _clean_environment(environ: Mapping[str, str], account: Optional[Account]) -> Dict[str, str]:
    kept = ["KRB5_CONFIG"]
    if account is not None and os.geteuid() == account.uid:
        kept += ["KRB5CCNAME", "KRB5_CLIENT_KTNAME"]  # the user's own
    clean = {name: environ[name] for name in kept if name in environ}
    clean.update(PATH=SEARCH_PATH, LC_ALL="C")
    return dict(clean, HOME=account.home) if account else clean


def find_program(name: str, search_path: str = SEARCH_PATH) -> Optional[str]:
    """Return the path of a program; None if no directory of ``search_path`` has it."""
    import shutil

    return shutil.which(name, path=search_path)
