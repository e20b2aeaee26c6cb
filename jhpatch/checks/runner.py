"""Programs and checks, each bounded in time; a program may run as another user."""

import os
import signal
import subprocess
import threading
import time
from typing import Callable, Dict, Iterable, List, Mapping, Optional, Tuple

from jhpatch.checks.finding import FindingKind, FindingTable
from jhpatch.errors import jhpatch_command
from jhpatch.namedtuple import NamedTuple
from jhpatch.report.result import Finding

PATH = "/usr/bin:/bin:/usr/sbin:/sbin"
EACH = 5.0  # seconds that one check may take
ALL = 30.0  # seconds that all may take
_MARGIN = 0.3  # seconds before the end of its check at which a program is killed

KINDS: Dict[str, FindingKind] = {
    "check-timeout": FindingKind(
        "warning",
        "each check has 5 s, all have 30 s: a service of this host does not answer",
        jhpatch_command("doctor"),
    ),
    "check-left-out": FindingKind(
        "warning", "each check has 5 s, all have 30 s", jhpatch_command("doctor")
    ),
    "check-failed": FindingKind(
        "warning", "a mistake in jhpatch: please report it", jhpatch_command("doctor", "--json")
    ),
}
_finding = FindingTable(KINDS).finding


class Account(NamedTuple):
    """A user, as the password database has it."""

    name: str
    uid: int
    gid: int
    home: str
    groups: Tuple[int, ...]


def account_of(name: str) -> Optional[Account]:
    """The user of that name; None where there is none."""
    import pwd

    try:
        entry = pwd.getpwnam(name)
    except (KeyError, ValueError):
        return None
    groups = tuple(os.getgrouplist(entry.pw_name, entry.pw_gid))
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid, entry.pw_dir, groups)


class Deadline:
    """When a check must have ended."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._end = clock() + seconds

    def left(self, most: float = EACH) -> float:
        """Seconds for a program or a socket, never nought."""
        return min(max(self._end - self._clock() - _MARGIN, 0.05), most)


class Completed(NamedTuple):
    """How a program ended; ``code`` is None where it was killed at its time, or never ran."""

    code: Optional[int]
    out: str
    err: str

    @property
    def words(self) -> str:
        """All that it said, on one line."""
        return " ".join((self.err + " " + self.out).split())


def run(
    argv: List[str],
    environ: Mapping[str, str],
    seconds: float,
    account: Optional[Account] = None,
) -> Completed:
    """Runs a program, as ``account`` if that is somebody else, with a clean environment.

    It has a session of its own, which is killed whole after ``seconds``.
    """
    try:
        child = subprocess.Popen(
            _become(account) + argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd="/",
            env=_clean(environ, account),
            start_new_session=True,
        )
    except OSError as error:
        return Completed(None, "", "cannot run %s: %s" % (argv[0], error.strerror))
    try:
        out, err = child.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        _kill(child)
        return Completed(None, "", "no answer within %.1f s" % seconds)
    return Completed(
        child.returncode, out.decode("utf-8", "replace"), err.decode("utf-8", "replace")
    )


def _kill(child: "subprocess.Popen[bytes]") -> None:
    try:
        os.killpg(child.pid, signal.SIGKILL)
        child.communicate(timeout=_MARGIN / 2)
    except (OSError, ValueError, subprocess.TimeoutExpired):
        pass  # a dead NFS server holds it; it ends when that answers


def can_become(account: Account) -> bool:
    """Whether we may look at what is that user's."""
    return os.geteuid() in (0, account.uid)


def _become(account: Optional[Account]) -> List[str]:
    """What makes a child become the user: setpriv(1), as the helper does it."""
    if account is None or os.geteuid() == account.uid:
        return []
    groups = ",".join(str(gid) for gid in account.groups)
    argv = ["setpriv", "--reuid=%d" % account.uid, "--regid=%d" % account.gid]
    argv += ["--groups=" + groups, "--inh-caps=-all", "--no-new-privs", "--"]
    return [located("setpriv") or "setpriv"] + argv[1:]


def _clean(environ: Mapping[str, str], account: Optional[Account]) -> Dict[str, str]:
    kept = ["KRB5_CONFIG"]
    if account is not None and os.geteuid() == account.uid:
        kept += ["KRB5CCNAME", "KRB5_CLIENT_KTNAME"]  # they are that user's own
    found = {name: environ[name] for name in kept if name in environ}
    found.update(PATH=PATH, LC_ALL="C")
    return dict(found, HOME=account.home) if account else found


def located(name: str, path: str = PATH) -> Optional[str]:
    """The program of that name on ``path``."""
    import shutil

    return shutil.which(name, path=path)


class Check(NamedTuple):
    """Something to look at: ``look`` gives its findings, by the deadline."""

    name: str
    look: Callable[[Deadline], Iterable[Finding]]


def run_checks(
    checks: Iterable[Check],
    each: float = EACH,
    total: float = ALL,
    step: Callable[[str], None] = lambda name: None,
) -> Tuple[Finding, ...]:
    """The findings of all checks, one check after the other; none can hold the others up.

    ``step`` is told the name of each as it begins.
    """
    found: List[Finding] = []
    end = time.monotonic() + total
    for check in checks:
        step(check.name)
        seconds = min(each, end - time.monotonic())
        if seconds <= 0:
            found.append(_finding("check-left-out", "%s: no time was left for it" % check.name))
        else:
            found += _bounded(check, seconds)
    return tuple(found)


def _bounded(check: Check, seconds: float) -> List[Finding]:
    """In a thread of its own: a name service or an NFS server may never answer."""
    found: List[Finding] = []

    def look() -> None:
        try:
            for one in check.look(Deadline(seconds)):
                found.append(one)
        except Exception as error:
            words = "%s: unexpected %s: %s" % (check.name, type(error).__name__, error)
            found.append(_finding("check-failed", words))

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    thread.join(seconds)
    if thread.is_alive():
        late = _finding("check-timeout", "%s: no end within %.0f s" % (check.name, seconds))
        return list(found) + [late]
    return found
