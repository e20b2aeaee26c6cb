"""``jhpatch nginx``: writes the reverse proxy's site file, and checks the one that is there."""

import argparse
import os
from typing import Any, Dict, List, Optional, Tuple

from jhpatch.commands.arguments import add_output_options
from jhpatch.errors import NextStep, Usage, jhpatch_command, shell_command
from jhpatch.nginx import site_file
from jhpatch.nginx.site_file import Front
from jhpatch.patchset import unified_diff
from jhpatch.report.result import Error, Finding, Findings, RenderedSite, Result, SiteFile, checked

_CONFIG = "/etc/nginx/nginx.conf"
_YEARS = 63072000  # Mozilla's two, in seconds


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of ``nginx render`` and ``nginx check``."""
    below = parser.add_subparsers(dest="what", metavar="WHAT")
    for name, purpose, add in (
        ("render", "write the site file of a front that works and is safe", _add_render),
        ("check", "what is wrong with a front: its configuration, or its answers", _add_check),
    ):
        one = below.add_parser(
            name,
            help=purpose,
            description=purpose,
            formatter_class=parser.formatter_class,
            allow_abbrev=False,
        )
        add(one)
        add_output_options(one)


def _add_render(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    several: Dict[str, Any] = {"action": "append", "default": []}
    add("--server-name", metavar="NAME", help="a name of the front; may repeat", **several)
    add(
        "--listen",
        metavar="PORT|ADDRESS:PORT",
        help="may repeat; [::]:443 for IPv6 (default: 443 and [::]:443)",
        **several,
    )
    add(
        "--upstream",
        metavar="HOST:PORT",
        help="where the hub's proxy listens, https:// where it speaks TLS, or unix:/PATH; "
        "those after the first are asked when it does not answer",
        **several,
    )
    add("--certificate", metavar="FILE", help="one for all names, or one each", **several)
    add("--certificate-key", metavar="FILE", help="one for each --certificate", **several)
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
        const=_YEARS,
        metavar="SECONDS",
        help="browsers refuse plain http for so long (default: two years)",
    )
    add("--stapling", metavar="RESOLVER", help="OCSP stapling, by this name server's address")
    add("--max-body", default="100m", metavar="SIZE", help="the largest save (default: 100m)")
    add("--read-timeout", default="1d", metavar="TIME", help="of a websocket (default: 1d)")
    add("--base-url", default="/", metavar="PATH", help="c.JupyterHub.base_url (default: /)")
    add(
        "--upstream-ca",
        default=site_file.CA,
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
    """render, 0: written or shown, 5: another's file is there; check, 3: something is wrong."""
    if arguments.what == "render":
        return _render(arguments)
    if arguments.what == "check":
        return _check(arguments)
    raise Usage(
        "nginx: what?", expected="render or check", next=jhpatch_command("nginx", "--help")
    )


# render


def _render(arguments: argparse.Namespace) -> Result:
    from jhpatch.nginx import output

    if arguments.dry_run and not arguments.output:
        raise _usage("--dry-run: expected --output too", "render")
    try:
        text = site_file.render(_front(arguments))
    except ValueError as error:
        raise _usage(str(error), "render")
    path, new = arguments.output, text.encode("ascii")
    if path is None:
        return Result("nginx", RenderedSite(SiteFile(None, text, "")))
    old = output.read(path)
    one = SiteFile(path, text, unified_diff.diff(os.path.basename(path), old, new))
    if old is not None and old != new and not site_file.is_ours(old):
        return Result(
            "nginx",
            RenderedSite(one),
            dry_run=arguments.dry_run,
            own_exit_code=5,
            error=Error(
                "refused",
                "will not write over what somebody else wrote, or changed; the diff is what "
                "would have changed",
                path,
                "a file that nginx render wrote",
                "another",
                shell_command("mv", path, path + ".old") + ", then the same command",
            ),
        )
    changes = old != new
    if changes and not arguments.dry_run:
        output.write(path, new, old)
    then = (
        NextStep("nginx -t && systemctl reload nginx")
        if changes and not arguments.dry_run
        else None
    )
    return Result(
        "nginx",
        RenderedSite(one),
        dry_run=arguments.dry_run,
        changed=changes and not arguments.dry_run,
        would_change=changes and arguments.dry_run,
        notes=(_done(path, changes, arguments.dry_run),),
        next=then,
    )


def _done(path: str, changes: bool, dry_run: bool) -> str:
    if not changes:
        return "nothing to do: %s is so already" % path
    return "%s %s" % ("would write" if dry_run else "wrote", path)


def _front(arguments: argparse.Namespace) -> Front:
    """The values as they were typed."""
    version = arguments.nginx_version
    if version is None:
        from jhpatch.nginx import version as versions

        version = versions.version()
        if version is None:
            raise _usage("no nginx here says its version: expected --nginx-version", "render")
    if len(arguments.certificate) != len(arguments.certificate_key):
        raise _usage("expected as many --certificate-key as --certificate", "render")
    return Front(
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


def _usage(message: str, what: str) -> Usage:
    return Usage(message, next=jhpatch_command("nginx", what, "--help"))


# check


def _check(arguments: argparse.Namespace) -> Result:
    if arguments.url is None:
        for name in ("user", "cookie_file", "ca"):
            if getattr(arguments, name) is not None:
                raise _usage("--%s: expected --url too" % name.replace("_", "-"), "check")
        return _judged(*_of_configuration(arguments.config or _CONFIG, arguments.server_name))
    if arguments.config or arguments.server_name:
        raise _usage("--url: expected no configuration beside it", "check")
    return _judged(*_of_answers(arguments))


def _of_configuration(path: str, names: List[str]) -> Tuple[Tuple[Finding, ...], str]:
    from jhpatch.nginx import parser as parsers
    from jhpatch.nginx import rules

    tree = parsers.read(path)
    found = rules.judged(tree, tuple(names))
    return found.findings, "%d files, %d places that pass requests on" % (
        len(tree.files),
        found.places,
    )


def _of_answers(arguments: argparse.Namespace) -> Tuple[Tuple[Finding, ...], str]:
    from jhpatch.nginx import probe

    cookie: Optional[str] = None
    try:
        if arguments.cookie_file:
            cookie = probe.cookie(arguments.cookie_file)
        target = probe.target(arguments.url, arguments.user, cookie, arguments.ca)
    except ValueError as error:
        raise _usage(str(error), "check")
    return probe.asked(target), "asked " + arguments.url


def _judged(rows: Tuple[Finding, ...], note: str) -> Result:
    bad = sum(row.severity != "note" for row in rows)
    words = "%s: %d finding%s" % (note, bad, "" if bad == 1 else "s")
    return Result("nginx", Findings(rows), notes=(words,), own_exit_code=checked(rows))
