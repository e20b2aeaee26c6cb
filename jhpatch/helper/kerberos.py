"""Kerberos tickets for JupyterHub's users, and for as long as their servers run.

This module is copied into a patched package as ``_jhpatch_kerberos.py``. It uses the
standard library, traitlets and tornado (4.5 and later) alone, and runs on Python 3.6
and later. The patched lines are decorators; everything that they do is here:

==============  =====================================================================
``on_start``    end of ``PAMAuthenticator.__init__``: builds and checks the settings
``on_login``    above ``authenticate``: a ticket as soon as PAM lets the user in
``on_spawn``    above ``pre_spawn_start``: a ticket again, and the settings for the server
``on_stop``     above ``post_spawn_stop``
``on_open``     above the ``get`` of pages and contents: starts the server's keeper
``on_save``     above ``_save``: starts it too; never waits, never fails
==============  =====================================================================

In the hub, which is root, everything that touches a path of a user is done by a child
that has become that user (setpriv(1)): root opens, renames and changes nothing that a
user can choose. Nothing escapes a wrapper but the refusal of ``policy = "require"``.
"""

import collections
import concurrent.futures
import datetime
import functools
import inspect
import json
import logging
import os
import pwd
import re
import shutil
import signal
import stat
import struct
import subprocess
import sys
import threading
import time
from typing import (
    Any,
    Callable,
    DefaultDict,
    Dict,
    Generator,
    List,
    Mapping,
    NamedTuple,
    Optional,
    Tuple,
)

import traitlets
from tornado import concurrent as tornado_concurrent
from tornado import gen, web
from traitlets import Bool, Enum, Float, Integer, TraitError, Unicode, validate
from traitlets.config import LoggingConfigurable

SCHEMA = 1  # of JHPATCH_KERBEROS
VARIABLE = "JHPATCH_KERBEROS"
_CACHE_CAP = 1024 * 1024  # bytes; a cache with a few hundred service tickets is smaller
_MARGIN = 5  # seconds before its end at which a ticket no longer counts as valid
_BACKOFF_CAP = 600  # seconds between two tries, at the most
_TURN = 60  # seconds between two looks at the clock, which may be stepped
_PATH = "/usr/bin:/bin:/usr/sbin:/sbin"
_KEEPER = "_jhpatch_kerberos.keeper"  # the key in sys.modules that one keeper a process has


# The cache file (MIT krb5, "Credential cache file format", versions 3 and 4).


class Malformed(ValueError):
    """A cache that is cut short, of another version, or none at all."""


class Ticket(NamedTuple):
    """A ticket-granting ticket; times in seconds since the epoch, local clock."""

    principal: str
    start: float
    end: float
    renew_till: float


class _Reader:
    """Big-endian fields from bytes; a field that is not there raises Malformed."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.at = 0

    def number(self, form: str) -> int:
        """One number of a struct format."""
        return int(struct.unpack(form, self.take(struct.calcsize(form)))[0])

    def take(self, size: int) -> bytes:
        """The next ``size`` bytes."""
        if size > len(self._data) - self.at:
            raise Malformed("the cache ends too early")
        self.at += size
        return self._data[self.at - size : self.at]

    def text(self) -> str:
        """A counted string, as text that can be logged."""
        return self.take(self.number(">I")).decode("utf-8", "replace")

    def more(self) -> bool:
        """Whether anything is left."""
        return self.at < len(self._data)

    def principal(self) -> Tuple[Tuple[str, ...], str]:
        """``(components, realm)``."""
        self.number(">I")  # the name's type
        count = self.number(">I")
        realm = self.text()
        if count > 64:
            raise Malformed("a principal of %d components" % count)
        return tuple(self.text() for _ in range(count)), realm

    def skip_list(self) -> None:
        """Addresses or authorization data."""
        for _ in range(self.number(">I")):
            self.number(">H")
            self.take(self.number(">I"))


def read_cache(data: bytes) -> Optional[Ticket]:
    """The latest TGT of the cache's own realm in ``data`` (bytes); None where it has none.

    Raises Malformed. The clock offset in the header of version 4 is taken into account.
    """
    reader = _Reader(data)
    version = reader.number(">H")
    if version not in (0x0503, 0x0504):
        raise Malformed("a cache of another version: %#06x" % version)
    offset = _header_offset(reader) if version == 0x0504 else 0
    owner = reader.principal()
    found = None
    while reader.more():
        ticket = _credential(reader, owner, offset)
        if ticket and (found is None or ticket.end > found.end):
            found = ticket
    return found


def _header_offset(reader: _Reader) -> int:
    """Seconds that the KDC's clock is ahead of ours (header tag 1)."""
    fields = _Reader(reader.take(reader.number(">H")))
    offset = 0
    while fields.more():
        tag, value = fields.number(">H"), fields.take(fields.number(">H"))
        if tag == 1 and len(value) == 8:
            offset = struct.unpack(">i", value[:4])[0]
    return offset


