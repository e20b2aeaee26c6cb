"""Which server nginx chooses on a socket: an index, because there may be many servers."""

from typing import Dict, Iterator, List, Sequence, Tuple

from jhpatch.nginx.servers import Listen, Server


class Sockets:
    """The servers by socket, and by socket and name."""

    def __init__(self, servers: Sequence[Server]) -> None:
        self._defaults: Dict[str, Tuple[Server, bool]] = {}
        self._owners: Dict[Tuple[str, str], List[Server]] = {}
        for server in servers:
            for listen in server.listens:
                socket = listen.socket
                _, is_declared = self._defaults.get(socket, (server, False))
                if socket not in self._defaults or (listen.is_default and not is_declared):
                    self._defaults[socket] = (server, listen.is_default)
            for key in _keys(server):
                self._owners.setdefault(key, []).append(server)

    def default_of(self, listen: Listen) -> Tuple[Server, bool]:
        """Return the default server of a socket, and whether it is declared as such."""
        return self._defaults[listen.socket]

    def conflicts(self, server: Server) -> Iterator[Tuple[str, Server, Server]]:
        """Yield the names that this server shares: the name, the first server, a later one."""
        for key in _keys(server):
            first, *later = self._owners[key]
            if first is not server:
                later = [server]
            for other in later:
                yield key[1], first, other


def _keys(server: Server) -> List[Tuple[str, str]]:
    sockets = sorted({listen.socket for listen in server.listens})
    names = sorted(set(server.names) - {"_", ""})
    return [(socket, name) for name in names for socket in sockets]
