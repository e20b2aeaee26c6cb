"""A KDC proxy of the tests: MS-KKDCP, which is Kerberos in HTTPS."""

import http.server
import socket
import ssl
import struct
import threading
from typing import Any, Tuple


def _element(data: bytes) -> Tuple[bytes, bytes]:
    """Return the content of the first DER element, and what follows it."""
    size, at = data[1], 2
    if size & 0x80:
        at += size & 0x7F
        size = int.from_bytes(data[2:at], "big")
    return data[at : at + size], data[at + size :]


def _encoded(tag: int, content: bytes) -> bytes:
    size = len(content)
    if size < 0x80:
        return bytes([tag, size]) + content
    return bytes([tag, 0x82]) + struct.pack(">H", size) + content


class KdcProxy:
    """Passes the requests at 127.0.0.1, port 443, on to a KDC; ``with`` starts and stops it."""

    def __init__(self, certificate: str, key: str, kdc: Tuple[str, int]) -> None:
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                """Answer with the KDC's answer (KDC-PROXY-MESSAGE of MS-KKDCP 2.2.2)."""
                body = self.rfile.read(int(self.headers["Content-Length"]))
                message = _element(_element(_element(body)[0])[0])[0]
                with socket.create_connection(kdc) as stream:
                    stream.sendall(message)
                    answer = stream.makefile("rb")
                    size = answer.read(4)
                    data = size + answer.read(struct.unpack(">I", size)[0])
                body = _encoded(0x30, _encoded(0xA0, _encoded(0x04, data)))
                self.send_response(200)
                self.send_header("Content-Type", "application/kerberos")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *arguments: Any) -> None:
                """Log nothing."""

        self._server = http.server.HTTPServer(("127.0.0.1", 443), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)

    def __enter__(self) -> "KdcProxy":
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._server.server_close()