def _credential(
    reader: _Reader, owner: Tuple[Tuple[str, ...], str], offset: int
) -> Optional[Ticket]:
    client, server = reader.principal(), reader.principal()
    reader.number(">H")
    reader.take(reader.number(">I"))
    auth, start, end, renew_till = (reader.number(">I") for _ in range(4))
    reader.take(5)  # is_skey, flags
    reader.skip_list()
    reader.skip_list()
    reader.take(reader.number(">I"))
    reader.take(reader.number(">I"))
    realm = owner[1]
    if client != owner or server != (("krbtgt", realm), realm) or not end:
        return None  # a service ticket, a configuration entry, or a removed one
    name = "%s@%s" % ("/".join(owner[0]), realm)
    return Ticket(name, (start or auth) - offset, end - offset, renew_till - offset)


# Settings.


class KerberosTicket(LoggingConfigurable):
    """Where tickets come from, where they go, and what happens when there is none."""

    enabled = Bool(True, help="Whether to get tickets at all.").tag(config=True)
    principal = traitlets.Any(
        "{username}",
        help="A template with {username}, {uid}, {home}, {realm}, {host}, or a callable "
        "that takes the user name.",
    ).tag(config=True)
    keytab = traitlets.Any(
        "",
        help="A template or a callable, as principal; default: krb5.conf's client keytab.",
    ).tag(config=True)
    ccache = Unicode(
        "", help="A template for the path of the cache; default: what libkrb5 says."
    ).tag(config=True)
    realm = Unicode("", help="What {realm} stands for.").tag(config=True)
    kinit = Unicode("", help="The path of kinit; default: /usr/bin/kinit, then PATH.").tag(
        config=True
    )
    lifetime = Unicode("", help="kinit -l; default: krb5.conf's.").tag(config=True)
    renewable = Unicode("7d", help="kinit -r; empty: not renewable.").tag(config=True)
    timeout = Float(5.0, help="Seconds that one kinit may take.").tag(config=True)
    open_wait = Float(2.0, help="Seconds that opening a notebook may wait.").tag(config=True)
    refresh_at = Float(0.5, help="The part of its life after which it is renewed.").tag(
        config=True
    )
    retry = Float(30.0, help="Seconds between two tries; doubles to 10 minutes.").tag(config=True)
    policy = Enum(
        ("require", "warn", "ignore"),
        "warn",
        help="Without a ticket: refuse the login, say so in the log, or say nothing.",
    ).tag(config=True)
    min_uid = Integer(1, help="Users below this uid never get one.").tag(config=True)
    when = Enum(
        ("after", "before"), "after", help="Whether a spawn's ticket comes after the PAM session."
    ).tag(config=True)
    destroy = Enum(
        ("never", "last-server"), "never", help="When a user's cache is destroyed."
    ).tag(config=True)

    @validate("timeout", "open_wait", "retry", "refresh_at")
    def _in_range(self, proposal: Any) -> Any:
        low, high = {"refresh_at": (0.05, 0.95), "open_wait": (0, 60)}.get(
            proposal["trait"].name, (0.1, 3600)
        )
        if not low <= proposal["value"] <= high:
            raise TraitError(
                "KerberosTicket.%s must be from %s to %s, not %r"
                % (proposal["trait"].name, low, high, proposal["value"])
            )
        return proposal["value"]

    @validate("lifetime", "renewable")
    def _is_duration(self, proposal: Any) -> Any:
        if not re.match(r"^([0-9]+[dhms])*[0-9]*$|^[0-9]+(:[0-9]+){1,2}$", proposal["value"]):
            raise TraitError(
                "KerberosTicket.%s must be a duration as kinit(1) takes it, such as 7d, not %r"
                % (proposal["trait"].name, proposal["value"])
            )
        return proposal["value"]

    @validate("principal", "keytab", "ccache")
    def _is_template(self, proposal: Any) -> Any:
        value, name = proposal["value"], proposal["trait"].name
        if callable(value) and name != "ccache":
            return value
        try:
            value.format(username="u", uid=1, home="/", realm="R", host="h")
        except (AttributeError, LookupError, ValueError) as error:
            raise TraitError("KerberosTicket.%s is no template: %r: %s" % (name, value, error))
        return value


