"""What is wrong in a configuration of nginx for a hub behind it: directives in, findings out."""

from typing import Dict, Iterator, List, Optional, Tuple

from jhpatch.errors import Failed, jhpatch_command
from jhpatch.namedtuple import NamedTuple
from jhpatch.nginx import (
    location_rules,
    name_rules,
    passing_rules,
    request_rules,
    response_rules,
    tls_rules,
    websocket_rules,
)
from jhpatch.nginx.configuration import Configuration
from jhpatch.nginx.directives import walk
from jhpatch.nginx.hubs import hubs_of
from jhpatch.nginx.servers import UNKNOWN, Deployment, Server, name_matches, servers_of
from jhpatch.nginx.sockets import Sockets
from jhpatch.report.result import Finding


class RuleFindings(NamedTuple):
    """The findings, and the number of ``proxy_pass`` directives that were checked."""

    findings: Tuple[Finding, ...]
    proxy_passes: int


def check(
    configuration: Configuration,
    names: Tuple[str, ...] = (),
    deployment: Deployment = UNKNOWN,
    broken: Tuple[Finding, ...] = (),
) -> RuleFindings:
    """Return all findings, or those about the servers of these names.

    ``broken`` is what nginx refuses; a server with such a finding is not checked further. Raises
    Failed if no such server has a ``proxy_pass``, and nothing but notes was found.
    """
    findings = list(configuration.findings + broken)
    servers = servers_of(configuration.directives)
    asked = [one for one in servers if _is_checked(one, configuration, names)]
    checked = asked
    if not names:  # a server that the user names is checked in any case
        hubs = {id(one) for one in hubs_of(servers)}
        checked = [one for one in asked if id(one) in hubs] or asked
    for block in configuration.streams:
        findings += websocket_rules.check_stream(block)
    if not checked and not any(row.severity != "note" for row in findings):
        raise _nothing(configuration, names, len(servers))
    sockets = Sockets(servers)
    broken_places = {row.path for row in findings if row.code == "config-broken"}
    for server in checked:
        if not any(one.place in broken_places for one in walk((server.block,))):
            findings += _findings(server, sockets, deployment)
    # The first of each code and place, in the order of the checks.
    unique: Dict[Tuple[str, Optional[str]], Finding] = {}
    for row in findings:
        unique.setdefault((row.code, row.path), row)
    return RuleFindings(
        tuple(unique.values()), sum(len(server.proxy_passes) for server in checked)
    )


def _is_checked(server: Server, configuration: Configuration, names: Tuple[str, ...]) -> bool:
    is_named = not names or any(
        name_matches(pattern, name) for pattern in server.names for name in names
    )
    return bool(server.proxy_passes) and is_named and configuration.concerns(server.block)


def _findings(server: Server, sockets: Sockets, deployment: Deployment) -> Iterator[Finding]:
    yield from request_rules.check(server, deployment)
    yield from location_rules.check(server)
    yield from websocket_rules.check(server, deployment)
    yield from response_rules.check(server)
    yield from passing_rules.check(server)
    yield from tls_rules.check(server, sockets, deployment)
    yield from name_rules.check(server, sockets, deployment)


def _nothing(configuration: Configuration, names: Tuple[str, ...], count: int) -> Failed:
    found = "%d server%s" % (count, "" if count == 1 else "s")
    of_names = " of %s" % " or ".join(names) if names else ""
    blocks: List[str] = []
    if configuration.streams:
        blocks.append("a stream block, which passes connections on without reading them")
    if any(one.name.endswith(":") for one in configuration.directives):
        blocks.append("a file in another language, such as YAML")
    return Failed(
        "no server%s passes requests to an upstream" % (of_names or " of the configuration"),
        path=configuration.files[0],
        expected="proxy_pass in a server%s, in a file that this configuration includes "
        "(Debian: sites-enabled)" % of_names,
        found=", ".join([found, *blocks]),
        next=jhpatch_command("nginx", "check", "CONFIG"),
    )
