"""Explain the lines of krb5.conf that libkrb5 reads differently from what the author meant.

The parser of libkrb5 reports no error for these lines. libkrb5 ignores them, uses another value,
or refuses the value later without naming the line.
"""

import re
import unicodedata
from typing import Iterator, List, Optional, Set, Tuple

from jhpatch.errors import NextStep
from jhpatch.kerberos import libkrb5
from jhpatch.kerberos.findings import finding
from jhpatch.kerberos.krb5_conf import Profile
from jhpatch.kerberos.krb5_conf_text import ConfigFile, Directive
from jhpatch.namedtuple import NamedTuple
from jhpatch.report.result import Finding

_KDC_TAGS = ("kdc", "primary_kdc", "master_kdc")
_SECTIONS = ("libdefaults", "realms", "domain_realm")
_LIFETIMES = ("ticket_lifetime", "renew_lifetime")
_BOOLEANS = ("allow_weak_crypto", "allow_des3", "allow_rc4")
"""Tags with a boolean value: libkrb5 refuses any other (profile_get_boolean)."""
_NO_COMMENT = "libkrb5 does not support comments at the end of a line"
_BLANKS = " \t\n\v\f\r"
_UNSEEN = {"\ufeff": "a byte order mark", "\u00a0": "a no-break space"}


def explain(profile: Profile) -> Iterator[Finding]:
    """Yield a finding for each line that libkrb5 refuses, misreads or ignores."""
    for source in profile.sources:
        yield from _ignored_lines(source)
    for path, directive, problem in _wrong_lines(profile):
        written = "%s = %s" % (_shown(directive.path[-1]), _shown(directive.value))
        message = "line %d: %s: %s" % (directive.line, written, problem)
        yield finding("krb5-conf-line", message, path, line=directive.line)


class Hint(NamedTuple):
    """What explains another finding."""

    text: str = ""
    """The end of its message."""
    step: str = ""
    """Its next step, in words."""

    def explain(self, row: Finding) -> Finding:
        """Return a finding with the hint in its message, and with its next step."""
        if not self.text:
            return row
        return row._replace(message=row.message + self.text, next=NextStep(self.step))


def explain_realm(profile: Profile, realm: str) -> Hint:
    """Return what is wrong with the kdc lines of a realm, and with its default_realm line."""
    rows = [
        (path, directive.line, problem)
        for path, directive, problem in _wrong_lines(profile)
        if (directive.path == ("libdefaults", "default_realm") and directive.value == realm)
        or _is_of_realm(directive.path, realm)
    ]
    if not rows:
        return Hint()
    text = "".join("; %s line %d: %s" % row for row in rows)
    return Hint(text, "correct line %d of %s" % (rows[0][1], rows[0][0]))


def _is_of_realm(path: Tuple[str, ...], realm: str) -> bool:
    """Return whether a relation is a kdc line of a realm, or was meant as one."""
    is_kdc = len(path) == 2 or path[-1].lower() in _KDC_TAGS
    return _meant(path[0]) == "realms" and path[1:2] == (realm,) and is_kdc


def _meant(section: str) -> str:
    return section.strip(_BLANKS).lower()


def _wrong_lines(profile: Profile) -> Iterator[Tuple[str, Directive, str]]:
    """Yield the file, the relation and the problem of each wrong relation that libkrb5 has."""
    values = set(profile.relations)
    realms = {path[1] for path, _ in profile.relations if path[0] == "realms"}
    for source in profile.sources:
        for directive in source.text.directives:
            if directive.kind == "relation" and (directive.path, directive.value) in values:
                problem = _problem(directive, realms)
                if problem:
                    yield source.path, directive, problem


def _ignored_lines(source: ConfigFile) -> Iterator[Finding]:
    """Yield a finding if there is text before what libkrb5 recognizes as the first section."""
    ignored = [row for row in source.text.directives if row.kind == "ignored"]
    if not ignored:
        return
    lines = _line_numbers(ignored)
    message = "%s: libkrb5 ignores text before the first section" % lines
    for directive in ignored:
        text = directive.value
        bare = text.lstrip(_BLANKS + "".join(_UNSEEN))
        if bare.startswith("["):
            unseen = _unseen(text[: len(text) - len(bare)]) or "a blank"
            message = "line %d: libkrb5 does not recognize %s, because %s precedes the bracket; "
            message = message % (directive.line, _shown(bare), unseen)
            message += "it ignores " + lines
            break
    yield finding("krb5-conf-ignored", message, source.path, line=ignored[0].line)


def _line_numbers(directives: List[Directive]) -> str:
    first, last = directives[0].line, directives[-1].line
    return "line %d" % first if first == last else "lines %d to %d" % (first, last)


