"""The Kerberos programs of this host: where they are, and what they print about libkrb5."""

import os
import re
import shutil
import time
from typing import Any, Dict, List, Mapping, Optional, Tuple

from . import ccache, identity, process
from .account import Account
from .canonical import realm_of
from .ccache import Cache
from .errors import Problem, Unresponsive
from .process import Child
from .settings import Settings

_NAMES_KEPT = 600  # seconds that the name of a user's default cache is kept
NO_KLIST = (
    "klist does not answer: check the file server of the cache, the KCM daemon and the directory "
    "service"
)
_NO_ANSWER = (  # the messages of MIT krb5 and of Heimdal
    "Cannot (contact any|find|resolve network address for) KDC|unable to reach any KDC"
)


def is_no_answer(errors: str) -> bool:
    """Return whether kinit, by its error message, has found no KDC that answers."""
    return re.search(_NO_ANSWER, errors) is not None


def listed(argv: List[str], environment: Dict[str, str], end: float) -> str:
    """Return what klist prints until a deadline by the monotonic clock. Raises Problem."""
    try:
        done = process.run(argv, environment, end - time.monotonic())
    except Unresponsive:  # of klist, not of a KDC
        raise Problem(NO_KLIST)
    return done.out.decode("utf-8", "replace") + "\n" + done.err


class Programs:
    """kinit and the programs beside it, with the environment of this process."""

    def __init__(self, settings: Settings, environ: Mapping[str, str]) -> None:
        self._settings = settings
        self._environ = environ
        self._default_caches: Dict[int, Tuple[float, Any, Cache]] = {}

    def path(self, name: str) -> str:
        """Return the path of kinit or of a program beside it, else in /usr/bin or in PATH.

        A wrapper of kinit may have no klist beside it; another klist of MIT krb5 reads what it
        writes. Raises Problem if there is none.
        """
        kinit = self._settings.kinit or shutil.which("/usr/bin/kinit") or shutil.which("kinit")
        if not kinit:
            packages = "krb5-user, krb5-workstation or krb5-client"
            raise Problem("there is no kinit in /usr/bin or in PATH: install " + packages)
        if name == "kinit":
            return kinit
        beside = os.path.join(os.path.dirname(kinit), name)
        path = shutil.which(beside) or shutil.which("/usr/bin/" + name) or shutil.which(name)
        if not path:
            raise Problem("%s is neither beside %s nor in PATH" % (name, kinit))
        return path

    def is_heimdal(self) -> bool:
        """Return whether kinit is Heimdal's. Raises Problem if it cannot be run."""
        argv = [self.path("kinit"), "--version"]
        try:
            done = process.run(argv, identity.environment_of(None, {}), self._settings.timeout)
        except Unresponsive:  # no KDC takes part
            raise Problem("kinit --version does not answer")
        return b"Heimdal" in done.out or "Heimdal" in done.err

    def answers(self, principal: str) -> bool:
        """Return whether the principal's KDC answers at all, even with an error.

        The probe uses no file and no process of a user: a user's kinit can hang while the KDC
        answers. Raises Problem if kinit cannot be run.
        """
        realm = realm_of(principal)
        name = "jhpatch-probe" + ("@" + realm if realm else "")
        argv = [self.path("kinit"), "-c", "MEMORY:jhpatch", "--", name]
        environment = identity.environment_of(None, self._environ)
        try:
            return not is_no_answer(process.run(argv, environment, self._settings.timeout).err)
        except Unresponsive:
            return False

    def default_realm(self) -> str:
        """Return libkrb5's default realm, which kinit reports. Raises Problem.

        Before it asks a KDC, MIT's traces "Getting initial credentials for NAME@REALM"
        (get_init_creds.c), and Heimdal's asks for "NAME@REALM's Password:".
        """
        argv = [self.path("kinit"), "-c", "MEMORY:jhpatch", "--", "jhpatch-probe"]
        environment = identity.environment_of(None, self._environ, KRB5_TRACE="/dev/stdout")
        with Child(argv, environment, time.monotonic() + self._settings.timeout) as child:
            child.close_input()
            text = ""
            for line in iter(child.line, None):
                text = (line or b"").decode("utf-8", "replace")
                if "jhpatch-probe@" in text:
                    break
            errors = child.errors()
            match = re.search(r"jhpatch-probe@([^\s']+)", text + "\n" + errors)
            if not match:
                raise Problem("kinit names no default realm: %s" % " ".join(errors.split()))
            return match.group(1)

    # The default cache of a user.

    def known_default(self, account: Account) -> Optional[Cache]:
        """Return the default cache of a user, as klist named it within the last 10 minutes.

        None if it did not, or if krb5.conf has changed since.
        """
        asked, stamp, cache = self._default_caches.get(account.uid, (0.0, None, None))
        is_recent = time.monotonic() - asked < _NAMES_KEPT
        return cache if cache and is_recent and stamp == self._stamp() else None

    def default_cache(self, account: Account) -> Cache:
        """Run klist as the user, and return the default cache that it names. Raises Problem."""
        end = time.monotonic() + self._settings.timeout
        argv = identity.become(account, self._settings.timeout) + [self.path("klist")]
        environment = identity.environment_of(account, self._environ)
        return self.parsed(account, listed(argv, environment, end))

    def parsed(self, account: Account, text: str) -> Cache:
        """Return the default cache that klist's output names, and remember it."""
        cache = ccache.default_cache_of(text, account.uid)
        self._default_caches[account.uid] = time.monotonic(), self._stamp(), cache
        return cache

    def _stamp(self) -> Tuple[Any, ...]:
        """Return values that change if krb5.conf, which can name the cache, is edited."""
        stamps = []
        paths = self._environ.get("KRB5_CONFIG", "/etc/krb5.conf").split(":")
        for path in paths + [path + ".d" for path in paths]:
            try:
                status = os.stat(path)
                stamps.append((status.st_mtime_ns, status.st_ino, status.st_size))
            except OSError:
                stamps.append((0, 0, 0))
        return tuple(stamps)
