"""``jhpatch nginx``: write the site file of the reverse proxy, and check an existing one."""

import argparse
import os
from typing import Any, Dict, Tuple

from jhpatch.commands.arguments import add_output_options
from jhpatch.errors import NextStep, Usage, jhpatch_command, shell_command
from jhpatch.nginx.options import CA_FILE, ProxySite
from jhpatch.patchset import unified_diff
from jhpatch.report.result import Error, Finding, Findings, RenderedSite, Result, SiteFile, checked

_CONFIG = "/etc/nginx/nginx.conf"
_TWO_YEARS = 63072000  # seconds; Mozilla's recommendation for HSTS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of ``nginx render`` and ``nginx check``."""
    subparsers = parser.add_subparsers(dest="what", metavar="WHAT")
    for name, purpose, add_options in (
        ("render", "write the site file of a front that works and is safe", _add_render),
        ("check", "what is wrong with a front: its configuration, or its answers", _add_check),
    ):
        subparser = subparsers.add_parser(
            name,
            help=purpose,
            description=purpose,
            formatter_class=parser.formatter_class,
            allow_abbrev=False,
        )
        add_options(subparser)
        add_output_options(subparser)


def _add_render(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    repeatable: Dict[str, Any] = {"action": "append", "default": []}
    add("--server-name", metavar="NAME", help="a name of the front; may repeat", **repeatable)
    add(
        "--listen",
        metavar="PORT|ADDRESS:PORT",
        help="may repeat; [::]:443 for IPv6 (default: 443 and [::]:443)",
        **repeatable,
    )
    add(
        "--upstream",
        metavar="HOST:PORT",
        help="where the hub's proxy listens, https:// where it speaks TLS, or unix:/PATH; "
        "those after the first are asked when it does not answer",
        **repeatable,
    )
    add("--certificate", metavar="FILE", help="one for all names, or one each", **repeatable)
    add("--certificate-key", metavar="FILE", help="one for each --certificate", **repeatable)
    add(
        "--external-scheme",
        metavar="http|https",
        help="what browsers see, where something in front of nginx ends TLS",
    )
    add("--redirect-http", action="store_true", help="port 80 sends browsers to https")
    add(
        "--hsts",
        nargs="?",
        type=int,
        const=_TWO_YEARS,
        metavar="SECONDS",
        help="browsers refuse plain http for so long (default: two years)",
    )
    add("--stapling", metavar="RESOLVER", help="OCSP stapling, by this name server's address")
    add("--max-body", default="100m", metavar="SIZE", help="the largest save (default: 100m)")
    add("--read-timeout", default="1d", metavar="TIME", help="of a websocket (default: 1d)")
    add("--base-url", default="/", metavar="PATH", help="c.JupyterHub.base_url (default: /)")
    add(
        "--upstream-ca",
        default=CA_FILE,
        metavar="FILE",
        help="who vouches for an https:// upstream (default: Debian's authorities)",
    )
    add(
        "--no-default-server",
        action="store_true",
        help="another file closes what comes with an unknown name to these ports",
    )
    add(
        "--nginx-version",
        metavar="VERSION",
        help="the nginx that reads it (default: the one that is installed)",
    )
    add("--output", metavar="FILE", help="write it there, not over what others wrote")
    add("--dry-run", action="store_true", help="with --output: show the diff, write nothing")


def _add_check(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "config",
        nargs="?",
        metavar="CONFIG|DIR",
        help="nginx.conf, a site file, or a folder of them (default: %s)" % _CONFIG,
    )
    add(
        "--server-name",
        action="append",
        default=[],
        metavar="NAME",
        help="only the servers of this name; may repeat",
    )
    add("--url", metavar="URL", help="ask the front at https://NAME:PORT/ instead")
    add("--user", metavar="NAME", help="with --url: whose server's path is asked for")
    add(
        "--cookie-file",
        metavar="FILE",
        help="with --url: a browser's Cookie header, to ask as a user who has logged in",
    )
    add("--ca", metavar="FILE", help="with --url: who vouches for its certificate")


def run(arguments: argparse.Namespace) -> Result:
    """Exit code of render, 5: not jhpatch's file; of check, 3: an error or a warning."""
    if arguments.what == "render":
        return _render(arguments)
    if arguments.what == "check":
        return _check(arguments)
    raise Usage(
        "nginx: what?", expected="render or check", next=jhpatch_command("nginx", "--help")
    )


def _render(arguments: argparse.Namespace) -> Result:
    from jhpatch.nginx import output, site_file

    path, dry_run = arguments.output, arguments.dry_run
    if dry_run and not path:
        raise _usage("--dry-run: expected --output too", "render")
    try:
        text = site_file.render(_site(arguments))
    except ValueError as error:
        raise _usage(str(error), "render")
    if path is None:
        return Result("nginx", RenderedSite(SiteFile(None, text, "")))
    before, after = output.read(path), text.encode("ascii")
    diff = unified_diff.diff(os.path.basename(path), before, after)
    result = Result("nginx", RenderedSite(SiteFile(path, text, diff)), dry_run=dry_run)
    if before == after:
        return result._replace(notes=("nothing to do: %s is so already" % path,))
    if before is not None and not site_file.is_unchanged(before):
        return result._replace(own_exit_code=5, error=_not_ours(path))
    if dry_run:
        return result._replace(would_change=True, notes=("would write %s" % path,))
    output.write(path, after, before)
    reload = NextStep("nginx -t && systemctl reload nginx")
    return result._replace(changed=True, notes=("wrote %s" % path,), next=reload)


def _not_ours(path: str) -> Error:
    return Error(
        "refused",
        "will not write over what somebody else wrote, or changed; the diff is what would have "
        "changed",
        path,
        "a file that nginx render wrote",
        "another",
        shell_command("mv", path, path + ".old") + ", then the same command",
    )


def _site(arguments: argparse.Namespace) -> ProxySite:
    """Return the values as they were typed."""
    version = arguments.nginx_version
    if version is None:
        from jhpatch.nginx import version as nginx_version

        version = nginx_version.installed()
        if version is None:
            raise _usage("no nginx here says its version: expected --nginx-version", "render")
    if len(arguments.certificate) != len(arguments.certificate_key):
        raise _usage("expected as many --certificate-key as --certificate", "render")
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
        upstream_ca=arguments.upstream_ca,
        default_server=not arguments.no_default_server,
    )


