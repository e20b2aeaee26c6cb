"""Kerberos tickets for JupyterHub's users, and for as long as their servers run.

This module is copied into a patched package as ``_jhpatch_kerberos.py``. It uses the
standard library, traitlets and tornado (4.5 and later) alone, and runs on Python 3.6
and later. The patched lines are decorators; everything that they do is here:

==============  =====================================================================
``on_start``    end of ``PAMAuthenticator.__init__``: the settings, and the hub's keeper
``on_login``    above ``authenticate``: a ticket as soon as PAM lets the user in
``on_spawn``    above ``pre_spawn_start``: a ticket again, and the settings for the server
``on_stop``     above ``post_spawn_stop``
``on_open``     above the ``get`` of pages and contents: starts the server's keeper
``on_save``     above ``_save``: starts it too; never waits, never fails
==============  =====================================================================

In the hub, which is root, everything that touches a path of a user is done by a child
that has become that user (setpriv(1)): root opens, renames and changes nothing that a
user can choose. Nothing escapes a wrapper but the refusal of ``policy = "require"``.

In this order: the cache file, the names of caches, the settings, a user's ticket, how
to get one, a KDC that is silent, what is told, the hub, the server.
"""

import atexit
import collections
import concurrent.futures
import datetime
import functools
import importlib
import inspect
import itertools
import json
import logging
import os
import pwd
import random
import re
import selectors
import shutil
import signal
import stat
import struct
import subprocess
import sys
import tempfile
import threading
import time
from typing import (
    Any,
    Callable,
    DefaultDict,
    Dict,
    Generator,
    Iterator,
    List,
    Mapping,
    NamedTuple,
    Optional,
    Set,
    Tuple,
)

import traitlets
from tornado import concurrent as tornado_concurrent
from tornado import gen, ioloop, web
from traitlets import Bool, Enum, Float, Integer, TraitError, Unicode, validate
from traitlets.config import LoggingConfigurable

SCHEMA = 1  # of JHPATCH_KERBEROS and of the status file
VARIABLE = "JHPATCH_KERBEROS"
_CACHE_CAP = 1024 * 1024  # bytes; a cache with a few hundred service tickets is smaller
_MOST_ENTRIES = 4096  # of a cache: reading each holds the interpreter's lock for microseconds
_OUTPUT_CAP = 2 * 1024 * 1024  # bytes of a child: it runs as the user, who may write into it
_LINE_CAP = 500  # characters of a line for the log that come from a cache or a child
_MARGIN = 5  # seconds before its end at which a ticket no longer counts as valid
_SKEW = 300  # seconds that a ticket may start in the future (krb5.conf(5), clockskew)
_SPREAD = 0.1  # the part of its life over which the refreshes of many tickets are spread
_WATCHED = 2 / 3  # the part of its life after which one looks after another's ticket
_BACKOFF_CAP = 600  # seconds between two tries, at the most
_TURN = 60  # seconds between two looks at the clock, which may be stepped
_RENEWAL = "keeper"  # the cause of what the hub's keeper gets; of others: login, spawn
_LOGINS = 24  # kinits at once: a class of students at nine
_LOCK_WAIT = 3  # seconds to wait for another refresh of the same cache
_PATH = "/usr/bin:/bin:/usr/sbin:/sbin"
_KEEPER = "_jhpatch_kerberos.keeper"  # the key in sys.modules that one keeper a process has
_METRICS = "_jhpatch_kerberos.metrics"  # the same for its metrics


# The cache file (MIT krb5, "Credential cache file format", versions 1 to 4).


class Malformed(ValueError):
    """A cache that is cut short, of another version, or none at all."""


class Ticket(NamedTuple):
    """A ticket-granting ticket; times in seconds since the epoch, local clock."""

    principal: str
    start: float
    end: float
    renew_till: float


class _Reader:
    """Fields from bytes; a field that is not there raises Malformed.

    Big-endian; versions 1 and 2 of the format have the byte order of their host.
    """

    def __init__(self, data: bytes, version: int = 4) -> None:
        self._data = data
        self.at = 0
        self.version = version
        self._order = ">" if version > 2 else "="

    def number(self, form: str) -> int:
        """One number of a struct format, which has no byte order of its own."""
        form = self._order + form
        return int(struct.unpack(form, self.take(struct.calcsize(form)))[0])

    def take(self, size: int) -> bytes:
        """The next ``size`` bytes."""
        if size > len(self._data) - self.at:
            raise Malformed("the cache ends too early")
        self.at += size
        return self._data[self.at - size : self.at]

    def text(self) -> str:
        """A counted string, as text that can be logged."""
        return self.take(self.number("I")).decode("utf-8", "replace")

    def more(self) -> bool:
        """Whether anything is left."""
        return self.at < len(self._data)

    def principal(self) -> Tuple[Tuple[str, ...], str]:
        """``(components, realm)``."""
        if self.version > 1:
            self.number("I")  # the name's type
        count = self.number("I") - (self.version == 1)  # version 1 counts the realm too
        realm = self.text()
        if not 0 <= count <= 64:
            raise Malformed("a principal of %d components" % count)
        return tuple(self.text() for _ in range(count)), realm

    def skip_list(self) -> None:
        """Addresses or authorization data."""
        count = self.number("I")
        if count > _MOST_ENTRIES:
            raise Malformed("a list of %d entries" % count)
        for _ in range(count):
            self.number("H")
            self.take(self.number("I"))


def read_cache(data: bytes) -> Optional[Ticket]:
    """The latest TGT of the cache's own realm in ``data`` (bytes); None where it has none.

    Raises Malformed. The clock offset in the header of version 4 is taken into account.
    """
    if data[:1] != b"\x05" or data[1:2] not in (b"\x01", b"\x02", b"\x03", b"\x04"):
        raise Malformed("a cache of another version: 0x%s" % data[:2].hex())
    reader = _Reader(data, data[1])
    reader.take(2)
    offset = _header_offset(reader) if reader.version == 4 else 0
    owner = reader.principal()
    found = None
    for _ in range(_MOST_ENTRIES):
        if not reader.more():
            return found
        ticket = _credential(reader, owner, offset)
        if ticket and (found is None or ticket.end > found.end):
            found = ticket
    if reader.more():
        raise Malformed("a cache of more than %d entries" % _MOST_ENTRIES)
    return found


def _header_offset(reader: _Reader) -> int:
    """Seconds that the KDC's clock is ahead of ours (header tag 1)."""
    fields = _Reader(reader.take(reader.number("H")))
    offset = 0
    while fields.more():
        tag, value = fields.number("H"), fields.take(fields.number("H"))
        if tag == 1 and len(value) == 8:
            offset = struct.unpack(">i", value[:4])[0]
    return offset


def _credential(
    reader: _Reader, owner: Tuple[Tuple[str, ...], str], offset: int
) -> Optional[Ticket]:
    client, server = reader.principal(), reader.principal()
    reader.number("H")
    if reader.version == 3:
        reader.number("H")  # the type of the key stands twice
    reader.take(reader.number("I"))
    auth, start, end, renew_till = (reader.number("I") for _ in range(4))
    reader.take(5)  # is_skey, flags
    reader.skip_list()
    reader.skip_list()
    reader.take(reader.number("I"))
    reader.take(reader.number("I"))
    realm = owner[1]
    if client != owner or server != (("krbtgt", realm), realm) or not end:
        return None  # a service ticket, a configuration entry, or a removed one
    name = "%s@%s" % ("/".join(owner[0]), realm)
    return Ticket(name, (start or auth) - offset, end - offset, renew_till - offset)