class Account(NamedTuple):
    """A user, as the password database has it."""

    name: str
    uid: int
    gid: int
    home: str
    groups: Tuple[int, ...]


class Wanted(NamedTuple):
    """What a user's ticket is: ``keytab`` and ``ccache`` are paths, or empty."""

    principal: str
    keytab: str
    ccache: str


class Problem(Exception):
    """Why there is no ticket, in one line for the log."""


def account_of(name: str, min_uid: int) -> Account:
    """The password database's entry of a user. Raises Problem for who gets no ticket."""
    if not name or name[0] in "-." or any(c in name for c in "/\0\n:"):
        raise Problem("%r is no name that a path may hold" % name)
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        raise Problem("%r is no user of this host" % name)
    if entry.pw_uid < max(min_uid, 1):
        raise Problem("uid %d is below min_uid" % entry.pw_uid)
    groups = os.getgrouplist(entry.pw_name, entry.pw_gid)
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid, entry.pw_dir, tuple(groups))


def wanted_of(settings: KerberosTicket, account: Account) -> Wanted:
    """The templates of ``settings`` for one user. Raises Problem for an empty or odd result."""
    fields = dict(
        username=account.name,
        uid=account.uid,
        home=account.home,
        realm=settings.realm,
        host=os.uname().nodename,
    )

    def filled(name: str) -> str:
        value = getattr(settings, name)
        text = value(account.name) if callable(value) else value.format(**fields)
        if not isinstance(text, str) or any(c in text for c in "\0\n"):
            raise Problem("KerberosTicket.%s gives no usable text for %s" % (name, account.name))
        return text

    wanted = Wanted(filled("principal"), filled("keytab"), _path_of(filled("ccache")))
    if not wanted.principal:
        raise Problem("KerberosTicket.principal is empty for %s" % account.name)
    return wanted


def _path_of(ccache: str) -> str:
    """The path of a FILE cache. Other types have their place here once they are supported."""
    kind, colon, rest = ccache.partition(":")
    if ccache and not ccache.startswith("/"):
        if not (colon and kind == "FILE" and rest.startswith("/")):
            raise Problem("cache type of %r is not supported; FILE:/path is" % ccache)
        return rest
    return ccache


# Getting a ticket: everything on a user's paths is done by the user.

_LOOK = 'test -f "$1" && test ! -L "$1" && test -O "$1" && exec head -c "$2" -- "$1"'

# $1 temporary cache, $2 cache, $3 klist, then kinit and its arguments. A cache that somebody
# else owns is never used, and a symlink is replaced by the rename, not followed (rename(2)).
_GET = """\
umask 077
temp=$1 cache=$2 klist=$3
shift 3
trap 'rm -f -- "$temp"' EXIT
if test -e "$cache" && test ! -L "$cache"; then
  test -f "$cache" || { echo "$cache is no regular file" >&2; exit 77; }
  test -O "$cache" || { echo "$cache belongs to $(stat -c %U -- "$cache")" >&2; exit 77; }
fi
"$@" || exit
"$klist" -s -c "FILE:$temp" || { echo "kinit made a cache without a valid ticket" >&2; exit 78; }
mv -fT -- "$temp" "$cache" || exit
head -c CAP -- "$cache"
""".replace("CAP", str(_CACHE_CAP + 1))


class Done(NamedTuple):
    """How a program ended, and what it said."""

    code: int
    out: bytes
    err: str


def run(argv: List[str], environment: Dict[str, str], timeout: float) -> Done:
    """Runs a program in a session of its own, killed whole at ``timeout`` (seconds).

    Raises Problem when it takes too long or cannot be started.
    """
    try:
        child = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd="/",
            env=environment,
            start_new_session=True,
        )
    except OSError as error:
        raise Problem("cannot run %s: %s" % (argv[0], error.strerror))
    try:
        out, err = child.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        _kill(child)
        raise Problem("no answer within %g s (KDC down?)" % timeout)
    except BaseException:
        _kill(child)
        raise
    return Done(child.returncode, out, err.decode("utf-8", "replace").strip())


