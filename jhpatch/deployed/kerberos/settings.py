"""The settings as values: defaults and ranges, what they mean for one user, JHPATCH_KERBEROS.

This module does not import traitlets, because ``jhpatch doctor`` and ``jhpatch ticket`` use it
too. docs/settings.md describes each setting.
"""

import contextlib
import json
import os
import re
import stat
from typing import (
    Any,
    Callable,
    Dict,
    Iterable,
    Iterator,
    List,
    Mapping,
    Sequence,
    Tuple,
    Union,
)

from .account import Account
from .ccache import cache_of
from .errors import Problem, printable
from .namedtuple import NamedTuple
from .principal_map import read_map

VARIABLE = "JHPATCH_KERBEROS"
SCHEMA = 1
"""Of ``JHPATCH_KERBEROS`` and of a server's status file."""
TEMPLATES = ("principal", "keytab", "ccache")
_CALLABLES = ("principal", "keytab")
_KINDS = {bool: "True or False", int: "a whole number", float: "a number", str: "a string"}
CHOICES = {
    "policy": ("require", "warn", "ignore"),
    "when": ("after", "before"),
    "destroy": ("never", "last-server"),
}
_RANGES = {
    "timeout": (0.1, 3600),
    "open_wait": (0, 60),
    "retry": (0.1, 3600),
    "refresh_at": (0.05, 0.95),
}
_SENT = ("kinit", "lifetime", "renewable", "timeout", "open_wait", "refresh_at", "retry")
_DURATION = r"([0-9]+[dhms])*[0-9]*|[0-9]+(:[0-9]+){1,2}"
_SAMPLE = dict(username="u", uid=1, home="/home/u", realm="R", host="h")

Template = Union[str, Callable[[str], str]]


class Settings(NamedTuple):
    """The settings of ``c.KerberosTicket``."""

    enabled: bool = True
    principal: Template = "{username}"
    principal_map: str = ""
    keytab: Template = ""
    ccache: str = ""
    realm: str = ""
    kinit: str = ""
    lifetime: str = ""
    renewable: str = "7d"
    timeout: float = 5.0
    open_wait: float = 2.0
    refresh_at: float = 0.5
    retry: float = 30.0
    policy: str = "warn"
    min_uid: int = 1
    when: str = "after"
    destroy: str = "never"


HELP = {
    "enabled": "Whether to obtain tickets at all.",
    "principal": "A template with {username}, {uid}, {home}, {realm}, {host}, or a callable that "
    "takes the user name.",
    "principal_map": "A file with a user name and a principal on each line, for users whose "
    "principal differs from the template; the hub reads it again when it changes.",
    "keytab": "A template or a callable, as for principal; default: krb5.conf's client keytab.",
    "ccache": "A template for the path or the name of the cache; default: libkrb5's.",
    "realm": "What {realm} stands for; default: libkrb5's default realm.",
    "kinit": "The path of kinit; default: /usr/bin/kinit, then PATH.",
    "lifetime": "The lifetime of new tickets, such as 10h; default: ticket_lifetime of krb5.conf.",
    "renewable": "The renewable life of new tickets; empty: renew_lifetime of krb5.conf.",
    "timeout": "The time limit for obtaining a ticket, in seconds.",
    "open_wait": "The most seconds that opening a notebook waits for a ticket.",
    "refresh_at": "The part of a ticket's life after which it is renewed.",
    "retry": "Seconds from a failure to the next attempt; doubled each time, to 10 minutes.",
    "policy": "Without a ticket: refuse the login or spawn, log a warning, or do neither.",
    "min_uid": "The hub obtains no tickets for users with a lower uid, and never for root.",
    "when": "Whether a spawn obtains the ticket after or before the PAM session opens.",
    "destroy": "When to destroy a user's cache: never, or when the last server of the user stops.",
}
"""A sentence for each setting."""