_UNTIL = re.compile(
    r"^(?P<start>\d\S+ \d\S+)  (?P<end>\d\S+ \d\S+)  krbtgt/(?P<realm>\S+)@(?P=realm)$"
    r"(?:\n\t(?:for client .*, )?renew until (?P<renew>\d\S+ \d\S+))?",
    re.M,
)


def read_klist(text: str) -> Optional[Ticket]:
    """The TGT in what klist(1) prints with LC_ALL=C and TZ=UTC; None where it shows none.

    For caches that are no file: klist is the only tool that reads them.
    """
    owner = re.search(r"^Default principal: (\S+)$", text, re.M)
    found = None
    for match in _UNTIL.finditer(text) if owner else ():
        if owner and match.group("realm") == owner.group(1).rpartition("@")[2]:
            start, end = _seconds(match.group("start")), _seconds(match.group("end"))
            ticket = Ticket(owner.group(1), start, end, _seconds(match.group("renew") or ""))
            if found is None or ticket.end > found.end:
                found = ticket
    return found


def _seconds(text: str) -> float:
    """klist's time in UTC, as seconds since the epoch; 0 for none."""
    for form in ("%m/%d/%y %H:%M:%S", "%m/%d/%Y %H:%M:%S"):
        try:
            return (datetime.datetime.strptime(text, form) - datetime.datetime(1970, 1, 1)) / (
                datetime.timedelta(seconds=1)
            )
        except ValueError:
            continue
    return 0.0


# The names of caches (MIT krb5, "Credential cache").


class Problem(Exception):
    """Why there is no ticket, or no new one, in one line for the log."""

    silent = False
    """Whether no KDC has answered."""
    ticket: Optional[Ticket] = None
    """The user's own ticket, where that is valid still and was only not renewed."""

    def __init__(self, text: str) -> None:
        super().__init__(printable(text))


def printable(text: str) -> str:
    """One line of a sensible length, without what a terminal would obey: from anybody's hand."""
    line = "".join(one if one.isprintable() else repr(one)[1:-1] for one in text[: 2 * _LINE_CAP])
    return line if len(line) <= _LINE_CAP else line[: _LINE_CAP - 3] + "..."


class Silent(Problem):
    """No KDC has answered."""

    silent = True


class Cache(NamedTuple):
    """A credential cache: its name for libkrb5, and the file that it is, or empty."""

    name: str
    path: str

    @property
    def jvm_sees(self) -> bool:
        """Whether a JVM can read this type at all: it reads files and nothing else."""
        return self.name.startswith("FILE:")


def cache_of(text: str, uid: int) -> Cache:
    """The cache that a setting, KRB5CCNAME or klist names. Raises Problem for other types.

    Of a collection a subsidiary of ours is used: kinit leaves the user's primary as it is.
    """
    kind, colon, rest = text.partition(":")
    if text.startswith("/"):
        return Cache("FILE:" + text, text)
    if kind == "FILE" and rest.startswith("/"):
        return Cache(text, rest)
    if kind == "DIR" and rest.lstrip(":").startswith("/"):
        path = rest[1:] if rest.startswith(":") else rest.rstrip("/") + "/tktjhpatch"
        if not os.path.basename(path).startswith("tkt"):
            raise Problem("%s: the name of a cache in a DIR collection begins with tkt" % text)
        return Cache("DIR::" + path, path)
    if kind == "KCM" and colon:
        own = rest.partition(":")[0] or str(uid)
        return Cache("KCM:" + (rest if ":" in rest else own + ":jhpatch"), "")
    if kind == "KEYRING" and rest.partition(":")[0] == "persistent":
        words = rest.split(":")
        words += [str(uid), "jhpatch"][len(words) - 1 :]
        return Cache("KEYRING:" + ":".join(words), "")
    why = "; a server has its hub's keyrings, so that users could read each other's"
    raise Problem(
        "cache type of %r is not supported; FILE:/path, DIR:/path, KCM: and "
        "KEYRING:persistent:UID are%s" % (text, why if kind == "KEYRING" else "")
    )


# Settings.


class KerberosTicket(LoggingConfigurable):
    """Where tickets come from, where they go, and what happens when there is none."""

    enabled = Bool(True, help="Whether to get tickets at all.").tag(config=True)
    principal = traitlets.Any(
        "{username}",
        help="A template with {username}, {uid}, {home}, {realm}, {host}, or a callable "
        "that takes the user name.",
    ).tag(config=True)
    principal_map = Unicode(
        "",
        help="A file with lines of a user name and a principal, for those whose principal "
        "is not as the template says; read again when it changes.",
    ).tag(config=True)
    keytab = traitlets.Any(
        "",
        help="A template or a callable, as principal; default: krb5.conf's client keytab.",
    ).tag(config=True)
    ccache = Unicode(
        "", help="A template for the path or the name of the cache; default: what libkrb5 says."
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
            value.format(**_SAMPLE)
        except (AttributeError, LookupError, ValueError) as error:
            raise TraitError("KerberosTicket.%s is no template: %r: %s" % (name, value, error))
        if name == "ccache" and value:
            try:
                cache_of(value.format(**_SAMPLE), 1)
            except Problem as problem:
                raise TraitError("KerberosTicket.ccache: %s" % problem)
        return value

    @validate("principal_map")
    def _is_map(self, proposal: Any) -> Any:
        if proposal["value"]:
            try:
                read_map(proposal["value"])
            except Problem as problem:
                raise TraitError("KerberosTicket.principal_map: %s" % problem)
        return proposal["value"]


_SAMPLE = dict(username="u", uid=1, home="/home/u", realm="R", host="h")


def read_map(path: str) -> Dict[str, str]:
    """The principals in a mapping file, by user name. Raises Problem with the line.

    Of root's hub it is root's: who can write it gets everybody's tickets.
    """
    try:
        with open(path, encoding="utf-8", opener=_at_once) as file:
            found = os.fstat(file.fileno())
            if not stat.S_ISREG(found.st_mode):
                raise ValueError("not a regular file")
            lines = file.read().splitlines()
    except (OSError, ValueError) as error:
        raise Problem("%s: %s" % (path, getattr(error, "strerror", None) or error))
    if found.st_uid not in (0, os.geteuid()) or found.st_mode & 0o022:
        raise Problem("%s: others can write it (mode %o)" % (path, stat.S_IMODE(found.st_mode)))
    rows: Dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        words = line.partition("#")[0].split()
        if words and (len(words) != 2 or words[0] in rows or "\0" in line):
            raise Problem(
                "%s:%d: a user name, once, and a principal; not %r" % (path, number, line)
            )
        if words:
            rows[words[0]] = words[1]
    return rows


def _at_once(path: str, flags: int) -> int:
    """Opens a file; a FIFO does not wait for its other end."""
    return os.open(path, flags | os.O_NONBLOCK)


# A user, and the ticket that they shall have.


class Account(NamedTuple):
    """A user, as the password database has it."""

    name: str
    uid: int
    gid: int
    home: str


class Wanted(NamedTuple):
    """What a user's ticket is: ``keytab`` is a path, ``ccache`` a cache's name, or empty.

    ``central``: the keytab is root's, and the user's own processes cannot read it.
    """

    principal: str
    keytab: str
    ccache: str
    central: bool = False


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
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid, entry.pw_dir)


