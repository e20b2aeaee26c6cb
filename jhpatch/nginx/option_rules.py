"""Which values of a site exclude each other, and which a version of nginx does not support."""

from typing import Tuple

from jhpatch.nginx.site import Listen, ProxySite, Upstream


def check(
    site: ProxySite,
    version: Tuple[int, ...],
    listens: Tuple[Listen, ...],
    upstreams: Tuple[Upstream, ...],
) -> None:
    """Raise ValueError for values that cannot be combined; its message names the option."""
    if site.snippet is not None:
        _check_snippet(site)
    else:
        _check_tls(site, listens)
        _check_parts(site, version, listens)
    _check_lists(site, listens, upstreams)


def _check_lists(
    site: ProxySite, listens: Tuple[Listen, ...], upstreams: Tuple[Upstream, ...]
) -> None:
    names = site.server_names
    for option, values in (("server-name", names), ("upstream", upstreams), ("listen", listens)):
        if not values:
            raise ValueError("--%s: expected at least one" % option)
        if len(set(values)) != len(values):
            raise ValueError("--%s: the same value is given twice" % option)
    if len({upstream.tls for upstream in upstreams}) > 1:
        raise ValueError("--upstream: expected https:// for all or for none")


def _check_tls(site: ProxySite, listens: Tuple[Listen, ...]) -> None:
    names = site.server_names
    if site.certificates and len(site.certificates) not in (1, len(names)):
        raise ValueError("--certificate: expected one, or one for each of %d names" % len(names))
    if not site.certificates:
        if site.external_scheme is None:
            raise ValueError(
                "expected --certificate, or --external-scheme if another proxy terminates TLS"
            )
        if site.redirect_http or site.stapling or site.http3:
            raise ValueError("--redirect-http, --stapling and --http3 need --certificate")
    if site.hsts is not None and not site.certificates and site.external_scheme != "https":
        raise ValueError("--hsts: expected --certificate or --external-scheme https too")
    if site.redirect_http:
        ports = {listen.port for listen in listens if listen.port}
        if 80 in ports:
            raise ValueError("--redirect-http: expected no --listen on port 80")
        if len(ports) != 1:
            raise ValueError("--redirect-http: expected --listen with exactly one port")
    elif site.acme_webroot is not None:
        raise ValueError("--acme-webroot: expected --redirect-http too")


def _check_parts(site: ProxySite, version: Tuple[int, ...], listens: Tuple[Listen, ...]) -> None:
    if site.http3 and version < (1, 25, 0):
        raise ValueError("--http3: expected nginx 1.25 or later")
    if site.http3 and not any(listen.port for listen in listens):
        raise ValueError("--http3: expected a port in --listen")
    if site.http3 and site.proxy_protocol:
        raise ValueError("--http3: expected no --proxy-protocol, which works over TCP only")
    if site.proxy_protocol and not site.trusted_proxies:
        raise ValueError(
            "--proxy-protocol: expected --trusted-proxy too, the address of the sender"
        )
    if site.health_check is not None and (site.certificates or not site.default_server):
        raise ValueError(
            "--health-check: expected no --certificate and no --no-default-server, because a "
            "check by address names no host"
        )


def _check_snippet(site: ProxySite) -> None:
    """Refuse options that belong in the existing server."""
    for option, value in (
        ("--certificate", site.certificates),
        ("--redirect-http", site.redirect_http),
        ("--hsts", site.hsts is not None),
        ("--stapling", site.stapling),
        ("--acme-webroot", site.acme_webroot),
        ("--health-check", site.health_check),
        ("--proxy-protocol", site.proxy_protocol),
        ("--trusted-proxy", site.trusted_proxies),
    ):
        if value:
            raise ValueError(
                "--snippet: expected no %s, which belongs in the existing server" % option
            )
