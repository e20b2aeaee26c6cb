"""What nginx itself reports about a configuration: ``nginx -t`` on a file that ends with an error.

After nginx has read the last line of a valid configuration, it opens logs, creates directories and
binds ports. So jhpatch appends a directive that no nginx knows: nginx reads and checks all lines
before it, and stops there. ``private_copy`` decides which file nginx reads, and as which user it
runs.
"""

import os
import re
import subprocess
from typing import Iterator, List, Optional, Sequence, Tuple

from jhpatch.errors import Failed, Refused
from jhpatch.namedtuple import NamedTuple
from jhpatch.nginx import certificates, parser, printer, private_copy
from jhpatch.nginx.configuration import Configuration
from jhpatch.nginx.directives import Directive, in_force, is_missing, walk
from jhpatch.nginx.findings import finding
from jhpatch.nginx.servers import servers_of
from jhpatch.nginx.sockets import Sockets
from jhpatch.nginx.version import Nginx
from jhpatch.report.result import Finding

_END = "jhpatch_end_of_configuration"
_TIMEOUT = 10.0  # seconds; it looks up the names of upstreams
_ROUNDS = 12  # of omitting what this nginx does not have
_MESSAGE = re.compile(r"\[(?:emerg|crit|alert|error)\] (?:\d+#\d+: )?(.*)")
_PLACE = re.compile(r"(.*) in (.+):(\d+)$")
_OPENSSL = re.compile(
    r": \w+\(\) failed \(SSL: .*?(No such file or directory|Permission denied).*"
)
_SECRET = re.compile(r"cannot load certificate (key )?.*Permission denied", re.S)
_UNREADABLE = re.compile(r"No such file|Permission denied|BIO_new_file|BIO_read_filename")
_LACKING = re.compile(r'invalid parameter "quic"|requires (the )?ngx_\w+_module')
_UNRESOLVED = ("host not found in", "unknown log format", "zero size shared memory zone")
_ELSEWHERE = re.compile(
    r"stream$|mail$|lua_|.*_by_lua|more_|js_|http[23]|quic|ssl_reject_handshake|proxy_cookie_flags|brotli"
    r"|vhost_traffic|pagespeed|passenger|resolver|ssl_early|headers_|auth_jwt|perl|image_filter"
    r"|geoip|xslt_|xml_entities"
)
"""Directives of newer versions, of other builds and of modules that are loaded elsewhere."""
_REFUSES = "ssl_reject_handshake"
_NEW_VARIABLES = ("is_request_port", "request_port", "http3", "quic", "is_args")
_STOCK_MODULES = frozenset(
    "ngx_%s_module.so" % name
    for name in (
        *("stream", "mail", "http_geoip", "stream_geoip", "http_image_filter"),
        *("http_perl", "http_xslt_filter", "http_js", "stream_js"),
    )
)
"""Modules whose directives ``_ELSEWHERE`` names."""


class _Verdict(NamedTuple):
    """The message that nginx stopped at; None if it read everything."""

    message: Optional[str]
    place: Optional[str] = None


def check(configuration: Configuration, nginx: Optional[Nginx]) -> Tuple[Finding, ...]:
    """Return what nginx refuses; without nginx, what a table of its directives refuses."""
    if any(row.code in ("config-broken", "template") for row in configuration.findings):
        return ()
    if nginx is None:
        return tuple(_by_table(configuration))
    if configuration.skipped:
        message = "jhpatch did not run nginx, because it could not read %s" % ", ".join(
            configuration.skipped
        )
        return (finding("not-known", message), *_by_table(configuration))
    try:
        if not _may_run(configuration, nginx):
            return tuple(_by_table(configuration))
        return _merged(_Judge(configuration, nginx).findings())
    except (OSError, subprocess.SubprocessError, Failed, Refused) as error:
        message = "jhpatch could not run %s: %s" % (nginx.program, error)
        return (finding("not-known", message), *_by_table(configuration))