def wanted_of(
    settings: KerberosTicket, account: Account, mapped: Mapping[str, str] = {}
) -> Wanted:
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

    ccache = filled("ccache")
    name = cache_of(ccache, account.uid).name if ccache else ""
    principal = mapped.get(account.name) or filled("principal")
    if not principal:
        raise Problem("KerberosTicket.principal is empty for %s" % account.name)
    keytab = filled("keytab")
    return Wanted(principal, keytab, name, is_central(keytab, account))


def is_central(keytab: str, account: Account) -> bool:
    """Whether root, and not the user, shall open a keytab.

    It is root's, in folders that root alone can write, and the user cannot read it. Only
    folders that root owns are looked at: nothing is below the first that is not.
    """
    if os.geteuid() != 0 or not keytab.startswith("/") or account.uid == 0:
        return False
    parts = keytab.split("/")
    if ".." in parts:
        return False
    for number in range(1, len(parts) + 1):
        try:
            found = os.lstat("/".join(parts[:number]) or "/")
        except OSError:
            return False
        if found.st_uid != 0 or found.st_mode & 0o022 or stat.S_ISLNK(found.st_mode):
            return False
    if not stat.S_ISREG(found.st_mode):
        return False
    if found.st_mode & 0o044 == 0o040:  # else its mode alone tells
        groups = os.getgrouplist(account.name, account.gid)
        return found.st_gid not in groups
    return not found.st_mode & 0o004


# Getting a ticket: everything on a user's paths is done by the user.

# $1 a cache, $2 the most that is read. First what it is, then its bytes.
_LOOK = """\
stat -c %i:%Z -- "$1"
test -f "$1" && test ! -L "$1" && test -O "$1" && exec head -c "$2" -- "$1"
"""

# $1 temporary cache, $2 cache, $3 klist, $4 what the cache was when it was looked at, $5
# seconds, $6 what the temporary one begins with, then a program. A cache that somebody else
# owns is never used, and a symlink is replaced by the rename, not followed (rename(2)). The
# lock is on the cache: others cannot open it, and a user who holds it delays nobody but
# themselves, and not for long.
_STORE = """\
umask 077
temp=$1 cache=$2 klist=$3 seen=$4 seconds=$5 from=$6
shift 6
trap 'rm -f -- "$temp"' EXIT
test -d "${cache%/*}" || mkdir -m 700 -- "${cache%/*}" || exit
if test -e "$cache" && test ! -L "$cache"; then
  test -f "$cache" || { echo "$cache is no regular file" >&2; exit 77; }
  test -O "$cache" || { echo "$cache belongs to $(stat -c %U -- "$cache")" >&2; exit 77; }
  if (: <"$cache") 2>/dev/null; then
    exec 9<"$cache"
    flock -w "$seconds" 9 2>/dev/null
    test "$seen" = "$(stat -c %i:%Z -- "$cache")" || exit 75
  fi
fi
case $from in
  stdin) cat >"$temp" || exit ;;
  cache) cat -- "$cache" >"$temp" || exit ;;
esac
"$@" || exit
"$klist" -s -c "FILE:$temp" || { echo "kinit made a cache without a valid ticket" >&2; exit 78; }
mv -fT -- "$temp" "$cache" || exit
exec head -c CAP -- "$cache"
""".replace("CAP", str(_CACHE_CAP + 1))
_CHANGED = 75  # another refresh came first

_NO_ANSWER = re.compile(  # MIT's words, and Heimdal's
    "Cannot (contact any|find|resolve network address for) KDC|unable to reach any KDC"
)


class Done(NamedTuple):
    """How a program ended, and what it said."""

    code: int
    out: bytes
    err: str


def run(
    argv: List[str],
    environment: Dict[str, str],
    timeout: float,
    given: bytes = b"",
    slow: Callable[[], None] = lambda: None,
) -> Done:
    """Runs a program in a session of its own, killed whole at ``timeout`` (seconds).

    ``given`` is its standard input; ``slow`` is called after a fifth of the timeout.
    Raises Silent when it takes too long, Problem when it cannot be started, or writes more
    than ``_OUTPUT_CAP`` bytes.
    """
    try:
        child = subprocess.Popen(
            argv,
            stdin=subprocess.PIPE if given else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd="/",
            env=environment,
            start_new_session=True,
            bufsize=0,
        )
    except OSError as error:
        raise Problem("cannot run %s: %s" % (argv[0], error.strerror))
    end = time.monotonic() + timeout
    try:
        out, err = _conversation(child, given, end, timeout, slow)
        code = child.wait(max(end - time.monotonic(), 0.01))
    except subprocess.TimeoutExpired:
        _kill(child)
        raise Silent("no answer within %g s (KDC down?)" % timeout)
    except BaseException:
        _kill(child)
        raise
    finally:
        for pipe in (child.stdin, child.stdout, child.stderr):
            if pipe is not None:
                pipe.close()
    return Done(code, out, err.decode("utf-8", "replace").strip())


def _conversation(
    child: "subprocess.Popen[bytes]",
    given: bytes,
    end: float,
    timeout: float,
    slow: Callable[[], None],
) -> Tuple[bytes, bytes]:
    """What a child writes until it closes both pipes. Raises TimeoutExpired, Problem."""
    written: Dict[Any, List[bytes]] = {child.stdout: [], child.stderr: []}
    rest, size, suspect = memoryview(given), 0, end - timeout * 4 / 5
    with selectors.DefaultSelector() as selector:
        for pipe in written:
            selector.register(pipe, selectors.EVENT_READ)
        if child.stdin is not None:
            os.set_blocking(child.stdin.fileno(), False)
            selector.register(child.stdin, selectors.EVENT_WRITE)
        while selector.get_map():
            now = time.monotonic()
            if suspect and now >= suspect:
                suspect = 0.0
                slow()
            if now >= end:
                raise subprocess.TimeoutExpired(child.args, timeout)
            for key, _ in selector.select((suspect or end) - now):
                if key.fileobj is child.stdin:
                    rest = rest[_written(key.fd, rest) :]
                    if not rest:
                        selector.unregister(child.stdin)
                        child.stdin.close()
                    continue
                block = os.read(key.fd, 65536)
                size += len(block)
                if size > _OUTPUT_CAP:
                    raise Problem("a child wrote more than %d bytes" % _OUTPUT_CAP)
                written[key.fileobj].append(block)
                if not block:
                    selector.unregister(key.fileobj)
    if suspect:  # it may close both and go on
        try:
            child.wait(max(suspect - time.monotonic(), 0.01))
        except subprocess.TimeoutExpired:
            slow()
    return b"".join(written[child.stdout]), b"".join(written[child.stderr])


def _written(fd: int, data: Any) -> int:
    """How much of it a pipe has taken; all where nobody reads any more."""
    try:
        return os.write(fd, data)
    except BlockingIOError:
        return 0
    except BrokenPipeError:
        return len(data)


def _kill(child: "subprocess.Popen[bytes]") -> None:
    try:
        os.killpg(child.pid, signal.SIGKILL)
    except OSError:
        pass
    try:
        child.wait(1)
    except subprocess.TimeoutExpired:
        pass  # a dead NFS server holds it; it ends when that answers


class _Changed(Exception):
    """The cache is not the one that was looked at."""


