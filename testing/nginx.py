"""A real nginx: in a network of its own, on the ports that a file names, or on this host."""

import contextlib
import http.server
import json
import os
import shutil
import socket
import socketserver
import subprocess
import threading
import time

import pytest

NGINX = os.environ.get("JHPATCH_NGINX") or shutil.which(
    "nginx", path=os.environ.get("PATH", "") + ":/usr/sbin"
)
"""The program; JHPATCH_NGINX names another one than the host's."""
_OWN_NETWORK = ["unshare", "--net"] + ([] if os.geteuid() == 0 else ["--map-root-user"])


def _missing():
    if not NGINX or not shutil.which("openssl"):
        return "no nginx, or no openssl"
    done = subprocess.run(_OWN_NETWORK + ["true"], stderr=subprocess.DEVNULL)
    return "no right to make a network" if done.returncode else ""


MISSING = _missing()
with_nginx = pytest.mark.skipif(bool(MISSING), reason=MISSING or "-")


def has_http3():
    """Whether the nginx was built with HTTP/3."""
    if not NGINX:
        return False
    done = subprocess.run([NGINX, "-V"], stderr=subprocess.PIPE)
    return b"http_v3_module" in done.stderr


MAIN = """
pid %(folder)s/nginx.pid;
error_log stderr warn;
events {}
http {
    access_log off;
    client_body_temp_path %(folder)s/body;
    proxy_temp_path %(folder)s/proxy;
    fastcgi_temp_path %(folder)s/fastcgi;
    uwsgi_temp_path %(folder)s/uwsgi;
    scgi_temp_path %(folder)s/scgi;
    include %(folder)s/site.conf;
}
"""


def judged_by_nginx(text, folder):
    """Return the exit code of ``nginx -t`` for a site file, and its warnings and errors."""
    with open(os.path.join(str(folder), "site.conf"), "w") as file:
        file.write(text)
    main = os.path.join(str(folder), "nginx.conf")
    with open(main, "w") as file:
        # Without root's rights here, nginx has them in its own network, for no other user.
        file.write(("" if os.geteuid() == 0 else "user root;\n") + MAIN % {"folder": folder})
    script = 'ip link set lo up; exec "$0" -t -q -c "$1"'
    done = subprocess.run(
        _OWN_NETWORK + ["sh", "-c", script, NGINX, main],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    said = done.stdout.decode().splitlines()
    # Our certificates have no responder.
    return done.returncode, [line for line in said if '"ssl_stapling" ignored' not in line]


def certificate(folder, name, *names, days=90):
    """Make a key and a self-signed certificate for these names; return the certificate's path."""
    alt = ",".join("DNS:" + one for one in names)
    argv = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes".split()
    argv += ["-subj", "/CN=" + names[0], "-addext", "subjectAltName=" + alt, "-days", str(days)]
    stem = os.path.join(str(folder), name)
    argv += ["-keyout", stem + ".key", "-out", stem + ".pem"]
    subprocess.run(argv, check=True, stderr=subprocess.DEVNULL)
    return stem + ".pem"


@contextlib.contextmanager
def running(text, folder, port):
    """Run nginx with a site file in this host's network; it listens on ``port``."""
    with open(os.path.join(str(folder), "site.conf"), "w") as file:
        file.write(text)
    main = os.path.join(str(folder), "nginx.conf")
    with open(main, "w") as file:
        user = "user root;\n" if os.geteuid() == 0 else ""  # pytest's folders are nobody else's
        file.write(user + "daemon off;\nworker_processes 1;" + MAIN % {"folder": folder})
    log = os.path.join(str(folder), "nginx.log")
    with open(log, "wb") as out:
        child = subprocess.Popen([NGINX, "-c", main], stdout=out, stderr=out)
    try:
        deadline = time.monotonic() + 20
        # Its own pid, which it writes when it has its ports: another may listen there.
        while not (os.path.exists(os.path.join(str(folder), "nginx.pid")) and _is_open(port)):
            with open(log) as file:
                assert child.poll() is None and time.monotonic() < deadline, file.read()
            time.sleep(0.02)
        yield child
    finally:
        child.terminate()
        child.wait(300)


def _is_open(port):
    with contextlib.closing(socket.socket()) as one:
        return one.connect_ex(("127.0.0.1", port)) == 0


class _Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True  # Python 3.6 has no ThreadingHTTPServer


class Upstream:
    """What nginx passes requests on to: it answers with the request, or as a user's server does.

    A client with the cookie ``user=1`` has logged in. ``checks``: whether Origin is compared with
    Host, as jupyter_server does.
    """

    def __init__(self, checks=True):
        self.checks = checks
        self.requests = []
        self.cookies = []
        self._server = _Server(("127.0.0.1", 0), self._handler())
        self.port = self._server.server_address[1]

    def __enter__(self):
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()

    def _handler(self):
        upstream = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                length = int(self.headers.get("Content-Length") or 0)
                upstream.requests.append((self.command, self.path, self.rfile.read(length)))
                upstream.cookies.append(self.headers.get("Cookie"))
                status, body = upstream.answer(self.path, self.headers)
                self.send_response(status)
                if status == 101:
                    self.send_header("Upgrade", "websocket")
                    self.send_header("Connection", "Upgrade")
                    self.close_connection = True
                else:
                    self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_POST = do_PUT = do_GET

            def log_message(self, *_):
                pass

        return Handler

    def answer(self, path, headers):
        """Status and body."""
        if "/api/events/subscribe" not in path:
            return 200, json.dumps(
                {name.lower(): value for name, value in headers.items()}
            ).encode()
        if "user=1" not in headers.get("Cookie", ""):
            return 403, b"<h1>Forbidden</h1>"
        if headers.get("Upgrade", "").lower() != "websocket":
            return 400, b'Can "Upgrade" only to "WebSocket".'
        if headers.get("Connection", "").lower() != "upgrade":
            return 400, b'"Connection" must be "Upgrade".'
        origin = headers.get("Origin")
        foreign = origin is not None and origin.partition("://")[2] != headers.get("Host")
        return (403, b"Cross origin") if self.checks and foreign else (101, b"")