def _kill(child: "subprocess.Popen[bytes]") -> None:
    try:
        os.killpg(child.pid, signal.SIGKILL)
    except OSError:
        pass
    try:
        child.communicate(timeout=1)
    except (subprocess.TimeoutExpired, ValueError):
        for pipe in (child.stdout, child.stderr):
            if pipe is not None:
                pipe.close()


class Getter:
    """Gets tickets for an account: as a child that becomes it, or as ourselves if we are it."""

    def __init__(
        self, settings: KerberosTicket, environ: Optional[Mapping[str, str]] = None
    ) -> None:
        self._settings = settings
        self._environ = os.environ if environ is None else environ
        self._locks: DefaultDict[int, Any] = collections.defaultdict(threading.Lock)

    def ensure(self, account: Account, wanted: Wanted) -> Tuple[Ticket, bool]:
        """``(Ticket, got)``: a valid ticket of ``account``, and whether it is a new one.

        A ticket of which ``refresh_at`` of the life has passed is replaced. One
        refresh in flight per user. Raises Problem.
        """
        with self._locks[account.uid]:
            path = wanted.ccache or self._default_ccache(account)
            ticket = self.look(account, path)
            now = time.time()
            if ticket and ticket.end - _MARGIN > now:
                if not _is_same(ticket.principal, wanted.principal):
                    raise Problem(
                        "%s holds a valid ticket of %s, which is left alone"
                        % (path, ticket.principal)
                    )
                if now < self.due(ticket):
                    return ticket, False
            return self._kinit(account, wanted, path), True

    def due(self, ticket: Ticket) -> float:
        """When a ticket is to be renewed: at a part of its life, counted from its start."""
        return ticket.start + self._settings.refresh_at * (ticket.end - ticket.start)

    def look(self, account: Account, path: str) -> Optional[Ticket]:
        """The ticket in a cache; None where there is none that can be used. Raises Problem."""
        if os.geteuid() == account.uid:
            data = _read_own(path, account.uid)
        else:
            argv = self._as(account) + ["/bin/sh", "-c", _LOOK, "jhpatch", path]
            argv.append(str(_CACHE_CAP + 1))
            data = run(argv, self._clean(account), self._settings.timeout).out or None
        if data is None or len(data) > _CACHE_CAP:
            return None
        try:
            return read_cache(data)
        except Malformed:
            return None

    def destroy(self, account: Account, wanted: Wanted) -> None:
        """kdestroy, as the user."""
        path = wanted.ccache or self._default_ccache(account)
        argv = self._as(account) + [self._tool("kdestroy"), "-q", "-c", "FILE:" + path]
        run(argv, self._clean(account), self._settings.timeout)

    def _kinit(self, account: Account, wanted: Wanted, path: str) -> Ticket:
        temp = "%s/.jhpatch-cc-%d-%s" % (os.path.dirname(path), account.uid, os.urandom(8).hex())
        argv = self._as(account) + ["/bin/sh", "-c", _GET, "jhpatch", temp, path]
        argv += [self._tool("klist"), self._tool("kinit"), "-c", "FILE:" + temp, "-k"]
        argv += ["-t", wanted.keytab] if wanted.keytab else ["-i"]
        argv += ["-l", self._settings.lifetime] if self._settings.lifetime else []
        argv += ["-r", self._settings.renewable] if self._settings.renewable else []
        done = run(argv + ["--", wanted.principal], self._clean(account), self._settings.timeout)
        if done.code:
            raise Problem(" ".join(done.err.split()) or "kinit ended with %d" % done.code)
        try:
            ticket = read_cache(done.out)
        except Malformed as error:
            raise Problem("%s: %s" % (path, error))
        if ticket is None:
            raise Problem("%s: no ticket-granting ticket in it" % path)
        return ticket

    def _default_ccache(self, account: Account) -> str:
        """What libkrb5 says for that user; klist names the cache even where it is absent."""
        argv = self._as(account) + [self._tool("klist")]
        done = run(argv, self._clean(account), self._settings.timeout)
        text = done.out.decode("utf-8", "replace") + "\n" + done.err
        found = re.search(r"^Ticket cache: (\S+)$", text, re.M)
        found = found or re.search(r"\((?:filename: |ticket cache )?(\S+)\)", text)
        if not found:
            raise Problem("klist names no cache: %s" % " ".join(text.split()))
        return _path_of(found.group(1))

    def _tool(self, name: str) -> str:
        """The path of kinit, or of one of its siblings."""
        kinit = self._settings.kinit or shutil.which("/usr/bin/kinit") or shutil.which("kinit")
        if not kinit:
            raise Problem("no kinit on this host: install krb5-user (krb5-workstation)")
        return os.path.join(os.path.dirname(kinit), name) if name != "kinit" else kinit

    def _as(self, account: Account) -> List[str]:
        """What makes a child become the user: setpriv, as preexec_fn is unsafe in threads."""
        if os.geteuid() == account.uid:
            return []
        if os.geteuid() != 0:
            raise Problem("the hub is not root and cannot get tickets for uid %d" % account.uid)
        setpriv = shutil.which("setpriv", path=_PATH)
        if not setpriv:
            raise Problem("no setpriv on this host: install util-linux")
        return [
            setpriv,
            "--reuid=%d" % account.uid,
            "--regid=%d" % account.gid,
            "--groups=" + ",".join(str(gid) for gid in account.groups),
            "--inh-caps=-all",
            "--no-new-privs",
            "--",
        ]

    def _clean(self, account: Account) -> Dict[str, str]:
        """A child's environment. The hub's own cache and keytab are not the user's."""
        kept = ["KRB5_CONFIG", "KRB5_KDC_PROFILE"]
        if os.geteuid() == account.uid:
            kept += ["KRB5CCNAME", "KRB5_CLIENT_KTNAME"]
        environment = {name: self._environ[name] for name in kept if name in self._environ}
        return dict(environment, PATH=_PATH, LC_ALL="C", HOME=account.home)