class Getter:
    """Gets tickets for an account: as a child that becomes it, or as ourselves if we are it."""

    def __init__(
        self,
        settings: KerberosTicket,
        environ: Optional[Mapping[str, str]] = None,
        breaker: "Optional[Breaker]" = None,
    ) -> None:
        self._settings = settings
        self._environ = os.environ if environ is None else environ
        self._breaker = breaker
        self._locks: DefaultDict[int, Any] = collections.defaultdict(threading.Lock)
        self._init_groups: Optional[bool] = None  # not known yet

    def ensure(
        self, account: Account, wanted: Wanted, part: Optional[float] = None
    ) -> Tuple[Ticket, bool]:
        """``(Ticket, got)``: a valid ticket of ``account``, and whether it is a new one.

        A ticket of which ``part`` (``refresh_at``) of the life has passed is replaced. One
        refresh in flight per user. Raises Problem, with the ticket where that is valid still.
        """
        with self._locks[account.uid]:
            cache = self.cache(account, wanted)
            for _ in range(3):
                ticket, seen = self._seen(account, cache)
                if ticket and is_valid(ticket):
                    if not _is_same(ticket.principal, wanted.principal):
                        raise Problem(
                            "%s holds a valid ticket of %s, which is left alone"
                            % (cache.path or cache.name, ticket.principal)
                        )
                    if time.time() < self.due(ticket, part):
                        return ticket, False
                try:
                    return self._renewed(account, wanted, cache, ticket, seen), True
                except _Changed:
                    continue
                except Problem as problem:
                    if ticket and is_valid(ticket):
                        problem.ticket = ticket
                    raise
            raise Problem("%s is changed by others all the time" % cache.name)

    def due(self, ticket: Ticket, part: Optional[float] = None) -> float:
        """When a ticket is to be renewed: at a part of its life, counted from its start."""
        part = self._settings.refresh_at if part is None else part
        return ticket.start + part * (ticket.end - ticket.start)

    def cache(self, account: Account, wanted: Wanted) -> Cache:
        """The cache that is wanted. Raises Problem."""
        if wanted.ccache:
            return cache_of(wanted.ccache, account.uid)
        return self.default_cache(account)

    def default_cache(self, account: Account) -> Cache:
        """What libkrb5 says for that user; klist names the cache even where it is absent."""
        done = self._run(account, [self._tool("klist")])
        text = done.out.decode("utf-8", "replace") + "\n" + done.err
        found = re.search(r"^Ticket cache: (\S+)$", text, re.M)
        found = found or re.search(r"\((?:filename: |ticket cache )?(\S+)\)", text)
        if found:
            return cache_of(found.group(1), account.uid)
        absent = re.search(r"Credentials cache (keyring )?'(\S+)' not found", text)
        if not absent:
            raise Problem("klist names no cache: %s" % " ".join(text.split()))
        return cache_of(("KEYRING:" if absent.group(1) else "") + absent.group(2), account.uid)

    def look(self, account: Account, cache: Cache) -> Optional[Ticket]:
        """The ticket in a cache; None where there is none that can be used. Raises Problem."""
        return self._seen(account, cache)[0]

    def destroy(self, account: Account, wanted: Wanted) -> None:
        """kdestroy, as the user."""
        cache = self.cache(account, wanted)
        self._run(account, [self._tool("kdestroy"), "-q", "-c", cache.name])

    # Looking.

    def _seen(self, account: Account, cache: Cache) -> Tuple[Optional[Ticket], str]:
        """The ticket in a cache, and for a file which file it was."""
        if not cache.path:
            done = self._run(account, [self._tool("klist"), "-c", cache.name], TZ="UTC")
            return read_klist(done.out.decode("utf-8", "replace")), ""
        if os.geteuid() == account.uid:
            seen, data = _read_own(cache.path, account.uid)
        else:
            argv = ["/bin/sh", "-c", _LOOK, "jhpatch", cache.path, str(_CACHE_CAP + 1)]
            line, _, data = self._run(account, argv).out.partition(b"\n")
            seen = line.decode("ascii", "replace")
        if not data or len(data) > _CACHE_CAP:
            return None, seen
        try:
            return read_cache(data), seen
        except Malformed:
            return None, seen

    # Getting.

    def _renewed(
        self, account: Account, wanted: Wanted, cache: Cache, old: Optional[Ticket], seen: str
    ) -> Ticket:
        """A new ticket: by the keytab, else by what is left of the old ticket's renewable life."""
        if self._breaker:
            self._breaker.check(wanted.principal)
        renewable = old is not None and time.time() < old.end < old.renew_till - _MARGIN
        problem = Problem("the hub has this keytab, and no ticket here can be renewed")
        if not (wanted.central and os.geteuid() == account.uid):
            try:
                return self._kinit(account, wanted, cache, seen)
            except Silent:
                raise
            except Problem as error:
                problem = error
        if renewable:
            try:
                return self._store(account, wanted, cache, seen, "cache", ["-R"])
            except Silent:
                raise
            except Problem as error:
                problem = Problem("%s; kinit -R: %s" % (problem, error))
        raise problem

    def _kinit(self, account: Account, wanted: Wanted, cache: Cache, seen: str) -> Ticket:
        words = ["-l", self._settings.lifetime] if self._settings.lifetime else []
        words += ["-r", self._settings.renewable] if self._settings.renewable else []
        words += ["--", wanted.principal]
        if wanted.central and not cache.path:
            raise Problem("%s: a central keytab's ticket needs a FILE or DIR cache" % cache.name)
        if wanted.central:
            data = self._with_central_keytab(wanted, words)
            return self._store(account, wanted, cache, seen, "stdin", None, data)
        words = (["-t", wanted.keytab] if wanted.keytab else ["-i"]) + words
        return self._store(account, wanted, cache, seen, "", ["-k"] + words)

    def _with_central_keytab(self, wanted: Wanted, words: List[str]) -> bytes:
        """A cache's bytes, got by root, who alone can read the keytab, where nobody else looks."""
        folder = tempfile.mkdtemp(prefix="jhpatch-", dir="/run" if os.access("/run", 2) else None)
        try:
            path = os.path.join(folder, "cc")
            argv = [self._tool("kinit"), "-c", "FILE:" + path, "-k", "-t", wanted.keytab]
            self._asked(None, argv + words, wanted)
            with open(path, "rb") as file:
                return file.read()
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _store(
        self,
        account: Account,
        wanted: Wanted,
        cache: Cache,
        seen: str,
        source: str,
        words: Optional[List[str]],
        given: bytes = b"",
    ) -> Ticket:
        """Runs kinit with ``words`` into a new cache beside the old one, and replaces that.

        What is no file is kinit's own to replace. ``source``: the new cache begins as
        ``given`` (stdin), as the old one (cache), or as nothing.
        """
        if not cache.path:
            self._asked(account, [self._tool("kinit"), "-c", cache.name] + (words or []), wanted)
            ticket = self.look(account, cache)
        else:
            folder, name = os.path.dirname(cache.path), os.urandom(8).hex()
            temp = "%s/.jhpatch-cc-%d-%s" % (folder, account.uid, name)
            argv = ["/bin/sh", "-c", _STORE, "jhpatch", temp, cache.path, self._tool("klist")]
            argv += [seen, str(min(_LOCK_WAIT, self._settings.timeout / 2)), source]
            argv += ["true"] if words is None else [self._tool("kinit"), "-c", "FILE:" + temp]
            done = self._asked(account, argv + (words or []), wanted, given)
            try:
                ticket = read_cache(done.out)
            except Malformed as error:
                raise Problem("%s: %s" % (cache.path, error))
        if ticket is None:
            raise Problem("%s: no ticket-granting ticket in it" % (cache.path or cache.name))
        return ticket

    def _asked(
        self, account: Optional[Account], argv: List[str], wanted: Wanted, given: bytes = b""
    ) -> Done:
        """Runs what asks the KDC. Raises Problem with its own words; Silent; _Changed."""
        breaker = self._breaker
        suspect = functools.partial(breaker.suspect, wanted.principal) if breaker else _nothing
        try:
            done = self._run(account, argv, given, suspect)
            if done.code and _NO_ANSWER.search(done.err):
                raise Silent(" ".join(done.err.split()))
        except Silent:
            suspect()
            raise
        if done.code == _CHANGED and not done.err:
            raise _Changed()
        if done.code:
            raise Problem(" ".join(done.err.split()) or "kinit ended with %d" % done.code)
        return done

    # Children.

    def _run(
        self,
        account: Optional[Account],
        argv: List[str],
        given: bytes = b"",
        slow: Callable[[], None] = lambda: None,
        **more: str,
    ) -> Done:
        """Runs a program as the user; without an account as ourselves."""
        prefix = self._as(account) if account else []
        environment = dict(self._clean(account), **more)
        return run(prefix + argv, environment, self._settings.timeout, given, slow)

    def answers(self, principal: str) -> bool:
        """Whether the principal's KDC says anything at all, be it that it knows nobody.

        No file and no process of a user has a part in it: a user whose own kinit hangs
        tells nothing about the KDC.
        """
        realm = principal.rpartition("@")[2] if "@" in principal else ""
        name = "jhpatch-probe" + ("@" + realm if realm else "")
        argv = [self._tool("kinit"), "-c", "MEMORY:jhpatch", "--", name]
        try:
            return not _NO_ANSWER.search(self._run(None, argv).err)
        except Problem:
            return False

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
            # With a sign: setpriv takes a bare number for the name of a user first.
            "--reuid=+%d" % account.uid,
            "--regid=+%d" % account.gid,
            *self._groups(setpriv, account),
            "--inh-caps=-all",
            "--no-new-privs",
            "--",
        ]

    def _groups(self, setpriv: str, account: Account) -> List[str]:
        """The child looks its groups up itself, where setpriv can (util-linux 2.33).

        A directory that is slow holds up the child, which is bounded, and not the hub.
        """
        if self._init_groups is None:
            try:
                usage = run([setpriv, "--help"], self._clean(None), self._settings.timeout)
            except Silent:  # which is no word about a KDC
                raise Problem("setpriv --help: no answer within %g s" % self._settings.timeout)
            self._init_groups = b"--init-groups" in usage.out
        if self._init_groups:
            return ["--init-groups"]
        groups = os.getgrouplist(account.name, account.gid)
        return ["--groups=" + ",".join("+%d" % gid for gid in groups)]

    def _clean(self, account: Optional[Account]) -> Dict[str, str]:
        """A child's environment. The hub's own cache and keytab are not the user's."""
        kept = ["KRB5_CONFIG", "KRB5_KDC_PROFILE"]
        if account and os.geteuid() == account.uid:
            kept += ["KRB5CCNAME", "KRB5_CLIENT_KTNAME"]
        environment = {name: self._environ[name] for name in kept if name in self._environ}
        home = account.home if account else "/"
        return dict(environment, PATH=_PATH, LC_ALL="C", HOME=home)


