"""Which server nginx chooses on a socket."""

from jhpatch.nginx.directives import Directive
from jhpatch.nginx.servers import servers_of
from jhpatch.nginx.sockets import Sockets


def line(name, *args, block=None):
    """A directive."""
    return Directive(name, args, "f", 1, block)


def server(listens, *names):
    """A server with these arguments of ``listen``, and these names."""
    rows = [line("listen", *args.split()) for args in listens] + [line("server_name", *names)]
    return line("server", block=tuple(rows))


def test_the_default_server():
    """It is the first one of a socket, or the one that is declared so."""
    servers = servers_of((server(["80"], "a"), server(["80 default_server", "81"], "b")))
    first, second = servers
    sockets = Sockets(servers)
    assert sockets.default_of(first.listens[0]) == (second, True)
    assert sockets.default_of(second.listens[1]) == (second, False)


def test_a_name_of_two_servers():
    """It is a conflict where they share a socket: nginx ignores the later one."""
    rows = (server(["80"], "a", "_"), server(["80", "81"], "a", "_"), server(["81"], "b"))
    servers = servers_of(rows)
    sockets = Sockets(servers)
    assert list(sockets.conflicts(servers[1])) == [("a", servers[0], servers[1])]
    assert list(sockets.conflicts(servers[2])) == []