def _is_same(principal: str, wanted: str) -> bool:
    """Whether a ticket is of the principal that is wanted, which may leave the realm out."""
    return principal == wanted or principal.rpartition("@")[0] == wanted


def _read_own(path: str, uid: int) -> Optional[bytes]:
    """A cache of our own; None where there is none that may be used."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        found = os.fstat(fd)
        if not stat.S_ISREG(found.st_mode) or found.st_uid != uid:
            return None
        with os.fdopen(fd, "rb", closefd=False) as file:
            return file.read(_CACHE_CAP + 1)
    except OSError:
        return None
    finally:
        os.close(fd)


# tornado 4.5 has it in gen; from 5.0 on that name is the same class.
TIMEOUT: Any = getattr(gen, "TimeoutError")  # noqa: B009
Method = Callable[..., Any]
Waiting = Generator[Any, Any, Any]


# The hub.


class Hub:
    """The helper in a hub: one per authenticator."""

    def __init__(self, settings: KerberosTicket, log: Any) -> None:
        self.settings = settings
        self.log = log
        self.getter = Getter(settings)
        # Not PAM's threads: up to JupyterHub 5.1 there is one for all logins.
        self._pool = concurrent.futures.ThreadPoolExecutor(8)

    def ticket(
        self, name: str, cause: str, asked_by: Optional[str], ccache: Optional[str] = None
    ) -> "concurrent.futures.Future[Optional[str]]":
        """A Future: None where the user has a ticket, else why not, in one line."""
        return self._pool.submit(self._ticket, name, cause, asked_by, ccache)

    def _ticket(
        self, name: str, cause: str, asked_by: Optional[str], ccache: Optional[str]
    ) -> Optional[str]:
        account = wanted = None
        try:
            account = account_of(name, self.settings.min_uid)
            wanted = self.wanted(account, ccache)
            ticket, got = self.getter.ensure(account, wanted)
        except Problem as problem:
            self._tell(name, account, wanted, cause, problem)
            return str(problem)
        if got:
            self.log.info(
                "Kerberos ticket for %s (uid %d): %s from %s into %s until %s, at %s%s",
                account.name,
                account.uid,
                ticket.principal,
                _named(wanted.keytab, "keytab ", "the client keytab"),
                _named(wanted.ccache, "FILE:", "the default cache"),
                _clock(ticket.end),
                cause,
                ", asked by " + asked_by if asked_by else "",
            )
        return None

    def wanted(self, account: Account, ccache: Optional[str] = None) -> Wanted:
        """What the user's ticket is; an administrator's KRB5CCNAME wins."""
        wanted = wanted_of(self.settings, account)
        return wanted._replace(ccache=_path_of(ccache)) if ccache else wanted

    def _tell(
        self,
        name: str,
        account: Optional[Account],
        wanted: Optional[Wanted],
        cause: str,
        problem: Problem,
    ) -> None:
        if self.settings.policy != "ignore":
            self.log.warning(
                "No Kerberos ticket for %s%s at %s%s: %s",
                name,
                " (uid %d)" % account.uid if account else "",
                cause,
                " from keytab " + wanted.keytab if wanted and wanted.keytab else "",
                problem,
            )

    def environment(self, name: str, old: Dict[str, Any]) -> Dict[str, Any]:
        """The server's environment: ``old`` and what the server's keeper needs to know."""
        account = account_of(name, self.settings.min_uid)
        named = old.get("KRB5CCNAME")
        wanted = self.wanted(account, named if isinstance(named, str) else None)
        told = {"schema": SCHEMA, "principal": wanted.principal}
        told.update(keytab=wanted.keytab, ccache=wanted.ccache)
        for key in _TOLD:
            told[key] = getattr(self.settings, key)
        new = dict(old)
        new[VARIABLE] = json.dumps(told, sort_keys=True)
        if wanted.ccache and not named:
            new["KRB5CCNAME"] = "FILE:" + wanted.ccache
        return new

    def forget(self, name: str) -> "concurrent.futures.Future[None]":
        """A Future: the user's cache is destroyed, if the settings say so."""
        return self._pool.submit(self._destroy, name)

    def _destroy(self, name: str) -> None:
        try:
            account = account_of(name, self.settings.min_uid)
            self.getter.destroy(account, self.wanted(account))
        except Problem as problem:
            self.log.warning("Kerberos cache of %s not destroyed: %s", name, problem)