def _problem(directive: Directive, realms: Set[str]) -> Optional[str]:
    """Return how libkrb5 misreads a line; None if it reads the line as its author meant."""
    section, tag, value = directive.path[0], directive.path[-1], directive.value
    if section not in _SECTIONS and _meant(section) in _SECTIONS:
        return "libkrb5 does not know the section [%s]; did you mean [%s]?" % (
            _shown(section),
            _meant(section),
        )
    unseen = _unseen(tag + value)
    if unseen:
        return "%s is part of the name or the value" % unseen
    if value.startswith("{"):
        return "libkrb5 takes the brace as a value, because text follows it on its line"
    if section not in _SECTIONS or tag.startswith("auth_to_local"):
        return None
    comment = re.search(r"[ \t][#;].*", value)
    if section == "realms" and tag.lower() in _KDC_TAGS and len(directive.path) == 3:
        if tag not in _KDC_TAGS:
            return "libkrb5 does not know %s; did you mean %s?" % (tag, tag.lower())
        return _kdc_problem(value, comment is not None)
    if comment:
        return _NO_COMMENT + "; this one is part of the value"
    if directive.path == ("libdefaults", "default_realm") and value not in realms:
        for realm in sorted(realms):
            if realm.lower() == value.lower():
                return "this is not the realm %s: the names differ in upper and lower case" % realm
    return _value_problem(tag, value) if section == "libdefaults" else None


def _value_problem(tag: str, value: str) -> Optional[str]:
    """Return why libkrb5 refuses a value in [libdefaults], so that kinit fails."""
    if tag in _LIFETIMES and libkrb5.is_lifetime(value) is False:
        return "libkrb5 does not accept this duration; write one such as 10h or 7d"
    if tag == "udp_preference_limit" and not re.match(r"[ \t]*[-+]?\d+\Z", value):
        return "libkrb5 expects a whole number"
    if tag in _BOOLEANS and not re.match(
        r"(y|yes|true|t|1|on|n|no|false|nil|0|off)\Z", value, re.I
    ):
        return "libkrb5 expects true or false"
    return None


def _kdc_problem(value: str, has_comment: bool) -> Optional[str]:
    """Return what is wrong with the address of a KDC (parse_host_string.c, locate_kdc.c)."""
    refused = "libkrb5 refuses this address, and with it all KDCs of the realm: "
    scheme = re.match(r"([A-Za-z]+)(:/)?/", value)
    words = value.split()
    if value.startswith(("https://", "/")):
        return None
    if scheme and scheme.group(1).lower() == "https":
        return refused + "write https:// in lower case"
    if scheme and scheme.group(2):
        return refused + "MIT krb5 supports no other URL than https://"
    if scheme and scheme.group(1).lower() in ("tcp", "udp", "http"):
        return (
            "this is Heimdal's syntax; MIT krb5 takes %s as the host name"
            % (words[0].partition(":")[0])
        )
    problem = _address_problem(value)
    if problem:
        return refused + problem
    if has_comment:
        return _NO_COMMENT + "; it ignores everything after the first word"
    if len(words) > 1:
        return "a line names only one KDC; libkrb5 ignores everything after %s" % words[0]
    if re.search(r"[,/]|[^\0-\177]", value):
        return "libkrb5 takes the whole value as the host name"
    return None


def _address_problem(value: str) -> Optional[str]:
    """Return why an address is not ``host``, ``host:port`` or ``[address]:port``."""
    if value.isdigit():
        return "it is a port without a host"
    if not value or (value.startswith(":") and value.count(":") == 1):
        return "the host is missing"
    if value.startswith("[") and "]" in value:
        rest = value.partition("]")[2]
    else:
        host = re.match(r"[^ \t:]*", value)
        rest = value[host.end() :] if host else ""
        if rest.count(":") > 1:
            return "an IPv6 address needs brackets, such as [2001:db8::1]:88"
    if not rest.startswith(":"):
        return None
    port = rest[1:]
    if re.match(r"[ \t]*[+]?\d+\Z", port):
        return "a port is at most 65535" if int(port) > 65535 else None
    if re.match(r"\d+[ \t]+[#;]", port):
        return _NO_COMMENT
    return "%s is not a port" % _shown(port) if port.strip() else "the port is missing"


def _unseen(text: str) -> str:
    """Return the name of the first invisible character that is no ASCII blank; empty for none."""
    for character in text:
        # Zs, Zl, Zp: separators; Cf: format characters, such as U+200B
        if ord(character) > 127 and unicodedata.category(character) in ("Zs", "Zl", "Zp", "Cf"):
            return _UNSEEN.get(character, "the invisible U+%04X" % ord(character))
    return ""


def _shown(text: str) -> str:
    """Return at most 200 characters of a text, with escapes for those that are not ASCII."""
    return text.encode("ascii", "backslashreplace").decode("ascii")[:200]