def _nothing() -> None:
    """What a slow KDC means where there is no breaker."""


def is_valid(ticket: Ticket) -> bool:
    """Whether a ticket can be used now, and for a few seconds more."""
    now = time.time()
    return ticket.start - _SKEW < now < ticket.end - _MARGIN


def _is_same(principal: str, wanted: str) -> bool:
    """Whether a ticket is of the principal that is wanted, which may leave the realm out."""
    return principal == wanted or principal.rpartition("@")[0] == wanted


def _read_own(path: str, uid: int) -> Tuple[str, bytes]:
    """Which file a cache of our own is, as stat(1) says it, and its bytes if it may be used."""
    seen = ""
    try:
        found = os.lstat(path)
        seen = "%d:%d" % (found.st_ino, found.st_ctime)
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return seen, b""
    try:
        found = os.fstat(fd)
        if not stat.S_ISREG(found.st_mode) or found.st_uid != uid:
            return seen, b""
        with os.fdopen(fd, "rb", closefd=False) as file:
            return "%d:%d" % (found.st_ino, found.st_ctime), file.read(_CACHE_CAP + 1)
    except OSError:
        return seen, b""
    finally:
        os.close(fd)


# A KDC that is silent.


class Breaker:
    """Spares logins a KDC that does not answer: asked once, and not again by each of them.

    Opened and closed by a probe alone, which no user has a part in: ``ask`` gives whether
    the KDC of a principal answers, and takes at most one timeout.
    """

    def __init__(self, settings: KerberosTicket, log: Any, ask: Callable[[str], bool]) -> None:
        self._settings = settings
        self._log = log
        self._ask = ask
        self._lock = threading.Lock()
        self._silent: Dict[str, float] = {}  # realm: since when
        self._asked: Dict[str, float] = {}  # realm: when last, by the monotonic clock
        self._asking: Set[str] = set()
        self._begun = itertools.count()
        self._told: Dict[str, int] = {}  # realm: which question the last answer was to

    def check(self, principal: str) -> None:
        """Raises Silent while the KDC of a principal is known not to answer."""
        realm = _realm(principal)
        since = self._silent.get(realm)
        if since is not None:
            # The keeper asks again, where there is one; whoever comes does it where not.
            if time.monotonic() - self._asked.get(realm, float("-inf")) >= self._settings.retry:
                self.suspect(principal)
            raise Silent("the KDC has not answered since %s" % _clock(since))

    def suspect(self, principal: str) -> None:
        """A kinit waits: is it the KDC? Asks in a thread of its own, at most once a second."""
        realm, now = _realm(principal), time.monotonic()
        with self._lock:
            last = self._asked.get(realm, float("-inf"))
            if realm in self._asking or now - last < min(self._settings.retry, 1.0):
                return
            self._asking.add(realm)
        try:
            threading.Thread(target=self.probe, args=(principal,), daemon=True).start()
        except RuntimeError:  # no thread to be had: whoever comes next asks
            with self._lock:
                self._asking.discard(realm)

    def is_open(self) -> bool:
        """Whether a KDC is known to be silent."""
        return bool(self._silent)

    def due(self) -> List[str]:
        """The realms that are to be asked again, each as a principal of it."""
        now = time.monotonic()
        return [
            "@" + realm if realm else ""
            for realm in list(self._silent)
            if now - self._asked.get(realm, float("-inf")) >= self._settings.retry
        ]

    def probe(self, principal: str) -> None:
        """Asks the KDC, and opens or closes; one line where that is news.

        Two may ask at a time, and silence takes its time: what was asked last counts.
        """
        realm, number = _realm(principal), next(self._begun)
        try:
            answers = self._ask(principal)
        finally:
            with self._lock:
                self._asking.discard(realm)
                self._asked[realm] = time.monotonic()
        with self._lock:
            if number < self._told.get(realm, number):
                return  # a later question has its answer already
            self._told[realm] = number
            was = realm in self._silent
            if answers:
                self._silent.pop(realm, None)
            else:
                self._silent.setdefault(realm, time.time())
        _metric("Gauge", "silent_kdcs", "KDCs that are known not to answer").set(len(self._silent))
        named = "the KDC of " + realm if realm else "the KDC"
        if was and answers:
            self._log.info("Kerberos: %s answers again", named)
        elif not was and not answers:
            self._log.error(
                "Kerberos: %s does not answer; it is asked again every %g s, and not by logins",
                named,
                self._settings.retry,
            )


