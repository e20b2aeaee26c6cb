"""A real nginx in front of a real hub: the front that render writes, the widespread recipe, and
pages of other origins. Two names with a certificate each; both have 443 and a port of their own.
"""

import base64
import contextlib
import hashlib
import os
import subprocess
from typing import Any, Iterator, List, NamedTuple, Tuple

from integration.e2e.hub import Hub
from integration.e2e.stacks import REPOSITORY, Stack
from jhpatch.nginx import version
from jhpatch.nginx.site import ProxySite
from jhpatch.nginx.site_file import render
from testing.nginx import certificate, running

NAMES = ("hub.example.org", "notebooks.example.com")
PORT, RECIPE, PAGES = 8443, 9443, 7443
FOREIGN = "https://evil.example:%d" % PAGES
SIBLING = "https://blog.example.org:%d" % PAGES
OTHER_PORT = "https://%s:%d" % (NAMES[0], PAGES)
RECIPE_FILE = os.path.join(REPOSITORY, "tests", "nginx", "corpus", "widespread.conf")

# What the servers send by themselves must not keep an idle websocket alive, nor end it.
QUIET = """
quiet = "tornado_settings={'ws_ping_interval': 0}"
c.Spawner.args = ["--ServerApp." + quiet, "--NotebookApp." + quiet]
"""

_PAGES = """
server {
    listen %(port)d ssl;
    server_name evil.example blog.example.org %(name)s;
    ssl_certificate %(folder)s/pages.pem;
    ssl_certificate_key %(folder)s/pages.key;
    default_type text/html;
    return 200 "<title>a page</title>";
}
"""


class Address(NamedTuple):
    """What a browser knows of a hub: where it is."""

    url: str
    stack: Stack


class Scene(NamedTuple):
    """A front that runs, its hub, and where its files are."""

    hub: Hub
    nginx: Any
    folder: str

    def at(self, name: str, port: int = PORT) -> Address:
        """The hub behind that name and port."""
        suffix = "" if port == 443 else ":%d" % port
        return Address("https://%s%s" % (name, suffix), self.hub.stack)

    def addresses(self) -> List[Address]:
        """Of the front, all."""
        return [self.at(name, port) for port in (PORT, 443) for name in NAMES]

    def workers(self) -> List[str]:
        """The processes that serve."""
        with open("/proc/%d/task/%d/children" % (self.nginx.pid, self.nginx.pid)) as file:
            return file.read().split()


@contextlib.contextmanager
def fronted(hub: Hub, folder: str) -> Iterator[Scene]:
    """nginx in front of ``hub``, on all ports; the names lead to this host."""
    os.makedirs(folder)
    for name in NAMES:
        certificate(folder, name, name)
    certificate(folder, "both", *NAMES)
    certificate(folder, "pages", "evil.example", "blog.example.org", NAMES[0])
    with open("/etc/hosts", "a") as file:
        file.write("\n127.0.0.1 %s evil.example blog.example.org\n" % " ".join(NAMES))
    _believe(folder)
    upstream = hub.url[len("http://") :]
    site = render(
        ProxySite(
            server_names=NAMES,
            upstreams=(upstream,),
            version=str(version.installed()),
            listens=(str(PORT), "443"),
            certificates=tuple(pair(folder, name) for name in NAMES),
        )
    )
    site += widespread(folder, upstream) + _PAGES % {
        "folder": folder,
        "port": PAGES,
        "name": NAMES[0],
    }
    with running(site, folder, PORT) as nginx:
        yield Scene(hub, nginx, folder)


def pair(folder: str, name: str) -> Tuple[str, str]:
    """A certificate and its key."""
    stem = os.path.join(folder, name)
    return (stem + ".pem", stem + ".key")


def widespread(folder: str, upstream: str) -> str:
    """The recipe, on a port of its own."""
    with open(RECIPE_FILE) as file:
        text = file.read()
    text = text.replace("8443", str(RECIPE)).replace("127.0.0.1:8000", upstream)
    text = text.replace("hub.example.com", NAMES[1])
    for old, new in zip(("/etc/ssl/hub.pem", "/etc/ssl/hub.key"), pair(folder, "both")):
        text = text.replace(old, new)
    return text


def _believe(folder: str) -> None:
    """requests and websocket-client take our certificates; Chromium is told by ``flags``."""
    bundle = os.path.join(folder, "bundle.pem")
    with open(bundle, "w") as file:
        for name in (*NAMES, "both", "pages"):
            with open(pair(folder, name)[0]) as source:
                file.write(source.read())
    for variable in ("REQUESTS_CA_BUNDLE", "WEBSOCKET_CLIENT_CA_BUNDLE"):
        os.environ[variable] = bundle


def flags(folder: str) -> List[str]:
    """Chromium believes these certificates and no other."""
    hashes = []
    for name in (*NAMES, "both", "pages"):
        script = "openssl x509 -pubkey -noout -in '%s' | openssl pkey -pubin -outform der"
        done = subprocess.run(
            ["sh", "-c", script % pair(folder, name)[0]], stdout=subprocess.PIPE, check=True
        )
        hashes.append(base64.b64encode(hashlib.sha256(done.stdout).digest()).decode())
    return ["--ignore-certificate-errors-spki-list=" + ",".join(hashes)]
