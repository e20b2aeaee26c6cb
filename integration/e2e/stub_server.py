"""A user's server that is there at once and does nothing: what a hub needs of one, no more."""

import os

from integration.e2e.stacks import Stack

_STUB = """#!%s
import http.server, os, re, sys, urllib.parse
url = os.environ.get("JUPYTERHUB_SERVICE_URL", "")
port = re.search(r"--port=(\\d+)", " ".join(sys.argv))
port = int(port.group(1)) if port else urllib.parse.urlparse(url).port
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("X-JupyterHub-Version", "0")
        self.end_headers()
http.server.HTTPServer(("127.0.0.1", port), Handler).serve_forever()
"""


def stub(stack: Stack, folder: str) -> str:
    """Return the settings for servers that do nothing; JHPATCH_KERBEROS is theirs all the same."""
    os.makedirs(folder, exist_ok=True)
    path = folder + "/stub"
    with open(path, "w") as file:
        file.write(_STUB % os.path.join(stack.venv, "bin", "python"))
    os.chmod(path, 0o755)
    return "c.Spawner.cmd = [%r]\n" % path
