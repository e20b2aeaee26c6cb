"""``jhpatch nginx check``: find problems in a reverse proxy's configuration or answers."""

import argparse
import re
from typing import Optional, Tuple

from jhpatch.errors import Usage, jhpatch_command
from jhpatch.report.result import Finding, Findings, Result, checked, worst_first

_CONFIG = "/etc/nginx/nginx.conf"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``nginx check``."""
    add = parser.add_argument
    add(
        "config",
        nargs="?",
        metavar="CONFIG|DIR",
        help="The nginx.conf, a site file, or a directory of them (default: %s)" % _CONFIG,
    )
    add(
        "--server-name",
        action="append",
        default=[],
        metavar="NAME",
        help="Check only the servers of this name; can be given more than once",
    )
    add(
        "--external-scheme",
        metavar="http|https",
        help="Name the scheme that browsers use, if another proxy terminates TLS in front of "
        "nginx",
    )
    add(
        "--nginx-version",
        metavar="VERSION",
        help="Assume that this version of nginx reads the configuration (default: that of the "
        "installed nginx)",
    )
    add(
        "--hub-version",
        metavar="VERSION",
        help="Assume that this version of JupyterHub is behind the reverse proxy",
    )
    add(
        "--url",
        metavar="URL",
        help="Check the answers of the running reverse proxy at https://NAME:PORT/ instead of a "
        "configuration",
    )
    add(
        "--user",
        metavar="NAME",
        help="With --url: request the path of this user's server (default: that of a user who "
        "does not exist)",
    )
    add(
        "--cookie-file",
        metavar="FILE",
        help="With --url: send the Cookie header in this file, as a user who has logged in",
    )
    add(
        "--ca",
        metavar="FILE",
        help="With --url: verify the certificate with the authorities in this file (default: "
        "those of this host)",
    )


def run(arguments: argparse.Namespace) -> Result:
    """Exit code 3: an error or a warning was found."""
    if arguments.url is None:
        for name in ("user", "cookie_file", "ca"):
            if getattr(arguments, name) is not None:
                raise _usage("--%s: expected --url too" % name.replace("_", "-"))
        findings, note = _check_configuration(arguments)
    elif arguments.config or any(getattr(arguments, name) for name in _OF_CONFIGURATIONS):
        raise _usage("--url: expected no CONFIG, and no option that is for a configuration")
    else:
        findings, note = _check_answers(arguments)
    findings = worst_first(findings)
    count = sum(finding.severity != "note" for finding in findings)
    note += ": " + _counted(count, "finding")
    return Result("nginx", Findings(findings), notes=(note,), own_exit_code=checked(findings))


_OF_CONFIGURATIONS = ("server_name", "external_scheme", "nginx_version", "hub_version")


def _counted(count: int, noun: str) -> str:
    return "%d %s%s" % (count, noun, "" if count == 1 else "es" if noun.endswith("s") else "s")


def _check_configuration(arguments: argparse.Namespace) -> Tuple[Tuple[Finding, ...], str]:
    from jhpatch.nginx import configuration as configurations
    from jhpatch.nginx import rules, syntax, version
    from jhpatch.nginx.servers import Deployment

    if arguments.external_scheme not in (None, "http", "https"):
        raise _usage("--external-scheme: expected http or https")
    named = _number("--nginx-version", arguments.nginx_version)
    deployment = Deployment(
        named, arguments.external_scheme, _number("--hub-version", arguments.hub_version)
    )
    configuration = configurations.read(arguments.config or _CONFIG)
    nginx = version.find()
    notes = () if nginx else tuple(map(_not_asked, version.untrusted()))
    if nginx is not None and named not in (None, nginx.number):
        nginx = None  # another nginx reads the configuration
    if nginx is not None:
        deployment = deployment._replace(version=nginx.number)
    broken = (*syntax.check(configuration, nginx), *notes)
    result = rules.check(configuration, tuple(arguments.server_name), deployment, broken)
    files = _counted(len(configuration.files), "file")
    return result.findings, "%s, %s" % (files, _counted(result.proxy_passes, "proxy_pass"))


def _not_asked(program: str) -> Finding:
    from jhpatch.nginx.findings import finding

    return finding("not-known", "jhpatch did not run " + program)


def _number(option: str, text: Optional[str]) -> Optional[Tuple[int, ...]]:
    if text is None:
        return None
    if not re.fullmatch(r"[0-9]{1,4}(\.[0-9]{1,4}){1,2}", text):
        raise _usage("%s: expected a version such as 1.22.1, found %r" % (option, text))
    return tuple(int(part) for part in text.split("."))


def _check_answers(arguments: argparse.Namespace) -> Tuple[Tuple[Finding, ...], str]:
    from jhpatch.nginx import probe, target

    try:
        cookie = target.read_cookie(arguments.cookie_file) if arguments.cookie_file else None
        address = target.parse(arguments.url, arguments.user, cookie, arguments.ca)
    except ValueError as error:
        raise _usage(str(error))
    return probe.probe(address), "checked " + arguments.url


def _usage(message: str) -> Usage:
    return Usage(message, next=jhpatch_command("nginx", "check", "--help"))
