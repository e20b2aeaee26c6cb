"""A package index on loopback, with small wheels of the tests' own, for a real pip."""

import base64
import contextlib
import hashlib
import http.server
import os
import threading
import zipfile
from typing import Any, Collection, Dict, Iterator


def made_wheel(folder: str, name: str, version: str, files: Dict[str, bytes]) -> str:
    """Make a wheel (PEP 427) of ``files``, with a true RECORD; return its path."""
    os.makedirs(folder, exist_ok=True)
    info = "%s-%s.dist-info" % (name, version)
    whole = dict(files)
    metadata = "Metadata-Version: 2.1\nName: %s\nVersion: %s\n" % (name, version)
    whole[info + "/METADATA"] = metadata.encode()
    tags = "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    whole[info + "/WHEEL"] = tags.encode()
    rows = []
    for path, data in sorted(whole.items()):
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        rows.append("%s,sha256=%s,%d\n" % (path, digest, len(data)))
    whole[info + "/RECORD"] = "".join(rows + [info + "/RECORD,,\n"]).encode()
    made = os.path.join(folder, "%s-%s-py3-none-any.whl" % (name, version))
    with zipfile.ZipFile(made, "w") as archive:
        for path, data in whole.items():
            archive.writestr(path, data)
    return made


@contextlib.contextmanager
def serving(folder: str, yanked: Collection[str] = ()) -> Iterator[str]:
    """Serve the wheels in ``folder`` as a simple index (PEP 503); gives its address.

    ``yanked`` are releases that their authors have withdrawn (PEP 592).
    """

    class Handler(http.server.SimpleHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = self.path.strip("/").split("/")
            if parts[0] == "files":
                self._send(os.path.join(folder, parts[1]))
                return
            names = [name for name in sorted(os.listdir(folder)) if name.endswith(".whl")]
            ours = [name for name in names if name.split("-")[0].replace("_", "-") == parts[1]]
            if not ours:
                self.send_error(404)
                return
            links = "".join(
                '<a href="/files/%s"%s>%s</a>\n'
                % (name, ' data-yanked=""' * (name.split("-")[1] in yanked), name)
                for name in ours
            )
            self._answer(("<!DOCTYPE html><html><body>%s</body></html>" % links).encode())

        def _send(self, path: str) -> None:
            with open(path, "rb") as file:
                self._answer(file.read(), "application/octet-stream")

        def _answer(self, data: bytes, kind: str = "text/html") -> None:
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *arguments: Any) -> None:
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield "http://127.0.0.1:%d/simple" % server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