def _merged(findings: Iterator[Finding]) -> Tuple[Finding, ...]:
    """Return what is broken, and one note about all that is not known."""
    rows = tuple(findings)
    unknown = [row for row in rows if row.code == "not-known"]
    messages = list(dict.fromkeys(row.message for row in unknown))
    notes = [row._replace(message="; ".join(messages)) for row in unknown[:1]]
    return (*(row for row in rows if row.code != "not-known"), *notes)


def _by_table(configuration: Configuration) -> Iterator[Finding]:
    context: Tuple[str, ...] = () if configuration.main else ("http",)
    for message, place in parser.argument_errors(configuration.top, context):
        yield finding("config-broken", message + " (by crossplane's table of directives)", place)
    yield from _without_certificate(configuration)


def _may_run(configuration: Configuration, nginx: Nginx) -> bool:
    """Return whether jhpatch may run nginx.

    As root, not before 1.19.5: without ``-e``, nginx writes to its own log. As another user, only
    if that user or root owns all files.
    """
    uid = os.geteuid()
    if uid == 0:
        return nginx.number >= (1, 19, 5)
    return all(os.stat(file).st_uid in (0, uid) for file in configuration.files)


class _Judge:
    """Tests a copy of one configuration with one nginx."""

    def __init__(self, configuration: Configuration, nginx: Nginx) -> None:
        self._configuration = configuration
        self._nginx = nginx
        self._uid = private_copy.account(nginx.program, configuration.hashes)
        self._modules = private_copy.modules_of(configuration.top)
        main = configuration.main
        self._is_own = bool(main) and os.path.realpath(str(main)) == os.path.realpath(nginx.main)

    def findings(self) -> Iterator[Finding]:
        """Test all of it, and then without what this host does not have."""
        if os.geteuid() == 0 and self._is_own:
            missing = list(self._missing_files())
            if missing:
                yield from missing
                return
        top = private_copy.without_code(self._configuration.top, self._configuration.prefix)
        verdict = _Verdict("jhpatch does not load keys of OpenSSL engines")
        if private_copy.has_engine_keys(self._configuration.top):
            row = self._not_known(str(verdict.message), None)
        else:
            verdict = self._ask(top)
            if verdict.message is None:
                return
            row = self._finding(verdict)
        mismatches = self._mismatches(verdict)
        if mismatches is None:
            yield row
        else:
            yield from mismatches
        if not mismatches and row.code != "config-broken":
            yield from self._without_files(top, verdict)

    def _mismatches(self, verdict: _Verdict) -> Optional[List[Finding]]:
        """Compare the certificates and keys that root alone can read; None if that fails."""
        if os.geteuid() != 0 or not _SECRET.match(verdict.message or ""):
            return None
        pairs = certificates.pairs_of(servers_of(self._configuration.directives))
        try:
            rows = list(certificates.mismatches(pairs, self._configuration.prefix))
        except ValueError:
            return None
        return [finding("config-broken", message, key.place) for key, message in rows]

    def _missing_files(self) -> Iterator[Finding]:
        """Yield the files that do not exist; nginx's account may be unable to determine that."""
        for one, path in private_copy.files_of(
            self._configuration.top, self._configuration.prefix
        ):
            if not os.path.lexists(path):
                message = '%s "%s": No such file or directory' % (one.name, path)
                yield finding("config-broken", message, one.place)

    def _without_files(self, top: Sequence[Directive], verdict: _Verdict) -> Iterator[Finding]:
        """Omit what this host does not have, and test again."""
        without = list(_without_certificate(self._configuration))
        if without:
            yield from without
            return
        top = printer.without_files(top)
        for _ in range(_ROUNDS):
            if verdict.place is not None:
                top = printer.without(top, verdict.message or "", verdict.place)
            verdict = self._ask(top)
            if verdict.message is None:
                return
            row = self._finding(verdict)
            yield row
            if row.code == "config-broken":
                return
            if verdict.place is None:
                break
        yield from _by_table(self._configuration)

    def _finding(self, verdict: _Verdict) -> Finding:
        message = _OPENSSL.sub(r": \1", str(verdict.message))
        place = verdict.place and _begin_of(verdict.place, self._configuration.top)
        if message.startswith("unknown ") and message.endswith(" variable"):
            name = message.split('"')[1]
            place = place or _use_of(name, self._configuration.top)
            if (name in _NEW_VARIABLES and not self._is_own) or self._is_of_a_module(name):
                return self._not_known(message, place)
        elif self._is_of_this_host(message):
            return self._not_known(message, place)
        text = "nginx %s: %s" % (self._nginx.version, message)
        return finding("config-broken", text, place)

    def _is_of_this_host(self, message: str) -> bool:
        """Return whether an error is about this host and user, not the configuration."""
        if "Permission denied" in message or any(part in message for part in _UNRESOLVED):
            return True
        match = re.match(r'unknown directive "([^"]*)"', message)
        if match is not None and self._is_of_a_module(match.group(1)):
            return True
        if self._is_own:
            return False
        return (
            _UNREADABLE.search(message) is not None
            or _LACKING.search(message) is not None
            or (match is not None and _ELSEWHERE.match(match.group(1)) is not None)
        )

    def _is_of_a_module(self, name: str) -> bool:
        """Return whether a directive or variable may belong to a module; none is loaded here."""
        if not self._modules:
            return False
        return not self._modules <= _STOCK_MODULES or _ELSEWHERE.match(name) is not None

    def _not_known(self, message: str, place: Optional[str]) -> Finding:
        text = "nginx %s of this host: %s" % (self._nginx.version, message)
        return finding("not-known", text, place)

    def _ask(self, top: Sequence[Directive]) -> _Verdict:
        text, places = printer.lines(top)
        head = "" if self._configuration.main else "events {}\nhttp {\n"
        tail = "" if self._configuration.main else "}\n"
        text = "%s%s%s%s;\n" % (head, text, tail, _END)
        verdict = _verdict(private_copy.test(self._nginx, text, self._uid, _TIMEOUT))
        if verdict.place is None:
            return verdict
        index = int(verdict.place.rpartition(":")[2]) - 1 - head.count("\n")
        return verdict._replace(place=places[max(0, min(index, len(places) - 1))])


