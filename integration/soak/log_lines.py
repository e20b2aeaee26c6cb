"""The lines of the hub's log that are known, and the events that explain each.

The log has the lines of the hub, of its proxy and of the users' servers. A line of jhpatch's
needs its event, and, if it names a user, an event of that user. A line of upstream's of the
levels debug and info is known; a warning or an error is known by its text.
"""

import re
from typing import Iterable, List, NamedTuple, Optional, Sequence, Tuple

from integration.soak.events import Event
from integration.soak.hub_log import Line

_KDC = ("KdcDown", "KdcDownForDays", "KdcSilent", "KdcSlow", "Suspend")
_HUB = ("HubRestart", "HubKilled", "HubUpgrade", "Suspend", "SetUp")
_SERVER = ("ServerStopped", "ServerEnded", "ServerKilled")
_USER = r"(?P<user>(?:real|plain|open|central|api)-\d+)"


class Known(NamedTuple):
    """Lines that match ``pattern``; one of the kinds of events must explain each, if any."""

    pattern: str
    kinds: Tuple[str, ...] = ()


_KEYS = ("NewKeysAtOnce", "NewKeysLater", "HomeAway", "HeldFifo")
# Why there is no ticket, or no new one.
_REASONS: Sequence[Known] = (
    Known(r"no answer within \S+ s; the KDC may be down", ("HeldFifo", "SlowDirectory", *_KDC)),
    Known(r"Cannot contact any KDC|the KDC has not answered since|kinit does not answer", _KDC),
    Known(r"Preauthentication failed|Pre-authentication failed: Key table file", _KEYS),
    Known(
        r"no existing ticket could be renewed",
        ("Kdestroy", "KinitAsAnother", "ClockStep", *_KDC),
    ),
    Known(r"holds a valid ticket of visitor@EXAMPLE.TEST", ("KinitAsAnother",)),
    Known(r"No space left on device|Disk quota exceeded", ("FullTmp", "FullHome")),
)
OURS: Sequence[Known] = (
    Known(r"Kerberos ticket for \S+ \(uid \d+\): .* from keytab .* at (login|spawn|renewal)"),
    Known(r"Kerberos: this server renews the ticket of \S+"),
    Known(r"Kerberos: the KDC of \S+ does not answer", _KDC),
    Known(r"Kerberos: the KDC of \S+ answers again", _KDC),
    Known(r"Kerberos ticket for %s .* from kinit -R .* at renewal" % _USER, _KEYS),
    Known(r"Kerberos: kinit obtained no ticket with keytab .* of %s, and kinit -R" % _USER, _KEYS),
    Known(
        r"(?:light %s|App|App [^\]]*)\] Kerberos: kinit -R renewed the ticket, because kinit "
        % _USER,
        _KEYS,
    ),
    *(
        Known(form % (_USER, reason.pattern), reason.kinds)
        for reason in _REASONS
        for form in (
            r"(?:No Kerberos ticket|The Kerberos ticket is not renewed) for %s .*(?:%s)",
            r"(?:light %s|App|App [^\]]*)\] Kerberos: (?:no ticket|the ticket is not).*: .*(?:%s)",
        )
    ),
)
"""Lines of jhpatch's."""
_ERRNO = r"^ +at .* \(node:|^  (errno|code|syscall|address|port): |^}$"
UPSTREAM: Sequence[Known] = (
    Known(r"^\[[ID] [^\]]*(JupyterHub|ServerApp|\w+App|lab|nbclassic|notebook|alembic)"),
    Known(r"Skipping XSRF check for insecure request GET"),
    Known(r"Service watcher sets `admin: True`|Running JupyterHub without SSL"),
    Known(r"No admin users|Add any administrative users|PAM session"),  # JupyterHub 0.9's
    Known(r"Disabling PAM sessions|Could not open static file ''|date_default is deprecated"),
    Known(r"^  return _iterencode\(o, 0\)"),
    Known(r"409 POST /hub/api/users/\S+ \("),
    Known(r"is slow to (start|become responsive|stop) \(timeout="),
    Known(r"_jupyter_server_extension_points|'extra_template_paths' was found in both"),
    Known(r"received signal 15, stopping", _SERVER),
    Known(r"Received signal SIGTERM, initiating shutdown", _HUB),
    Known(r"migration plan to Notebook 7|jupyter-notebook.readthedocs.io|updating to Notebook 7"),
    Known(r"^ [ _|\\/'.`,-]+[a-z_|\\/'.`,() -]*$"),  # the name of notebook, in large letters
    Known(r"User %s server stopped, with exit code: " % _USER, _SERVER),
    Known(r"Event loop was unresponsive for at least|Detected unused OAuth state cookies"),
    Known(r"Signature store for notebook|database or disk is full", ("FullHome",)),
    Known(r"500 PUT /user/%s/api/contents/" % _USER, ("FullHome",)),
    Known(r"User %s server stopped with exit code: " % _USER, _SERVER),
    Known(r"Found proxy pid file|Proxy still running|Stopped proxy at|Adding missing route", _HUB),
    Known(r"\[ConfigProxy\] \S*info"),
    Known(r"\[ConfigProxy\] \S*warn\S*: Terminated", _HUB),
    Known(r"\[ConfigProxy\] \S*error\S*: 404 (GET|PUT) /user/", _HUB + _SERVER),
    Known(r"\[ConfigProxy\] \S*error\S*: 404 GET /hub/"),
    Known(
        r"\[ConfigProxy\] \S*error\S*: 503 .* (connect ECONNREFUSED|ECONNRESET|socket hang up)",
        _HUB + _SERVER,
    ),
    Known(r"\[ConfigProxy\] \S*error\S*: Failed to get custom error page", _HUB),
    Known(_ERRNO, _HUB),
    Known(r"(403|405|424) (GET|PUT) (/hub)?/user/|XSRF cookie does not match", _HUB + _SERVER),
    # A real server's, while the hub is away.
    Known(r"Error notifying Hub of activity", _HUB),
    Known(r"Error connecting to http://\S+/hub/api|Failed to connect to Hub API at", _HUB),
    Known(r"ServerApp\] (Uncaught exception in write_error|500 GET /user/)", _HUB),
    # The headers of a request that failed.
    Known(r'ServerApp\] \{$|^  "[A-Z][A-Za-z-]+": ".*",?$', ("FullHome", *_HUB)),
    Known(r"No Hub user identified|Token stored in cookie may have expired", _HUB + _SERVER),
    Known(r"403 GET /hub/api/user \(", _HUB + _SERVER),
    # nginx's, while the proxy or a server restarts.
    Known(r"\*\d+ upstream prematurely closed connection", _HUB + _SERVER),
    Known(r"\*\d+ (recv|connect)\(\) failed \((104|111): ", _HUB + _SERVER),
)
"""Lines of JupyterHub's, its proxy's and jupyter_server's."""


def unexplained(lines: Iterable[Line], events: Sequence[Event]) -> List[str]:
    """Return the lines that no one can explain; a traceback belongs to the line before it."""
    found = []
    explained = True
    for line in lines:
        if not line.text.startswith("    "):
            explained = not line.text.strip() or _explain(line, events)
        if not explained:
            found.append(line.text)
    return found


def _explain(line: Line, events: Sequence[Event]) -> bool:
    for known in OURS if "erberos" in line.text else UPSTREAM:
        found = re.search(known.pattern, line.text)
        if found and (not known.kinds or _has_event(known, found, line, events)):
            return True
    return False


def _has_event(known: Known, found: "re.Match[str]", line: Line, events: Sequence[Event]) -> bool:
    user: Optional[str] = found.groupdict().get("user")
    return any(
        event.kind in known.kinds
        and event.lasts(line.at)
        and (user is None or not event.users or user in event.users)
        for event in events
    )
