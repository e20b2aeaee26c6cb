"""The values of a site that ``nginx render`` writes, as typed and as parsed."""

import os
from typing import Optional, Tuple

from jhpatch.namedtuple import NamedTuple

CA_FILE = "/etc/ssl/certs/ca-certificates.crt"
"""Debian's certificate authorities."""

RHEL_CA_FILE = "/etc/pki/tls/certs/ca-bundle.crt"
"""The certificate authorities of RHEL and its derivatives."""


def ca_file() -> str:
    """Return the path of this host's certificate authorities; Debian's if there is none."""
    return next(filter(os.path.isfile, (CA_FILE, RHEL_CA_FILE)), CA_FILE)


class ProxySite(NamedTuple):
    """A reverse proxy's site.

    ``certificates`` are pairs (certificate, key): one for all names, one for each name in the same
    order, or none behind a TLS terminator.
    """

    server_names: Tuple[str, ...]
    upstreams: Tuple[str, ...]
    version: str
    listens: Tuple[str, ...] = ("443", "[::]:443")
    certificates: Tuple[Tuple[str, str], ...] = ()
    external_scheme: Optional[str] = None
    redirect_http: bool = False
    hsts: Optional[int] = None
    """Seconds."""
    stapling: Optional[str] = None
    """The address of the name server that resolves the OCSP responder."""
    max_body: str = "100m"
    read_timeout: str = "1d"
    base_url: str = "/"
    upstream_ca: str = CA_FILE
    default_server: bool = True
    snippet: Optional[str] = None
    """``maps`` or ``locations``: only that part, for an existing server."""
    trusted_proxies: Tuple[str, ...] = ()
    """Addresses and networks that may report the user's address."""
    proxy_protocol: bool = False
    http3: bool = False
    acme_webroot: Optional[str] = None
    proxy_read_timeout: Optional[str] = None
    """For requests other than websockets and event streams; None: nginx's default of 60 s."""
    allow_origins: Tuple[str, ...] = ()
    """Other origins whose pages may use the API and websockets."""
    auth_request: Optional[str] = None
    """The URL of an authentication service such as oauth2-proxy."""
    health_check: Optional[str] = None
    """The path of a health check, which nginx answers for any name."""


class Listen(NamedTuple):
    """An address, empty for any, and a port; or a Unix socket, whose port is 0."""

    address: str
    port: int

    def __str__(self) -> str:
        if not self.port:
            return self.address
        return self.address + ":%d" % self.port if self.address else str(self.port)


class Upstream(NamedTuple):
    """A server to which nginx passes requests."""

    address: str
    host: str
    tls: bool


class CheckedSite(NamedTuple):
    """A site whose values have been checked."""

    site: ProxySite
    listens: Tuple[Listen, ...]
    upstreams: Tuple[Upstream, ...]
    version: Tuple[int, ...]
    prefix: str
    """Of the names that the file defines: nginx has one name space for all sites."""

    @property
    def tls(self) -> bool:
        """Whether nginx itself terminates TLS."""
        return bool(self.site.certificates)

    @property
    def scheme(self) -> str:
        """The scheme of the address that the browser shows."""
        return self.site.external_scheme or "$scheme"

    @property
    def host(self) -> str:
        """The variable with the name and the port in the browser's address."""
        return "$%s_host" % self.prefix if self.site.http3 else "$http_host"