def check(name: str, value: Any) -> Any:
    """Return the value of a setting. Raises Problem if it is not valid."""
    wrong = "KerberosTicket.%s" % name
    value = _of_type(name, value)
    if isinstance(value, str) and not is_line(value):
        raise Problem("%s must be one line of text, not %r" % (wrong, value))
    if name in _RANGES:
        low, high = _RANGES[name]
        if not low <= value <= high:
            raise Problem("%s must be from %s to %s, not %r" % (wrong, low, high, value))
    elif name in CHOICES:
        if value not in CHOICES[name]:
            options = ", ".join(map(repr, CHOICES[name]))
            raise Problem("%s must be one of %s, not %r" % (wrong, options, value))
    elif name in ("lifetime", "renewable"):
        if not re.fullmatch(_DURATION, value):
            example = "must be a duration that kinit(1) accepts, such as 7d"
            raise Problem("%s %s, not %r" % (wrong, example, value))
    elif name in TEMPLATES:
        _check_template(name, value)
    elif name == "principal_map" and value:
        try:
            read_map(value)
        except Problem as problem:
            raise Problem("%s: %s" % (wrong, problem))
    return value


def _of_type(name: str, value: Any) -> Any:
    """Return a value of the type of the setting's default. Raises Problem."""
    kind = type(getattr(Settings(), name))
    if kind is float and type(value) is int and abs(value) < 2**53:
        return float(value)
    if isinstance(value, kind) and not (kind is int and isinstance(value, bool)):
        return value
    if name in _CALLABLES and callable(value):
        return value
    expected = _KINDS[kind] + (" or a callable" if name in _CALLABLES else "")
    raise Problem("KerberosTicket.%s must be %s, not %r" % (name, expected, value))


def _check_template(name: str, value: Any) -> None:
    if callable(value):
        return
    try:
        text = value.format(**_SAMPLE)
    except KeyError as error:
        fields = ", ".join("{%s}" % field for field in _SAMPLE)
        raise Problem(
            "KerberosTicket.%s is not a valid template: %r: the field %s is none of %s"
            % (name, value, error, fields)
        )
    except Exception as error:  # str.format raises whatever the fields raise
        raise Problem("KerberosTicket.%s is not a valid template: %r: %s" % (name, value, error))
    if name == "ccache" and value:
        try:
            cache_of(text, 1)
        except Problem as problem:
            raise type(problem)("KerberosTicket.ccache: %s" % problem)
    if name == "principal" and not text:
        raise Problem("KerberosTicket.principal must not be empty")
    path = text[len("FILE:") :] if text.startswith("FILE:") else text
    if name == "keytab" and text and not path.startswith("/"):
        raise Problem("KerberosTicket.keytab must be an absolute path, not %r" % value)


def misspelt(names: Iterable[str]) -> List[str]:
    """Return a line for each of ``names`` that is not a setting."""
    lines = []
    for name in sorted(set(names) - set(Settings._fields)):
        hint = "".join("; did you mean %s?" % other for other in similar(name, Settings._fields))
        lines.append(printable("KerberosTicket has no setting %r%s" % (name, hint)))
    return lines


def similar(name: str, names: Sequence[str], likeness: float = 0.6) -> List[str]:
    """Return the one of ``names`` that is most similar to ``name``, if one is."""
    if not names:
        return []
    import difflib  # slow to import, and rarely needed

    return difflib.get_close_matches(name, names, 1, likeness)


def needs_realm(settings: Settings) -> bool:
    """Return whether a template has ``{realm}``, and ``realm`` is not set."""
    templates = [getattr(settings, name) for name in TEMPLATES]
    return not settings.realm and any(
        isinstance(template, str) and "{realm" in template for template in templates
    )


class TicketSpec(NamedTuple):
    """The ticket of one user, as the settings specify it."""

    principal: str
    keytab: str
    """A path; empty for krb5.conf's client keytab."""
    ccache: str
    """The name of a cache; empty for libkrb5's default one."""
    central: bool = False
    """Whether root can read the keytab, and the user's processes cannot."""


