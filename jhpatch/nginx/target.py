"""The address that ``nginx check --url`` sends requests to, parsed from the command line."""

import re
from typing import Optional

from jhpatch.namedtuple import NamedTuple

_COOKIE_LENGTH = 1 << 16  # characters that are read
_DEFAULT_PORTS = {"https": 443, "http": 80}
_URL = re.compile(
    r"(https?)://(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+)(?::([0-9]{1,5}))?(/[A-Za-z0-9._~/-]*)?"
)


class Target(NamedTuple):
    """A reverse proxy, as a browser's address bar shows it."""

    scheme: str
    host: str
    port: int
    base_url: str
    """Begins and ends with a slash."""
    user: str
    """Whose server's path is requested, quoted for a URL."""
    cookie: Optional[str]
    ca_file: Optional[str]

    @property
    def is_address(self) -> bool:
        """Whether the host is an IP address, not a name."""
        return ":" in self.host or self.host.rpartition(".")[2].isdigit()

    @property
    def address(self) -> str:
        """Host and port."""
        return "%s:%d" % ("[%s]" % self.host if ":" in self.host else self.host, self.port)

    @property
    def authority(self) -> str:
        """Host and port, without the scheme's default port."""
        is_default = self.port == _DEFAULT_PORTS[self.scheme]
        return self.address.rpartition(":")[0] if is_default else self.address

    @property
    def origin(self) -> str:
        """The Origin that the proxy's own pages send."""
        return "%s://%s" % (self.scheme, self.authority)


def parse(url: str, user: Optional[str], cookie: Optional[str], ca_file: Optional[str]) -> Target:
    """Return the target. Raises ValueError for a URL that is not just scheme, host and path."""
    match = _URL.fullmatch(url)
    if not match:
        raise ValueError(
            "--url: expected https://NAME[:PORT]/ and the hub's base URL, found %r" % url
        )
    scheme, host, port, path = match.groups()
    number = int(port or _DEFAULT_PORTS[scheme])
    if not 0 < number < 65536:
        raise ValueError("--url: expected a port from 1 to 65535, found %d" % number)
    from urllib.parse import quote

    base_url = (path or "/").rstrip("/") + "/"
    name = quote(user or "jhpatch-check", safe="@~")
    return Target(scheme, host.strip("[]").lower(), number, base_url, name, cookie, ca_file)


def read_cookie(path: str) -> str:
    """Return the value of a Cookie header, as browsers' tools copy it. Raises ValueError."""
    try:
        with open(path, encoding="ascii") as file:
            text = re.sub("^cookie: *", "", file.read(_COOKIE_LENGTH).strip(), flags=re.I)
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError("--cookie-file: %s" % error)
    if not text or not text.isprintable():
        raise ValueError("--cookie-file: expected one line, name=value; name=value")
    return text
