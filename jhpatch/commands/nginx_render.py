"""``jhpatch nginx render``: write the site file of the reverse proxy."""

import argparse
import os
from typing import Any, Dict

from jhpatch.errors import NextStep, Usage, jhpatch_command
from jhpatch.nginx.site import CA_FILE, RHEL_CA_FILE, ProxySite, ca_file
from jhpatch.patchset import unified_diff
from jhpatch.report.result import Error, RenderedSite, Result, SiteFile

_TWO_YEARS = 63072000  # seconds; Mozilla's recommendation for HSTS


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``nginx render``."""
    add = parser.add_argument
    repeatable: Dict[str, Any] = {"action": "append", "default": []}
    add(
        "--server-name",
        metavar="NAME",
        help="Serve the site under this name; required; can be given more than once",
        **repeatable,
    )
    add(
        "--listen",
        metavar="PORT|ADDRESS:PORT",
        help="Listen on this port or address, such as 443, [::]:443 or unix:/PATH; can be given "
        "more than once (default: 443 and [::]:443)",
        **repeatable,
    )
    add(
        "--upstream",
        metavar="HOST:PORT",
        help="Pass requests to the hub's proxy at this address, https://HOST:PORT if it uses TLS, "
        "or unix:/PATH; required; can be given more than once: nginx uses the others if the "
        "first does not answer",
        **repeatable,
    )
    add(
        "--certificate",
        metavar="FILE",
        help="Use this certificate for all names, or give one for each --server-name, in the same "
        "order; required unless --external-scheme or --snippet is given; can be given more than "
        "once",
        **repeatable,
    )
    add(
        "--certificate-key",
        metavar="FILE",
        help="Use this key for the certificate in the same position; can be given more than once",
        **repeatable,
    )
    add(
        "--external-scheme",
        metavar="http|https",
        help="Name the scheme that browsers use, if another proxy terminates TLS in front of "
        "nginx",
    )
    text = "With --certificate: redirect requests to port 80 to https"
    add("--redirect-http", action="store_true", help=text)
    add(
        "--hsts",
        nargs="?",
        type=int,
        const=_TWO_YEARS,
        metavar="SECONDS",
        help="Have browsers refuse plain http for this long (default without a value: two years)",
    )
    add(
        "--stapling",
        metavar="RESOLVER",
        help="With --certificate: use OCSP stapling with the name server at this address",
    )
    add(
        "--max-body",
        default="100m",
        metavar="SIZE",
        help="Accept requests of up to this size, such as a saved notebook (default: 100m)",
    )
    add(
        "--read-timeout",
        default="1d",
        metavar="TIME",
        help="Close a websocket or an event stream that is idle for this long (default: 1d)",
    )
    add(
        "--base-url",
        default="/",
        metavar="PATH",
        help="Serve the hub at this path, its c.JupyterHub.base_url (default: /)",
    )
    add(
        "--proxy-read-timeout",
        metavar="TIME",
        help="Wait this long for the answer to a request that is not a websocket or an event "
        "stream (default: nginx's 60s)",
    )
    add(
        "--snippet",
        metavar="maps|locations",
        help="Write only a part: maps for the http block, or locations for an existing server",
    )
    add(
        "--trusted-proxy",
        metavar="ADDRESS|CIDR",
        help="Trust the client address that this host or network in front of nginx reports; can "
        "be given more than once",
        **repeatable,
    )
    add(
        "--proxy-protocol",
        action="store_true",
        help="With --trusted-proxy: expect the PROXY protocol on each --listen address",
    )
    add(
        "--health-check",
        metavar="PATH",
        help="Answer requests for this path with 200 under any other host name, because load "
        "balancers check by address; not with --certificate or --no-default-server",
    )
    text = "With --certificate: accept HTTP/3, too, on the same ports"
    add("--http3", action="store_true", help=text)
    add(
        "--acme-webroot",
        metavar="DIR",
        help="With --redirect-http: serve /.well-known/acme-challenge/ from this directory",
    )
    add(
        "--allow-origin",
        metavar="ORIGIN",
        help="Let pages of this other origin use the hub; c.ServerApp.allow_origin must name it, "
        "too; can be given more than once",
        **repeatable,
    )
    add(
        "--auth-request",
        metavar="URL",
        help="Authenticate requests with oauth2-proxy at http://HOST:PORT",
    )
    add(
        "--upstream-ca",
        metavar="FILE",
        help="Verify an https:// upstream with the authorities in this file (default: %s, or %s "
        "on RHEL-like systems)" % (CA_FILE, RHEL_CA_FILE),
    )
    add(
        "--no-default-server",
        action="store_true",
        help="Write no default server, because another file refuses requests for unknown names",
    )
    add(
        "--nginx-version",
        metavar="VERSION",
        help="Write for this version of nginx (default: the installed one)",
    )
    add(
        "--output",
        metavar="FILE",
        help="Write to this file, but never over one that jhpatch did not write (default: "
        "standard output)",
    )
    add("--dry-run", action="store_true", help="With --output: show the diff; write nothing")


def run(arguments: argparse.Namespace) -> Result:
    """Exit code 5: jhpatch did not write the file, or the file was changed since."""
    from jhpatch.nginx import output, site_file

    path, dry_run = arguments.output, arguments.dry_run
    if dry_run and not path:
        raise _usage("--dry-run: expected --output too")
    try:
        text = site_file.render(site_of(arguments))
    except ValueError as error:
        raise _usage(str(error))
    if path is None:
        return Result("nginx", RenderedSite(SiteFile(None, text, "")))
    before, after = output.read(path), text.encode("ascii")
    diff = unified_diff.diff(os.path.basename(path), before, after)
    result = Result("nginx", RenderedSite(SiteFile(path, text, diff)), dry_run=dry_run)
    if before == after:
        return result._replace(notes=("nothing to do: %s is up to date" % path,))
    if before is not None and not site_file.is_unchanged(before):
        return result._replace(own_exit_code=5, error=_not_ours(path))
    if dry_run:
        return result._replace(would_change=True, notes=("would write %s" % path,))
    output.write(path, after, before)
    reload = NextStep("check the configuration with nginx -t, then reload nginx")
    return result._replace(changed=True, notes=("wrote %s" % path,), next=reload)


def _not_ours(path: str) -> Error:
    return Error(
        "refused",
        "jhpatch does not overwrite a file that it did not write, or that was changed since; the "
        "diff shows the difference",
        path,
        "an unchanged file that nginx render wrote",
        "a file that was written or changed without jhpatch",
        # If nginx includes sites-enabled/*, it would also read a backup beside the file.
        NextStep(
            "move %s to a directory that nginx does not include; then run the same command again"
            % path
        ),
    )


def site_of(arguments: argparse.Namespace) -> ProxySite:
    """Return the values of the command line, unchecked. Raises Usage."""
    version = arguments.nginx_version
    if version is None:
        from jhpatch.nginx import version as nginx_version

        version = nginx_version.installed()
        if version is None:
            others = "".join("; jhpatch did not run " + row for row in nginx_version.untrusted())
            raise _usage(
                "expected --nginx-version, because the version of nginx is unknown" + others
            )
    if len(arguments.certificate) != len(arguments.certificate_key):
        raise _usage("expected as many --certificate-key as --certificate")
    return ProxySite(
        server_names=tuple(arguments.server_name),
        upstreams=tuple(arguments.upstream),
        version=version,
        listens=tuple(arguments.listen) or ("443", "[::]:443"),
        certificates=tuple(zip(arguments.certificate, arguments.certificate_key)),
        external_scheme=arguments.external_scheme,
        redirect_http=arguments.redirect_http,
        hsts=arguments.hsts,
        stapling=arguments.stapling,
        max_body=arguments.max_body,
        read_timeout=arguments.read_timeout,
        base_url=arguments.base_url,
        upstream_ca=ca_file() if arguments.upstream_ca is None else arguments.upstream_ca,
        default_server=not arguments.no_default_server,
        snippet=arguments.snippet,
        trusted_proxies=tuple(arguments.trusted_proxy),
        proxy_protocol=arguments.proxy_protocol,
        http3=arguments.http3,
        acme_webroot=arguments.acme_webroot,
        proxy_read_timeout=arguments.proxy_read_timeout,
        allow_origins=tuple(arguments.allow_origin),
        auth_request=arguments.auth_request,
        health_check=arguments.health_check,
    )


def _usage(message: str) -> Usage:
    return Usage(message, next=jhpatch_command("nginx", "render", "--help"))
