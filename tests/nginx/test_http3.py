"""HTTP/3 as render writes it: live, where nginx has it and aioquic is installed."""

import asyncio
import json
import ssl

import pytest

from testing.nginx import has_http3, with_nginx
from tests.nginx.proxies import proxy_of

pytest.importorskip("aioquic", reason="no client of HTTP/3: pip install aioquic")
pytestmark = [
    with_nginx,
    pytest.mark.skipif(not has_http3(), reason="this nginx has no HTTP/3"),
]


def asked(port, path, **headers):
    """The status and the body of a GET over HTTP/3."""
    from aioquic.asyncio.client import connect
    from aioquic.asyncio.protocol import QuicConnectionProtocol
    from aioquic.h3.connection import H3_ALPN, H3Connection
    from aioquic.h3.events import DataReceived, HeadersReceived
    from aioquic.quic.configuration import QuicConfiguration

    class Client(QuicConnectionProtocol):
        def __init__(self, *args, **values):
            super().__init__(*args, **values)
            self.http = H3Connection(self._quic)
            self.head, self.body = {}, b""
            self.end = asyncio.get_running_loop().create_future()

        def quic_event_received(self, event):
            for row in self.http.handle_event(event):
                if isinstance(row, HeadersReceived):
                    self.head = dict(row.headers)
                elif isinstance(row, DataReceived):
                    self.body += row.data
                if getattr(row, "stream_ended", False) and not self.end.done():
                    self.end.set_result(None)

    async def get():
        configuration = QuicConfiguration(
            is_client=True,
            alpn_protocols=H3_ALPN,
            verify_mode=ssl.CERT_NONE,
            server_name="hub.example.org",
        )
        values = {"configuration": configuration, "create_protocol": Client}
        async with connect("127.0.0.1", port, **values) as client:
            rows = [(":method", "GET"), (":scheme", "https"), (":path", path)]
            rows += [(":authority", "hub.example.org:%d" % port), *headers.items()]
            stream = client._quic.get_next_available_stream_id()
            encoded = [(name.encode(), value.encode()) for name, value in rows]
            client.http.send_headers(stream, encoded, end_stream=True)
            client.transmit()
            await asyncio.wait_for(client.end, 30)
            return int(client.head[b":status"]), client.body

    return asyncio.run(get())


def test_a_request_over_http3(tmp_path, certificates):
    """Its Host contains the port, which there is no Host header for; foreign pages are refused."""
    with proxy_of(tmp_path, certificates, http3=True) as proxy:
        own = {"origin": "https://" + proxy.own}
        status, body = asked(proxy.port, "/user/a/api/contents", **own)
        seen = json.loads(body.decode())
        assert (status, seen["host"], seen["origin"]) == (200, proxy.own, own["origin"])
        assert seen["x-forwarded-host"] == proxy.own and seen["x-forwarded-proto"] == "https"
        before = len(proxy.upstream.requests)
        assert asked(proxy.port, "/user/a/api/contents", origin="https://evil.example")[0] == 403
        assert len(proxy.upstream.requests) == before
        assert proxy.ask("/hub/home")[0] == 200


def test_a_host_header_of_http1_is_empty_there(tmp_path, certificates):
    """What check warns of: the upstream gets no Host, or refuses the request."""

    def wrap(text):
        prefix = text.partition("upstream ")[2].partition(" ")[0]
        assert "proxy_set_header Host $%s_host;" % prefix in text
        return text.replace(
            "proxy_set_header Host $%s_host;" % prefix, "proxy_set_header Host $http_host;"
        )

    with proxy_of(tmp_path, certificates, http3=True, wrap=wrap) as proxy:
        status, body = asked(proxy.port, "/hub/home")
        assert status != 200 or "host" not in json.loads(body.decode())
