"""A reverse proxy as render writes it, running in front of an upstream that tells what it got."""

import contextlib
import json
import re
import socket
import ssl

from jhpatch.nginx import version
from jhpatch.nginx.site_file import render
from testing import ports
from testing.nginx import Upstream, running
from tests.nginx.cases import HUB, TLS

UPGRADE = {"Connection": "Upgrade", "Upgrade": "websocket"}


def whole(data):
    """Whether an answer is all there."""
    head, end, body = data.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)\r\ncontent-length: (\d+)", head)
    return bool(end) and (b" 101 " in head[:14] or (length and len(body) >= int(length.group(1))))


class Proxy:
    """A running reverse proxy, and its upstream."""

    def __init__(self, upstream, port, tls=True):
        self.upstream = upstream
        self.port = port
        self.own = "hub.example.org:%d" % port
        self._tls = tls

    def ask(self, path="/hub/home", method="GET", host=None, body=b"", sni=None, **headers):
        """Status and body; status None where the connection was closed without an answer."""
        rows = ["%s %s HTTP/1.1" % (method, path), "Host: " + (host or self.own)]
        rows += ["%s: %s" % (name.replace("_", "-"), value) for name, value in headers.items()]
        rows += ["Content-Length: %d" % len(body)]
        rows += [] if "Connection" in headers else ["Connection: close"]
        try:
            with contextlib.closing(self._connection(sni or "hub.example.org")) as made:
                made.sendall(("\r\n".join(rows) + "\r\n\r\n").encode() + body)
                data = b""
                while not whole(data):
                    block = made.recv(65536)
                    if not block:
                        break
                    data += block
        except (ssl.SSLError, ConnectionError):
            return None, b""
        head, _, rest = data.partition(b"\r\n\r\n")
        return (int(head.split()[1]), rest) if head else (None, b"")

    def _connection(self, name):
        plain = socket.create_connection(("127.0.0.1", self.port), 10)
        if not self._tls:
            return plain
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context.wrap_socket(plain, server_hostname=name)

    def seen(self, **arguments):
        """The headers that the upstream got."""
        status, body = self.ask(**arguments)
        assert status == 200, (status, body)
        return json.loads(body.decode())


@contextlib.contextmanager
def proxy_of(folder, tls, kind=Upstream, wrap=lambda text: text, **values):
    """A reverse proxy of the case HUB with other values, on a free port.

    ``wrap`` makes a configuration of what render writes, and ``kind`` is the upstream.
    """
    (port,) = ports.free(1)
    with kind() as upstream:
        site = HUB._replace(
            server_names=("hub.example.org", "notebooks.example.com"),
            listens=("127.0.0.1:%d" % port,),
            upstreams=("127.0.0.1:%d" % upstream.port,),
            version=version.installed(),
        )._replace(**values)
        with running(wrap(render(site)).replace(TLS, tls), folder, port):
            yield Proxy(upstream, port, bool(site.certificates))