def _verdict(output: str) -> _Verdict:
    messages = [message for message in _MESSAGE.findall(output) if "error log" not in message]
    if not messages:
        raise Failed("nginx -t printed no result")
    if _END in messages[-1]:
        return _Verdict(None)
    match = _PLACE.fullmatch(messages[0])
    if match:
        return _Verdict(match.group(1), "%s:%s" % match.group(2, 3))
    return _Verdict(messages[0])


def _without_certificate(configuration: Configuration) -> Iterator[Finding]:
    """Yield default servers with TLS and no certificate, as nginx reports them."""
    servers = servers_of(configuration.directives)
    sockets = Sockets(servers)
    for server in servers:
        rows = [row for row in server.listens if row.ssl and sockets.default_of(row)[0] is server]
        is_refusing = any(row.args[0] == "on" for row in in_force(server.levels, _REFUSES))
        if rows and is_missing(server.levels, "ssl_certificate") and not is_refusing:
            message = 'no "ssl_certificate" is defined for the "listen ... ssl" directive'
            yield finding("config-broken", message, rows[0].place)


def _begin_of(place: str, directives: Sequence[Directive]) -> str:
    """Return where the directive begins that ends at a place: nginx reports its last line."""
    file, _, line = place.rpartition(":")
    lines = [one.line for one in walk(directives) if one.file == file and one.line <= int(line)]
    return "%s:%d" % (file, max(lines)) if lines else place


def _use_of(variable: str, directives: Sequence[Directive]) -> Optional[str]:
    """Return the place of the first directive that names a variable."""
    pattern = re.compile(r"\$\{?%s(?![A-Za-z0-9_])" % re.escape(variable))
    for one in walk(directives):
        if any(pattern.search(arg) for arg in one.args):
            return one.place
    return None