def _check(arguments: argparse.Namespace) -> Result:
    if arguments.url is None:
        for name in ("user", "cookie_file", "ca"):
            if getattr(arguments, name) is not None:
                raise _usage("--%s: expected --url too" % name.replace("_", "-"), "check")
        findings, note = _check_configuration(arguments)
    elif arguments.config or arguments.server_name:
        raise _usage("--url: expected no configuration beside it", "check")
    else:
        findings, note = _check_answers(arguments)
    count = sum(finding.severity != "note" for finding in findings)
    note += ": %d finding%s" % (count, "" if count == 1 else "s")
    return Result("nginx", Findings(findings), notes=(note,), own_exit_code=checked(findings))


def _check_configuration(arguments: argparse.Namespace) -> Tuple[Tuple[Finding, ...], str]:
    from jhpatch.nginx import parser, rules

    configuration = parser.read(arguments.config or _CONFIG)
    result = rules.check(configuration, tuple(arguments.server_name))
    counts = (len(configuration.files), result.proxy_passes)
    return result.findings, "%d files, %d places that pass requests on" % counts


def _check_answers(arguments: argparse.Namespace) -> Tuple[Tuple[Finding, ...], str]:
    from jhpatch.nginx import probe, target

    try:
        cookie = target.read_cookie(arguments.cookie_file) if arguments.cookie_file else None
        address = target.parse(arguments.url, arguments.user, cookie, arguments.ca)
    except ValueError as error:
        raise _usage(str(error), "check")
    return probe.probe(address), "asked " + arguments.url


def _usage(message: str, action: str) -> Usage:
    return Usage(message, next=jhpatch_command("nginx", action, "--help"))
