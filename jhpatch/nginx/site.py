"""The values of a site that ``nginx render`` writes, as typed and as parsed."""

import os
from typing import Optional, Tuple

from jhpatch.namedtuple import NamedTuple

CA_FILE = "/etc/ssl/certs/ca-certificates.crt"
"""Debian's certificate authorities."""

RHEL_CA_FILE = "/etc/pki/tls/certs/ca-bundle.crt"
"""Those of RHEL and of the systems like it."""


def ca_file() -> str:
    """The file with the certificate authorities of this host; Debian's if there is none."""
    return next(filter(os.path.isfile, (CA_FILE, RHEL_CA_FILE)), CA_FILE)


class ProxySite(NamedTuple):
    """A reverse proxy's site. ``certificates`` are (certificate, key): one for all names,
    one for each in their order, or none behind a TLS terminator."""

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
    """``maps`` or ``locations``: that part alone, for a server that exists."""
    trusted_proxies: Tuple[str, ...] = ()
    """Addresses and networks whose word about the user's address counts."""
    proxy_protocol: bool = False
    http3: bool = False
    acme_webroot: Optional[str] = None
    proxy_read_timeout: Optional[str] = None
    """Of requests that are no websockets and no streams; nginx's 60 s if None."""
    allow_origins: Tuple[str, ...] = ()
    """Other origins whose pages may use the API and websockets."""
    auth_request: Optional[str] = None
    """The URL of an authentication service such as oauth2-proxy."""
    health_check: Optional[str] = None
    """The path that is answered for any name."""


class Listen(NamedTuple):
    """An address, empty for any, and a port; or a Unix socket, whose port is 0."""

    address: str
    port: int

    def __str__(self) -> str:
        if not self.port:
            return self.address
        return self.address + ":%d" % self.port if self.address else str(self.port)


class Upstream(NamedTuple):
    """A server that requests are passed to."""

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
        """The name and port that the browser's address has."""
        return "$%s_host" % self.prefix if self.site.http3 else "$http_host"