def spec_of(
    settings: Settings,
    account: Account,
    can_read: Callable[[str, Account], bool],
    principals: Mapping[str, str] = {},
) -> TicketSpec:
    """Fill in the templates for one user; ``principals`` is the content of ``principal_map``.

    ``can_read(path, account)`` returns whether a user can read a file that root owns. Raises
    Problem for an unusable result. A callable of the administrator may raise anything.
    """
    fields = dict(
        username=account.name,
        uid=account.uid,
        home=account.home,
        realm=settings.realm,
        host=os.uname().nodename,
    )

    def fill(name: str) -> str:
        template = getattr(settings, name)
        text = template(account.name) if callable(template) else template.format(**fields)
        if not isinstance(text, str) or "\0" in text or "\n" in text:
            message = "KerberosTicket.%s has no usable value for %s"
            raise Problem(message % (name, account.name))
        return text

    with about("ccache"):
        ccache = fill("ccache")
        name = cache_of(ccache, account.uid).name if ccache else ""
    with about("principal"):
        principal = principals.get(account.name) or fill("principal")
        if not principal:
            raise Problem("KerberosTicket.principal is empty for %s" % account.name)
    with about("keytab"):
        keytab = fill("keytab")
        central = is_root_only(keytab, account) and not can_read(keytab, account)
    return TicketSpec(principal, keytab, name, central)


@contextlib.contextmanager
def about(setting: str) -> Iterator[None]:
    """Note in a Problem which setting is wrong."""
    try:
        yield
    except Problem as problem:
        problem.setting = setting
        raise


def is_root_only(keytab: str, account: Account) -> bool:
    """Return whether root owns a keytab, and only root can write it and its directories.

    The file itself need not exist: a missing one is an error for root, not for the user. Only
    directories that root owns are inspected, nothing below the first one of another user. False
    in a process that is not root, and for root's own account.
    """
    path = keytab[len("FILE:") :] if keytab.startswith("FILE:") else keytab
    if os.geteuid() != 0 or not path.startswith("/") or account.uid == 0:
        return False
    parts, home = path.split("/"), account.home.rstrip("/")
    if ".." in parts or (home and path.startswith(home + "/")):
        return False  # not inspected: a home directory that hangs would block this thread
    for number in range(1, len(parts) + 1):
        try:
            status = os.lstat("/".join(parts[:number]) or "/")
        except OSError:
            return number == len(parts)
        if status.st_uid != 0 or status.st_mode & 0o022 or stat.S_ISLNK(status.st_mode):
            return False
    return stat.S_ISREG(status.st_mode)


def dump(settings: Settings, spec: TicketSpec) -> str:
    """Return ``JHPATCH_KERBEROS`` for a user's server: values, no callables and no templates."""
    document: Dict[str, Any] = dict(spec._asdict(), schema=SCHEMA)
    document.update((name, getattr(settings, name)) for name in _SENT)
    return json.dumps(document, sort_keys=True)


def load(text: str) -> Tuple[Settings, TicketSpec]:
    """Parse ``JHPATCH_KERBEROS``. Raises Problem unless every value is of its type."""
    try:
        document = json.loads(text)
        if document["schema"] != SCHEMA:
            raise ValueError("unknown schema %r" % (document["schema"],))
        principal, keytab, ccache = (document[name] for name in TEMPLATES)
        spec = TicketSpec(principal, keytab, ccache, document.get("central", False))
        if type(spec.central) is not bool or not all(map(is_line, spec[:3])):
            raise ValueError("%r" % (spec,))
        values = {name: check(name, document[name]) for name in _SENT}
    except Exception as error:  # the text may be anything
        reason = "%s is missing" % error if isinstance(error, KeyError) else error
        raise Problem("%s cannot be read: %s" % (VARIABLE, reason))
    return Settings(**values), spec


def is_line(value: Any) -> bool:
    """Return whether a value is a one-line string that can be an argument of a program."""
    return isinstance(value, str) and not re.search("[\0\n\ud800-\udc7f\udd00-\udfff]", value)