_TOLD = ("kinit", "lifetime", "renewable", "timeout", "open_wait", "refresh_at", "retry")


def _named(value: str, prefix: str, default: str) -> str:
    return prefix + value if value else default


def _clock(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))


def on_start(authenticator: Any) -> None:
    """Builds and checks the settings. A wrong one disables the helper, with one line."""
    try:
        settings = KerberosTicket(parent=authenticator)
        hub = Hub(settings, authenticator.log) if settings.enabled else None
    except Exception as error:  # a TraitError, or a bug: the hub starts all the same
        hub = None
        authenticator.log.error("Kerberos tickets are disabled: %s", " ".join(str(error).split()))
    authenticator._jhpatch_kerberos = hub


def _hub_of(authenticator: Any) -> Optional[Hub]:
    return getattr(authenticator, "_jhpatch_kerberos", None)


def _is_awaitable(value: Any) -> bool:
    return tornado_concurrent.is_future(value) or inspect.isawaitable(value)


def on_login(method: Method) -> Method:
    """``PAMAuthenticator.authenticate``: a ticket once PAM has let the user in."""

    @functools.wraps(method)
    @gen.coroutine
    def authenticate(self: Any, handler: Any, data: Any) -> Waiting:
        result = method(self, handler, data)
        if _is_awaitable(result):
            result = yield result
        problem = None
        hub = _hub_of(self)
        if hub and result:
            try:
                name = result["name"] if isinstance(result, dict) else result
                asked_by = getattr(getattr(handler, "request", None), "remote_ip", None)
                problem = yield hub.ticket(self.normalize_username(name), "login", asked_by)
            except Exception:
                self.log.exception("Kerberos: a bug at login; the login goes on")
            if problem and hub.settings.policy == "require":
                raise _refusal(503, problem)
        raise gen.Return(result)

    return authenticate


def _refusal(code: int, problem: str) -> web.HTTPError:
    return web.HTTPError(code, "No Kerberos ticket: %s" % problem.replace("%", "%%"))


def on_spawn(method: Method) -> Method:
    """``PAMAuthenticator.pre_spawn_start``: a ticket again, and the server's settings."""

    @functools.wraps(method)
    @gen.coroutine
    def pre_spawn_start(self: Any, user: Any, spawner: Any) -> Waiting:
        hub = _hub_of(self)
        early = hub and hub.settings.when == "before"
        problem = (yield _spawning(self, hub, user, spawner)) if early else None
        result = method(self, user, spawner)
        if _is_awaitable(result):
            result = yield result
        if hub and not early:
            problem = yield _spawning(self, hub, user, spawner)
        if hub and problem and hub.settings.policy == "require":
            if _may_refuse_a_spawn():
                raise _refusal(403, problem)
            self.log.error("Kerberos: this JupyterHub exits after refused spawns; going on")
        raise gen.Return(result)

    return pre_spawn_start