def _realm(principal: str) -> str:
    return principal.rpartition("@")[2] if "@" in principal else ""


# Telling.


def _clock(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))


class _NoMetric:
    """What is counted where nobody asks."""

    def labels(self, *values: str) -> "_NoMetric":
        return self

    def inc(self) -> None:
        pass

    def set(self, value: float) -> None:
        pass

    def observe(self, value: float) -> None:
        pass


def _metric(kind: str, name: str, text: str, labels: Tuple[str, ...] = ()) -> Any:
    """A metric on the process's own /metrics, made at its first use; one that counts nothing
    where the server has not loaded prometheus_client. No label names a user.
    """
    process: Dict[str, Any] = sys.modules
    made: Dict[str, Any] = process.setdefault(_METRICS, {})
    client = process.get("prometheus_client")
    if name not in made:
        try:
            made[name] = getattr(client, kind)("jhpatch_kerberos_" + name, text, labels)
        except Exception:  # none, an old one, or somebody else's of this name
            return _NoMetric()
    return made[name]


def _count(side: str, result: str) -> None:
    text = "Tickets that were wanted, by who wanted them and what came of it"
    _metric("Counter", "tickets", text, ("cause", "result")).labels(side, result).inc()


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
        self.breaker = Breaker(settings, log, lambda principal: self.getter.answers(principal))
        self.getter = Getter(settings, breaker=self.breaker)
        self.known: Dict[Tuple[str, str], Ticket] = {}
        """The last ticket seen of a user and a cache's name (empty: the default one)."""
        self.keeper: Optional[HubKeeper] = None
        self._said: Dict[str, str] = {}
        self._map: Tuple[Any, Dict[str, str]] = (None, {})
        self._map_lock = threading.Lock()
        # Not PAM's threads: up to JupyterHub 5.1 there is one for all logins.
        self._pool = concurrent.futures.ThreadPoolExecutor(_LOGINS)

    def ticket(
        self, name: str, cause: str, asked_by: Optional[str], ccache: Optional[str] = None
    ) -> "concurrent.futures.Future[Optional[str]]":
        """A Future: None where the user has a ticket, else why not, in one line."""
        return self._pool.submit(self.ensure, name, cause, asked_by, ccache)

    def ensure(
        self,
        name: str,
        cause: str,
        asked_by: Optional[str] = None,
        ccache: Optional[str] = None,
        part: Optional[float] = None,
    ) -> Optional[str]:
        """As ``ticket``, at once; a ticket that is not ``part`` through its life is left.

        For the keeper, a ticket that could not be renewed is a problem before it ends.
        """
        account = wanted = None
        began = time.monotonic()
        try:
            account = account_of(name, self.settings.min_uid)
            wanted = self.wanted(account, ccache)
            ticket, got = self.getter.ensure(account, wanted, part)
        except Problem as problem:
            _count(cause, "failed")
            self._tell(name, account, wanted, cause, problem)
            if problem.ticket is None or wanted is None:
                return str(problem)
            self.known[name, ccache or ""] = self.known[name, wanted.ccache] = problem.ticket
            return str(problem) if cause == _RENEWAL else None
        except Exception as error:  # a callable of the administrator's, a full /run, a bug
            if self._said.get(name) != repr(error):
                self._said[name] = repr(error)
                self.log.exception("Kerberos: no ticket for %s at %s", printable(name), cause)
            _count(cause, "failed")
            return _words_of(error)
        _count(cause, "got" if got else "there")
        # A spawn names the cache in the server's environment, by which the keeper asks.
        self.known[name, ccache or ""] = self.known[name, wanted.ccache] = ticket
        self._said.pop(name, None)
        if got:
            text = "How long a new ticket took"
            _metric("Histogram", "seconds", text).observe(time.monotonic() - began)
            self.log.info(
                "Kerberos ticket for %s (uid %d): %s from %s into %s until %s, at %s%s",
                account.name,
                account.uid,
                printable(ticket.principal),
                ("keytab " + wanted.keytab) if wanted.keytab else "the client keytab",
                wanted.ccache or "the default cache",
                _clock(ticket.end),
                cause,
                ", asked by " + asked_by if asked_by else "",
            )
        return None

    def wanted(self, account: Account, ccache: Optional[str] = None) -> Wanted:
        """What the user's ticket is; an administrator's KRB5CCNAME wins. Raises Problem."""
        wanted = wanted_of(self.settings, account, self._mapped())
        if not ccache:
            return wanted
        return wanted._replace(ccache=cache_of(ccache, account.uid).name)

    def _mapped(self) -> Dict[str, str]:
        """The mapping file, read again when it has changed; kept as it was when it is broken."""
        path = self.settings.principal_map
        if not path:
            return {}
        with self._map_lock:  # who comes while it is read waits for it
            try:
                found = os.stat(path)
                # The mode, and ctime: a mode or an owner that was repaired counts too.
                stamp = found.st_ino, found.st_ctime_ns, found.st_size, found.st_mode
                if stamp != self._map[0]:
                    self._map = stamp, self._map[1]
                    self._map = stamp, read_map(path)
            except (OSError, Problem) as error:
                if str(error) != self._said.get(path):
                    self._said[path] = str(error)
                    self.log.error("Kerberos: the principals stay as they were: %s", error)
            return self._map[1]

    def _tell(
        self,
        name: str,
        account: Optional[Account],
        wanted: Optional[Wanted],
        cause: str,
        problem: Problem,
    ) -> None:
        """Once for each change: not at each try, and not of each user while the KDC is silent."""
        valid = " (valid until %s)" % _clock(problem.ticket.end) if problem.ticket else ""
        what = "The Kerberos ticket is not renewed" if valid else "No Kerberos ticket"
        if self.settings.policy == "ignore" or self._said.get(name) == what + str(problem):
            return
        self._said[name] = what + str(problem)
        self.log.warning(
            "%s for %s%s%s at %s%s: %s",
            what,
            name,
            " (uid %d)" % account.uid if account else "",
            valid,
            cause,
            " from keytab " + wanted.keytab if wanted and wanted.keytab else "",
            problem,
        )

    def environment(self, name: str, old: Dict[str, Any]) -> Dict[str, Any]:
        """The server's environment: ``old`` and what the server's keeper needs to know."""
        account = account_of(name, self.settings.min_uid)
        named = old.get("KRB5CCNAME")
        wanted = self.wanted(account, named if isinstance(named, str) else None)
        told = dict(wanted._asdict(), schema=SCHEMA)
        for key in _TOLD:
            told[key] = getattr(self.settings, key)
        new = dict(old)
        new[VARIABLE] = json.dumps(told, sort_keys=True)
        if wanted.ccache and not named:
            new["KRB5CCNAME"] = wanted.ccache
        return new

    def forget(self, name: str) -> "concurrent.futures.Future[None]":
        """A Future: the user's cache is destroyed, if the settings say so."""
        return self._pool.submit(self._destroy, name)

    def _destroy(self, name: str) -> None:
        for key in [key for key in self.known if key[0] == name]:
            self.known.pop(key, None)
        try:
            account = account_of(name, self.settings.min_uid)
            self.getter.destroy(account, self.wanted(account))
        except Problem as problem:
            self.log.warning("Kerberos cache of %s not destroyed: %s", name, problem)


_TOLD = ("kinit", "lifetime", "renewable", "timeout", "open_wait", "refresh_at", "retry")


