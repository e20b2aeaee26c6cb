"""How a child process becomes a user: ids, groups, and a clean environment."""

import os
import shutil
from typing import Dict, List, Mapping, Optional

from . import process
from .account import Account
from .errors import Problem, Unresponsive

_init_groups: Dict[str, bool] = {}  # path of setpriv: whether it has --init-groups


def is_other(account: Account) -> bool:
    """Return whether a child has to become the user. Raises Problem if this process cannot."""
    if os.geteuid() == account.uid:
        return False
    if os.geteuid() != 0:
        message = "the hub does not run as root, so it obtains no ticket for uid %d"
        raise Problem(message % account.uid)
    return True


def setpriv_path() -> str:
    """Return the path of setpriv(1). Raises Problem."""
    path = shutil.which("setpriv", path=process.PATH)
    if not path:
        raise Problem("this host has no setpriv: install util-linux")
    return path


def become(account: Account, timeout: float) -> List[str]:
    """Return the argv that turns a child into the user; empty if this process is the user.

    It uses setpriv(1), because ``preexec_fn`` is unsafe with threads. The ids have a plus sign,
    because setpriv looks up a bare number as a name first. Raises Problem.
    """
    if not is_other(account):
        return []
    setpriv = setpriv_path()
    ids = ["--reuid=+%d" % account.uid, "--regid=+%d" % account.gid]
    groups = _groups(setpriv, account, timeout)
    return [setpriv, *ids, groups, "--inh-caps=-all", "--no-new-privs", "--"]


def _groups(setpriv: str, account: Account, timeout: float) -> str:
    """Return setpriv's option for the groups. A child looks them up: a directory may be slow.

    util-linux before 2.33 has no --init-groups; there, id(1) looks them up.
    """
    environment = {"LC_ALL": "C", "PATH": process.PATH}
    try:
        if setpriv not in _init_groups:
            usage = process.run([setpriv, "--help"], environment, timeout)
            _init_groups[setpriv] = b"--init-groups" in usage.out
        if _init_groups[setpriv]:
            return "--init-groups"
        argv = ["/usr/bin/id", "-G", "--", account.name]
        done = process.run(argv, environment, timeout)
    except Unresponsive:  # of setpriv or id, not of a KDC
        raise Problem("cannot look up the groups of %s in time" % account.name)
    if done.code:
        raise Problem("cannot look up the groups of %s: %s" % (account.name, done.err))
    return "--groups=" + ",".join("+" + gid for gid in done.out.decode("ascii").split())


def environment_of(
    account: Optional[Account], environ: Mapping[str, str], **more: str
) -> Dict[str, str]:
    """Return a child's environment; another user's has no cache or keytab of this process."""
    kept = ["KRB5_CONFIG", "KRB5_KDC_PROFILE"]
    if account and os.geteuid() == account.uid:
        kept += ["KRB5CCNAME", "KRB5_CLIENT_KTNAME"]
    environment = {name: environ[name] for name in kept if name in environ}
    home = account.home if account else "/"
    return dict(environment, PATH=process.PATH, LC_ALL="C", HOME=home, **more)


def can_read(path: str, account: Account, timeout: float = 5.0) -> bool:
    """Return whether a user can read a file that another user owns.

    A child process tries, unless the mode gives only the owner read access. Raises Problem.
    """
    path = path[len("FILE:") :] if path.startswith("FILE:") else path
    try:
        mode = os.stat(path).st_mode
    except OSError:
        return False
    if not mode & 0o044:  # the group's bits are also the mask of an ACL (acl(5))
        return False
    argv = become(account, timeout) + ["/usr/bin/test", "-r", path]
    try:
        return process.run(argv, environment_of(None, {}), timeout).code == 0
    except Unresponsive:  # of test(1), not of a KDC
        raise Problem("cannot determine in time whether %s can read %s" % (account.name, path))


def latin(text: str) -> str:
    """Return the bytes of a file name or a variable as Latin-1 text, for JSON."""
    return os.fsencode(text).decode("latin-1")