@gen.coroutine
def _spawning(authenticator: Any, hub: Hub, user: Any, spawner: Any) -> Waiting:
    problem = None
    try:
        if _is_local(spawner):
            named = (spawner.environment or {}).get("KRB5CCNAME")
            ccache = named if isinstance(named, str) else None
            problem = yield hub.ticket(user.name, "spawn", None, ccache)
            try:
                spawner.environment = hub.environment(user.name, spawner.environment or {})
            except Problem as error:
                problem = problem or str(error)
    except Exception:
        authenticator.log.exception("Kerberos: a bug at spawn; the spawn goes on")
    raise gen.Return(problem)


def _is_local(spawner: Any) -> bool:
    """Whether the server shares this host and its /tmp."""
    names = {kind.__name__ for kind in type(spawner).__mro__}
    local = names & {"LocalProcessSpawner", "SystemdSpawner", "SudoSpawner"}
    return bool(local) and not getattr(spawner, "isolate_tmp", False)


def _may_refuse_a_spawn() -> bool:
    """Whether the hub does not count a refusal toward consecutive_failure_limit.

    The releases that have SpawnException exempt an HTTPError below 500 too
    (jupyterhub/handlers/base.py, _track_failure_count); the others exit.
    """
    return hasattr(sys.modules.get("jupyterhub.spawner"), "SpawnException")


def on_stop(method: Method) -> Method:
    """``PAMAuthenticator.post_spawn_stop``: destroys the cache with the last server, if told."""

    @functools.wraps(method)
    @gen.coroutine
    def post_spawn_stop(self: Any, user: Any, spawner: Any) -> Waiting:
        result = method(self, user, spawner)
        if _is_awaitable(result):
            result = yield result
        try:
            hub = _hub_of(self)
            if hub and hub.settings.destroy == "last-server" and not _is_busy(user, spawner):
                yield hub.forget(user.name)
        except Exception:
            self.log.exception("Kerberos: a bug at stop")
        raise gen.Return(result)

    return post_spawn_stop


def _is_busy(user: Any, spawner: Any) -> bool:
    others = (one for one in user.spawners.values() if one is not spawner)
    return any(one.active for one in others)


# The server, which runs as the user.


class Keeper(threading.Thread):
    """Keeps the ticket of this process's user fresh until the process ends."""

    def __init__(
        self, settings: KerberosTicket, wanted: Wanted, account: Account, log: Any
    ) -> None:
        super().__init__(name="jhpatch-kerberos", daemon=True)
        self.settings = settings
        self.valid_until = 0.0
        self._getter = Getter(settings)
        self._wanted = wanted
        self._account = account
        self._log = log
        self._turned: concurrent.futures.Future[None] = concurrent.futures.Future()
        self._waited = self._failed = float("-inf")
        self._wake = threading.Event()
        self._failures = 0
        self._said: Optional[str] = None

    def is_fresh(self) -> bool:
        """Whether a valid ticket was seen that is valid still; looks at no file."""
        return time.time() < self.valid_until

    def turn(self) -> "Optional[concurrent.futures.Future[None]]":
        """A Future of the try under way, or of one now; None within ``retry`` of the last."""
        now = time.monotonic()
        if now - max(self._waited, self._failed) < self.settings.retry:
            return None
        self._waited = now
        turned = self._turned
        self._wake.set()
        return turned

    def run(self) -> None:
        """Looks, renews, sleeps; again after an error, and after the ticket has expired."""
        while True:
            due = self._turn()
            turned, self._turned = self._turned, concurrent.futures.Future()
            turned.set_result(None)
            self._sleep_until(due)

    def _turn(self) -> float:
        """One try; gives the time (seconds since the epoch) of the next."""
        try:
            due = self._keep()
            self._failures = 0
            return due
        except Problem as problem:
            self._say("no ticket: %s" % problem, logging.WARNING)
        except Exception:
            self._log.exception("Kerberos: a bug in the keeper; it goes on")
        self._failures += 1
        self._failed = time.monotonic()
        return time.time() + self._pause(self._failures)

    def _keep(self) -> float:
        ticket, got = self._getter.ensure(self._account, self._wanted)
        self.valid_until = ticket.end - _MARGIN
        if got:
            self._say("ticket of %s is kept fresh" % ticket.principal, logging.INFO)
        return max(self._getter.due(ticket), time.time() + (self.settings.retry if got else 1))

    def _pause(self, failures: int) -> float:
        doubled: float = self.settings.retry * 2 ** min(failures - 1, 10)
        return min(doubled, _BACKOFF_CAP)

    def _sleep_until(self, due: float) -> None:
        """By the wall clock, looked at each minute: it may be stepped, the machine suspended."""
        while time.time() < due:
            if self._wake.wait(min(max(due - time.time(), 0.05), _TURN)):
                self._wake.clear()
                return

    def _say(self, text: str, level: int) -> None:
        """One line for each change of state."""
        if text != self._said:
            self._said = text
            self._log.log(level, "Kerberos: %s", text)