class Server(NamedTuple):
    """A user's running server: whose, and the cache that an administrator named for it."""

    user: str
    ccache: str


class HubKeeper(threading.Thread):
    """Looks after the tickets of all running servers, whoever has started them and when.

    It refreshes those that a server cannot (a central keytab) and those that a server has
    not. ``loop`` is the hub's, and ``users`` gives its users there.
    """

    def __init__(self, hub: Hub, users: Callable[[], Optional[List[Any]]], loop: Any) -> None:
        super().__init__(name="jhpatch-kerberos", daemon=True)
        self._hub = hub
        self._users = users
        self._loop = loop
        self._due: Dict[Server, float] = {}
        self._pauses: Dict[Server, float] = {}  # of those who failed, the last one
        self._wake = threading.Event()

    def wake(self) -> None:
        """There is a new server, or a new ticket."""
        self._wake.set()

    def run(self) -> None:
        """Turn after turn, whatever happens in one."""
        while True:
            pause: float = _TURN
            try:
                pause = self._turn()
            except Exception:
                self._hub.log.exception("Kerberos: a bug in the hub's keeper; it goes on")
            if self._wake.wait(min(max(pause, 0.5), _TURN)):
                self._wake.clear()
                time.sleep(0.5)  # a class that logs in at nine is one turn, not thirty

    def _turn(self) -> float:
        """Does what is due; gives the seconds to the next."""
        breaker = self._hub.breaker
        was_silent = breaker.is_open()
        for principal in breaker.due():
            breaker.probe(principal)
        if was_silent and not breaker.is_open():
            # They had waited longer and longer for a KDC that is back.
            for one in self._pauses:
                soon = in_time(random.uniform(0, 5), self._end(one))
                self._due[one] = time.time() + soon
            self._pauses.clear()
        servers = self._servers()
        if servers is None:
            return 1.0  # the hub is starting, or busy
        text = "Running servers whose tickets the hub looks after"
        _metric("Gauge", "servers", text).set(len(servers))
        self._due = {server: self._due.get(server) or self._begun(server) for server in servers}
        self._pauses = {one: n for one, n in self._pauses.items() if one in self._due}
        for server in sorted(self._due, key=lambda one: self._due[one]):
            if self._due[server] <= time.time():
                self._due[server] = self._tried(server)
        soonest = min(self._due.values(), default=float("inf")) - time.time()
        return min(soonest, self._hub.settings.retry if breaker.is_open() else _TURN)

    def _begun(self, server: Server) -> float:
        try:
            return self._first(server)
        except Exception:  # it is tried, and then says what is wrong
            return time.time()

    def _first(self, server: Server) -> float:
        """When a server that is new to us is looked at: after a restart, in the next seconds."""
        ticket = self._hub.known.get((server.user, server.ccache))
        if ticket is None:
            return time.time() + random.uniform(0, min(5.0, self._hub.settings.retry))
        return self._next(server, ticket)

    def _tried(self, server: Server) -> float:
        """The same, whatever happens: what is wrong with one user is no other's trouble."""
        try:
            return self._refreshed(server)
        except Exception:
            self._hub.log.exception(
                "Kerberos: a bug in the hub's keeper, at %s; it goes on", printable(server.user)
            )
            return time.time() + _BACKOFF_CAP

    def _refreshed(self, server: Server) -> float:
        """Looks, and renews where nobody else has; gives when to do so again."""
        user, ccache = server
        part = self._part(self._is_central(server))
        problem = self._hub.ensure(user, _RENEWAL, None, ccache or None, part)
        ticket = self._hub.known.get((user, ccache))
        if problem is None and ticket is not None:
            self._pauses.pop(server, None)
            return max(self._next(server, ticket), time.time() + 1)
        last, retry = self._pauses.get(server, 0.0), self._hub.settings.retry
        pause = self._pauses[server] = pause_after(last, retry, self._end(server))
        return time.time() + pause

    def _end(self, server: Server) -> float:
        """When the last ticket that was seen of a server ends; 0 for none."""
        ticket = self._hub.known.get((server.user, server.ccache))
        return ticket.end if ticket else 0.0

    def _next(self, server: Server, ticket: Ticket) -> float:
        part = self._part(self._is_central(server))
        return self._hub.getter.due(ticket, spread(part))

    def _part(self, is_central: bool) -> float:
        """Of the life of a ticket; where the server renews it, some time after it should have."""
        own: float = self._hub.settings.refresh_at
        return own if is_central else later(own)

    def _is_central(self, server: Server) -> bool:
        try:
            account = account_of(server.user, self._hub.settings.min_uid)
            return self._hub.wanted(account, server.ccache or None).central
        except Exception:  # ``ensure`` says so
            return False

    # The hub's state, which only its loop may read.

    def _servers(self) -> Optional[Set[Server]]:
        """The running servers on this host; None where the loop does not tell."""
        found: concurrent.futures.Future[Optional[Set[Server]]] = concurrent.futures.Future()
        self._loop.add_callback(self._collect, None, set(), found)
        try:
            return found.result(timeout=30)
        except concurrent.futures.TimeoutError:
            return None

    def _collect(self, rest: Optional[List[Any]], found: Set[Server], future: Any) -> None:
        """A millisecond's worth of users, then the loop has its turn."""
        try:
            if rest is None:
                rest = self._users()
            if rest is None:
                future.set_result(None)
                return
            end = time.perf_counter() + 0.001
            while rest and time.perf_counter() < end:
                found.update(_running(rest.pop()))
        except Exception as error:
            future.set_exception(error)
        else:
            if rest:
                self._loop.add_callback(self._collect, rest, found, future)
            else:
                future.set_result(found)


def _running(user: Any) -> Iterator[Server]:
    for spawner in list(user.spawners.values()):
        if spawner.active and _is_local(spawner):
            yield Server(user.name, _named_ccache(spawner) or "")


def spread(part: float) -> float:
    """Some time after ``part`` of a life: who logged in together does not come back together."""
    return part + random.uniform(0, min(_SPREAD, (1 - part) / 3))


def later(part: float) -> float:
    """When one looks after a ticket that somebody else is to renew at ``part`` of its life."""
    return max(_WATCHED, part + (1 - part) / 3)


def pause_after(last: float, retry: float, end: float) -> float:
    """Seconds between a failure and the next try, by ``last``, those before it (0: the first).

    ``retry``, doubled each time to a cap; in a ticket's last minutes (``end``, since the
    epoch) shorter and shorter, from which the doubling starts anew once it has ended.
    """
    return in_time(min(max(2 * last, retry), _BACKOFF_CAP), end)


def in_time(pause: float, end: float) -> float:
    """A pause (seconds) that is not longer than half of what is left of a ticket.

    A KDC that comes back before the ticket ends is found before it does.
    """
    left = end - time.time()
    return min(pause, max(left / 2, 1.0)) if left > 0 else pause


def on_start(authenticator: Any) -> None:
    """Builds and checks the settings, and starts the hub's keeper.

    A wrong setting disables the helper, with one line.
    """
    hub = None
    try:
        settings = KerberosTicket(parent=authenticator)
        if settings.enabled:
            hub = Hub(settings, authenticator.log)
            _start_keeper(authenticator, hub)
    except Exception as error:  # a TraitError, or a bug: the hub starts all the same
        hub = None
        authenticator.log.error("Kerberos tickets are disabled: %s", " ".join(str(error).split()))
    authenticator._jhpatch_kerberos = hub


