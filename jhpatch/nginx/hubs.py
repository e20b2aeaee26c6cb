"""Which servers belong to a hub; the check omits the others."""

import re
from typing import List, Sequence, Set

from jhpatch.nginx.proxy_passes import address_of
from jhpatch.nginx.servers import Server

_PATH = re.compile(r"(?i)jupyter|(^|[/(|^])hub(?![a-z0-9_-])")
_NAME = re.compile(r"(?i)jupyter|notebook|(^|[^a-z])j?hub")
"""Of a server or an upstream."""


def hubs_of(servers: Sequence[Server]) -> List[Server]:
    """Return the servers that lead to a hub, as far as it is known.

    If one clearly belongs to a hub, servers that lead to other addresses do not. A server without
    a ``proxy_pass`` is omitted.
    """
    rows = [server for server in servers if server.proxy_passes]
    addresses: Set[str] = set()
    for server in rows:
        if _is_clear(server):
            addresses.update(address_of(one) for one in server.proxy_passes)
    if not addresses:
        return rows
    return [row for row in rows if addresses & {address_of(one) for one in row.proxy_passes}]


def _is_clear(server: Server) -> bool:
    is_named = any(_NAME.search(name) for name in server.names)
    return any(
        one.has_upgrade
        or _PATH.search(one.path)
        or _NAME.search(address_of(one))
        or (is_named and one.path == "/")
        for one in server.proxy_passes
    )
