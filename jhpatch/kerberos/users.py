"""What a user's name and home mean for their tickets."""

from typing import Iterator

from jhpatch.deployed.kerberos.account import Account
from jhpatch.deployed.kerberos.settings import TicketSpec
from jhpatch.kerberos.findings import finding
from jhpatch.report.result import Finding
from jhpatch.system.files import read_text

_ENFORCE = "/sys/fs/selinux/enforce"


def check_user(account: Account, spec: TicketSpec, enforce: str = _ENFORCE) -> Iterator[Finding]:
    """Check the name of a user, and whether SELinux may protect the files in their home.

    ``enforce`` is the file that contains 1 if SELinux is enforcing.
    """
    user = account.name
    if "@" in user and spec.principal in (user, user + "@" + user.rpartition("@")[2]):
        message = "%s: the principal is %s, in the realm %s"
        message = message % (user, spec.principal, spec.principal.rpartition("@")[2])
        yield finding("user-name-has-domain", message, user=user)
    home = account.home.rstrip("/") + "/"
    used = [path for path in (spec.keytab, spec.ccache.partition(":")[2]) if path]
    if home != "/" and any(path.startswith(home) for path in used) and _is_enforcing(enforce):
        message = "%s: the keytab or the cache is in the home directory" % user
        yield finding("selinux", message, account.home, user)


def _is_enforcing(path: str) -> bool:
    try:
        return read_text(path).strip() == "1"
    except OSError:
        return False