def _start_keeper(authenticator: Any, hub: Hub) -> None:
    """The hub's keeper, where the authenticator is a hub's: its parent has the users."""
    app = getattr(authenticator, "parent", None)
    if not hasattr(type(app), "users"):
        return
    if os.geteuid() != 0:
        hub.log.warning("Kerberos: this hub is not root: it gets tickets for its own user alone")
    hub.keeper = HubKeeper(hub, lambda: _users_of(app), ioloop.IOLoop.current())
    hub.keeper.start()


def _users_of(app: Any) -> Optional[List[Any]]:
    """The users that a hub has in memory, all active ones among them; None while it starts."""
    try:
        return list(dict.values(app.users))
    except (AssertionError, TraitError, TypeError):
        return None


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
            except Exception as error:
                self.log.exception("Kerberos: a bug at login")
                problem = _words_of(error)
            if problem and hub.settings.policy == "require":
                raise _refusal(503, problem)
        raise gen.Return(result)

    return authenticate


def _words_of(error: Exception) -> str:
    return printable("%s: %s" % (type(error).__name__, error))


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
            ccache = _named_ccache(spawner)
            problem = yield hub.ticket(user.name, "spawn", _asker(user, spawner), ccache)
            try:
                spawner.environment = hub.environment(user.name, spawner.environment or {})
            except Problem as error:
                problem = problem or str(error)
            if hub.keeper:
                hub.keeper.wake()
    except Exception as error:
        authenticator.log.exception("Kerberos: a bug at spawn")
        problem = _words_of(error)
    raise gen.Return(problem)


def _named_ccache(spawner: Any) -> Optional[str]:
    named = (spawner.environment or {}).get("KRB5CCNAME")
    return named if isinstance(named, str) else None


def _asker(user: Any, spawner: Any) -> Optional[str]:
    """Who started the server, where the hub tells: an administrator or a service may."""
    handler = getattr(spawner, "handler", None)
    who = getattr(getattr(handler, "current_user", None), "name", None)
    where = getattr(getattr(handler, "request", None), "remote_ip", None)
    words = [who if who and who != user.name else "", "from " + where if where else ""]
    return " ".join(word for word in words if word) or None


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
        self.ticket: Optional[Ticket] = None
        self._getter = Getter(settings)
        self._wanted = wanted
        self._account = account
        self._log = log
        self._turned: concurrent.futures.Future[None] = concurrent.futures.Future()
        self._waited = self._failed = float("-inf")
        self._wake = threading.Event()
        self._pause = 0.0  # after the last try, if that failed
        self._said: Optional[str] = None
        self._path = ""  # of the cache, where that is a file
        self._status: Dict[str, Any] = dict(wanted._asdict() if wanted else {}, schema=SCHEMA)

    def is_fresh(self) -> bool:
        """Whether a valid ticket was seen that is valid still, and its file is there yet.

        That is all that is looked at: a kdestroy(1) is noticed, for one lstat(2).
        """
        if self.ticket is None or not is_valid(self.ticket):
            return False
        return not self._path or os.path.lexists(self._path)

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
        self._say_what_spark_sees()
        while True:
            due = self._turn()
            self._write_status(due)
            turned, self._turned = self._turned, concurrent.futures.Future()
            turned.set_result(None)
            self._sleep_until(due)

    def _turn(self) -> float:
        """One try; gives the time (seconds since the epoch) of the next."""
        try:
            due = self._keep()
            self._pause = 0.0
            self._status["error"] = None
            return due
        except Problem as problem:
            self._status["error"] = str(problem)
            if problem.ticket:
                self.ticket = problem.ticket
                self._status.update(problem.ticket._asdict())
            what = "the ticket is not renewed" if problem.ticket else "no ticket"
            self._say("%s: %s" % (what, problem), logging.WARNING)
        except Exception as error:
            self._status["error"] = str(error)
            self._log.exception("Kerberos: a bug in the keeper; it goes on")
        _count("server", "failed")
        self._failed = time.monotonic()
        end = self.ticket.end if self.ticket else 0.0
        self._pause = pause_after(self._pause, self.settings.retry, end)
        return time.time() + self._pause

    def _keep(self) -> float:
        # A central keytab's ticket is the hub's to renew, and ours while the hub is down.
        part = self.settings.refresh_at
        part = later(part) if self._wanted.central else part
        ticket, got = self._getter.ensure(self._account, self._wanted, part)
        _count("server", "got" if got else "there")
        text = "When the ticket of this server ends, in seconds since the epoch"
        _metric("Gauge", "ticket_end_timestamp_seconds", text).set(ticket.end)
        self._status.update(ticket._asdict())
        self.ticket = ticket
        if got:
            self._say("ticket of %s is kept fresh" % ticket.principal, logging.INFO)
        due = self._getter.due(ticket, spread(part))
        return max(due, time.time() + (self.settings.retry if got else 1))

    def _sleep_until(self, due: float) -> None:
        """By the wall clock, looked at each minute: it may be stepped, the machine suspended."""
        ahead = time.time() - time.monotonic()
        while time.time() < due:
            if self._wake.wait(min(max(due - time.time(), 0.05), _TURN)):
                self._wake.clear()
                return
            if abs(time.time() - time.monotonic() - ahead) > _MARGIN:
                return

    def _say(self, text: str, level: int) -> None:
        """One line for each change of state."""
        if text != self._said:
            self._said = text
            self._log.log(level, "Kerberos: %s", text)

    # What ``jhpatch ticket`` shows.

    def _write_status(self, due: float) -> None:
        """A file of the user's own, for the user's own eyes."""
        self._status.update(pid=os.getpid(), next=due, written=time.time())
        try:
            path = os.path.join(_runtime_folder(), "jhpatch-kerberos-%d.json" % os.getpid())
            temp = "%s.%s" % (path, os.urandom(4).hex())
            fd = os.open(temp, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with os.fdopen(fd, "w") as file:
                json.dump(self._status, file)
            os.replace(temp, path)
        except (ImportError, OSError):
            return  # a full home, or none: the ticket is what counts
        if "path" not in self.__dict__:
            self.path = path
            atexit.register(_unlink, path)

    def _say_what_spark_sees(self) -> None:
        """A JVM reads files alone, by KRB5CCNAME or at the one place that it knows."""
        try:
            cache = self._getter.cache(self._account, self._wanted)
            self._path = cache.path or ""
            self._status.update(ccache=cache.name, start=None, end=None, renew_till=None)
        except Problem:
            return  # the first turn says so
        named = os.environ.get("KRB5CCNAME", "")
        if cache.path == "/tmp/krb5cc_%d" % self._account.uid and cache.jvm_sees:
            return
        if not (cache.jvm_sees and cache.path in (named, named[len("FILE:") :])):
            self._log.warning(
                "Kerberos: Spark and Hadoop do not see %s: set c.KerberosTicket.ccache = "
                "'/tmp/krb5cc_{uid}' on the hub, or KRB5CCNAME to a FILE cache",
                cache.name,
            )


def _runtime_folder() -> str:
    """jupyter_core's runtime folder, of which every server has one."""
    paths = importlib.import_module("jupyter_core.paths")
    return str(paths.jupyter_runtime_dir())


def _unlink(path: str) -> None:
    try:
        os.unlink(path)
    except OSError:
        pass


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
        account = Account(entry.pw_name, entry.pw_uid, entry.pw_gid, entry.pw_dir)
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
        principal, keytab, ccache = (str(told[key]) for key in ("principal", "keytab", "ccache"))
        wanted = Wanted(principal, keytab, ccache, bool(told.get("central")))
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
