"""A user's server that is light, and has the renewal thread of a real one: the deployed copy.

Its first request starts the thread, as the first page of a browser does. The servers of the
users ``api-…`` never start it: these have no browser, and the hub alone renews their tickets.
"""

import os

from integration.e2e.patched_stack import site_of
from integration.e2e.stacks import Stack

_PROGRAM = """#!%(python)s
import http.server, importlib.util, logging, os, re, signal, sys, urllib.parse
name = os.environ["JUPYTERHUB_USER"]
form = "[%%(levelname)1.1s light " + name + "] %%(message)s"
logging.basicConfig(level=logging.INFO, format=form, stream=sys.stderr)
for number in (signal.SIGTERM, signal.SIGINT):
    signal.signal(number, lambda *_: sys.exit(0))
url = os.environ.get("JUPYTERHUB_SERVICE_URL", "")
port = re.search(r"--port=(\\d+)", " ".join(sys.argv))
port = int(port.group(1)) if port else urllib.parse.urlparse(url).port

def start_renewer():
    import traitlets.config
    spec = importlib.util.spec_from_file_location(
        "light_kerberos", %(helper)r + "/__init__.py", submodule_search_locations=[%(helper)r]
    )
    package = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(package)
    from light_kerberos import renewer_of
    class Request:
        log = logging.getLogger()
        config = traitlets.config.Config()
    assert renewer_of(Request()) is not None

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("X-JupyterHub-Version", "%(version)s")
        self.end_headers()
    def log_message(self, *_):
        pass

server = http.server.HTTPServer(("127.0.0.1", port), Handler)
if not name.startswith("api-"):
    start_renewer()
server.serve_forever()
"""


def install(stack: Stack, folder: str) -> str:
    """Write the program into ``folder``; return its path. The stack is patched."""
    helper = "%s/%s/_jhpatch_kerberos" % (site_of(stack), stack.servers[0])
    path = folder + "/light-server"
    with open(path, "w") as file:
        python = os.path.join(stack.venv, "bin", "python")
        file.write(
            _PROGRAM % {"python": python, "helper": helper, "version": stack.version("jupyterhub")}
        )
    os.chmod(path, 0o755)
    return path