def _keeper_of(handler: Any) -> Optional[Keeper]:
    """The keeper of this process, started by the first request; None where it is disabled."""
    process: Dict[str, Any] = sys.modules
    if _KEEPER not in process:
        keeper = None
        try:
            keeper = _new_keeper(handler)
        finally:
            process[_KEEPER] = keeper
        if keeper is not None:
            keeper.start()
    found: Optional[Keeper] = process[_KEEPER]
    return found


def _new_keeper(handler: Any) -> Optional[Keeper]:
    log = handler.log
    try:
        settings, wanted = _told(log) or (KerberosTicket(config=handler.config, log=log), None)
        if not settings.enabled or os.getuid() == 0:
            return None
        entry = pwd.getpwuid(os.getuid())
        account = Account(entry.pw_name, entry.pw_uid, entry.pw_gid, entry.pw_dir, ())
        return Keeper(settings, wanted or wanted_of(settings, account), account, log)
    except (Problem, TraitError, KeyError) as error:
        log.error("Kerberos tickets are disabled: %s", " ".join(str(error).split()))
        return None


def _told(log: Any) -> Optional[Tuple[KerberosTicket, Wanted]]:
    """What the hub has told this server; None where it has told nothing usable."""
    text = os.environ.get(VARIABLE)
    if not text:
        return None
    try:
        told = json.loads(text)
        if told["schema"] != SCHEMA:
            raise ValueError("schema %r" % (told["schema"],))
        wanted = Wanted(*(str(told[key]) for key in ("principal", "keytab", "ccache")))
        return KerberosTicket(log=log, **{key: told[key] for key in _TOLD}), wanted
    except (ValueError, KeyError, TypeError, AttributeError, TraitError) as error:
        log.warning("Kerberos: %s cannot be read and is ignored: %s", VARIABLE, error)
        return None


def on_open(method: Method) -> Method:
    """``get`` of a page or of contents: starts the keeper; waits where there is no ticket."""

    @functools.wraps(method)
    def get(self: Any, *args: Any, **kwargs: Any) -> Any:
        waiting, seconds = None, 0.0
        try:
            keeper = _keeper_of(self)
            if keeper is not None and not keeper.is_fresh() and _wants_content(self):
                waiting, seconds = keeper.turn(), keeper.settings.open_wait
        except Exception:
            self.log.exception("Kerberos: a bug at open; the notebook opens all the same")
        if waiting is None:
            return method(self, *args, **kwargs)
        waited = _after(waiting, seconds, method, self, args, kwargs)
        # jupyter_server's @authorized awaits a native coroutine and nothing else, and
        # notebook 5 awaits a Future and no native coroutine: each gets what upstream gives.
        return _awaited(waited) if inspect.iscoroutinefunction(method) else waited

    return get


def _wants_content(handler: Any) -> bool:
    return bool(handler.get_query_argument("content", default="1") != "0")


async def _awaited(future: Any) -> Any:
    return await future


@gen.coroutine
def _after(
    waiting: Any, seconds: float, method: Method, handler: Any, args: Any, kwargs: Any
) -> Waiting:
    try:
        yield gen.with_timeout(datetime.timedelta(seconds=seconds), waiting)
    except TIMEOUT:
        pass
    except Exception:
        handler.log.exception("Kerberos: a bug at open; the notebook opens all the same")
    result = method(handler, *args, **kwargs)
    if _is_awaitable(result):
        result = yield result
    raise gen.Return(result)


def on_save(method: Method) -> Method:
    """``_save``: starts the keeper; never waits, never fails."""

    @functools.wraps(method)
    def _save(self: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            _keeper_of(self)
        except Exception:
            self.log.exception("Kerberos: a bug at save; the notebook is saved all the same")
        return method(self, *args, **kwargs)

    return _save
