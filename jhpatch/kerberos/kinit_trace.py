"""What kinit did, read from its trace (KRB5_TRACE, MIT krb5 1.9 and later, k5-trace.h)."""

import re
from typing import Dict, List, Optional, Tuple

from jhpatch.namedtuple import NamedTuple

_ADDRESS = r"(dgram|stream|https|unix) (\S+?)"
_PROTOCOLS = {"dgram": "UDP", "stream": "TCP", "https": "HTTPS", "unix": "a socket file"}
_ASKED = re.compile(
    r"(?:Sending (?:initial |retry )?(?:UDP|TCP|HTTPS) request to"
    r"|Initiating TCP connection to|Terminating TCP connection to) %s$" % _ADDRESS
)
_ERROR = re.compile(r"(?:UDP|TCP|HTTPS) error (?:\w+ing )+(?:to|from) %s(?:: (.*))?$" % _ADDRESS)
_ANSWERED = re.compile(r"Received answer \(\d+ bytes\) from %s$" % _ADDRESS)
_RESOLVED = re.compile(r"Resolving hostname (.*)$")
_REALM = re.compile(
    r"Sending request \(\d+ bytes\) to (.*?)( \((?:primary|master)\))?( \(tcp only\))?$"
)
_KDC_ERROR = re.compile(r"Received error from KDC: (-?\d+)/(.*)$")
_DNS = re.compile(r"(Sending DNS (URI|SRV) query|(URI|SRV) answer|No (URI|SRV) records found)")
_TLS = re.compile(
    "Error loading k5tls module|HTTPS error: |TLS error: |TLS certificate error"
    "|TLS certificate name mismatch|TLS server certificate not received"
)


class Contact(NamedTuple):
    """One address that kinit asked by one protocol."""

    host: str
    """The name that it was resolved from; empty if the trace shows none."""
    address: str
    """The address, with its port."""
    protocol: str
    """``UDP``, ``TCP``, ``HTTPS`` or ``a socket file``."""
    line: str
    """The first line of the trace that shows the contact."""
    answer: str = ""
    """The line that shows the first answer; empty if there was none."""
    error: str = ""
    """The line that shows the first error; empty if there was none."""


class Trace(NamedTuple):
    """What kinit did until it ended or was killed."""

    realm: str = ""
    """The realm whose KDCs were asked; empty if none was."""
    contacts: Tuple[Contact, ...] = ()
    """In the order in which they were first asked."""
    hosts: Tuple[str, ...] = ()
    """The names that were resolved, in their order."""
    kdc_errors: Tuple[Tuple[int, str], ...] = ()
    """The codes of the KDC's errors, and their lines."""
    dns: Tuple[str, ...] = ()
    """The lines of DNS queries and answers, except those for the primary KDC."""
    tls_errors: Tuple[str, ...] = ()
    """The lines about errors of TLS."""

    @property
    def answers(self) -> Tuple[Contact, ...]:
        """The contacts that answered."""
        return tuple(contact for contact in self.contacts if contact.answer)

    @property
    def unused_hosts(self) -> Tuple[str, ...]:
        """The names after which kinit asked no address.

        kinit could not resolve them, or had no need to ask their addresses.
        """
        used = {contact.host for contact in self.contacts}
        return tuple(host for host in self.hosts if host not in used)


def parse(text: str) -> Trace:
    """Return what a trace shows; lines that are not about KDCs are skipped."""
    reader = _Reader()
    for raw_line in text.split("\n"):
        line = re.sub(r"^\[\d+\] \d+\.\d+: ", "", raw_line.strip())
        if line != raw_line.strip():
            reader.add(line)
    return reader.trace()


class _Reader:
    """Collects the lines of a trace."""

    def __init__(self) -> None:
        self._realm = self._host = ""
        self._asks_primary = False
        self._hosts: List[str] = []
        self._contacts: Dict[Tuple[str, str], Contact] = {}
        self._names: Dict[str, str] = {}  # the host of each address
        self._kdc_errors: List[Tuple[int, str]] = []
        self._dns: List[str] = []
        self._tls_errors: List[str] = []

    def add(self, line: str) -> None:
        """Add a line without its time."""
        request, resolved = _REALM.match(line), _RESOLVED.match(line)
        kdc_error = _KDC_ERROR.match(line)
        if request:
            self._realm = self._realm or request.group(1)
            self._asks_primary = bool(request.group(2))
        elif resolved:
            self._host = resolved.group(1)
            if self._host not in self._hosts:
                self._hosts.append(self._host)
        elif kdc_error:
            self._kdc_errors.append((int(kdc_error.group(1)), line))
        elif _DNS.match(line):
            # After an answer, and after a failure, kinit looks up the primary KDC.
            has_answer = any(contact.answer for contact in self._contacts.values())
            if line not in self._dns and not has_answer and not self._asks_primary:
                self._dns.append(line)
        elif _TLS.match(line):
            self._tls_errors.append(line)
        else:
            self._add_contact(line)

    def _add_contact(self, line: str) -> None:
        for pattern, field in ((_ASKED, "line"), (_ANSWERED, "answer"), (_ERROR, "error")):
            match = pattern.match(line)
            if match is None:
                continue
            kind, address = match.group(1), match.group(2)
            key = (kind, address)
            contact = self._contacts.get(key)
            if contact is None:
                # kinit tries another protocol after it has resolved all names.
                host = self._names.setdefault(address, self._host)
                contact = Contact(host, address, _PROTOCOLS[kind], line)
            if "HTTPS" in line:  # krb5 1.15 shows its address as that of a stream
                contact = contact._replace(protocol=_PROTOCOLS["https"])
            if field != "line" and not getattr(contact, field):
                contact = contact._replace(**{field: line})
            self._contacts[key] = contact

    def trace(self) -> Trace:
        """Return what the lines show."""
        return Trace(
            self._realm,
            tuple(self._contacts.values()),
            tuple(self._hosts),
            tuple(self._kdc_errors),
            tuple(self._dns),
            tuple(self._tls_errors),
        )


def host_and_port(contact: Contact) -> Optional[Tuple[str, int]]:
    """Return the address of a contact as two values; None for a socket file."""
    host, colon, port = contact.address.rpartition(":")
    if not colon or not port.isdigit():
        return None
    return host.strip("[]"), int(port)
