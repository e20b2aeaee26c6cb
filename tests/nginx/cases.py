"""Sites as an administrator would type them; golden/ has the file of each.

``python -m tests.nginx.cases`` writes the files again: read the diff before you commit it.
"""

import os
import re

from jhpatch.nginx.options import ProxySite
from jhpatch.nginx.site_file import render

GOLDEN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "golden")
CORPUS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "corpus")
"""Configurations as people write them; a comment ``# <- CODE`` names what is wrong in a line."""
TLS = "/etc/jhpatch/tls"
"""The directory of the certificates; tests that need real ones replace it."""


def pair(name):
    """A certificate and its key."""
    return ("%s/%s.pem" % (TLS, name), "%s/%s.key" % (TLS, name))


HUB = ProxySite(
    server_names=("hub.example.org",),
    upstreams=("127.0.0.1:8000",),
    version="1.22.1",
    certificates=(pair("hub"),),
)
TWO = HUB._replace(server_names=("hub.example.org", "notebooks.example.com"))

CASES = {
    "plain": HUB,
    "nginx-1.18": HUB._replace(version="1.18.0", redirect_http=True),
    "nginx-1.28": HUB._replace(version="1.28.0", redirect_http=True),
    "two-names": TWO._replace(certificates=(pair("hub"), pair("notebooks")), listens=("8443",)),
    "everything": TWO._replace(
        listens=("127.0.0.2:8443", "[::1]:8443"),
        upstreams=("https://192.0.2.10:8000", "https://192.0.2.11:8000"),
        redirect_http=True,
        hsts=63072000,
        stapling="192.0.2.53",
        max_body="2g",
        read_timeout="12h",
        base_url="/jupyter/",
        upstream_ca="%s/hub.pem" % TLS,
    ),
    "terminator": HUB._replace(
        certificates=(), external_scheme="https", listens=("8080",), hsts=300
    ),
    "unix-socket": HUB._replace(upstreams=("unix:/run/jupyterhub/proxy.sock",)),
    "wildcard": HUB._replace(server_names=("hub.example.org", "*.hub.example.org")),
    "second-hub": HUB._replace(
        server_names=("other.example.org",),
        upstreams=("[2001:db8::7]:8000",),
        default_server=False,
    ),
}


def golden(name):
    """The path of a case's file."""
    return os.path.join(GOLDEN, name + ".conf")


def arrows(path):
    """The findings that a file's own comments name, each as its code and ``file:line``."""
    with open(path) as file:
        for number, line in enumerate(file, 1):
            for code in re.findall(r"[\w.-]+", line.partition("# <- ")[2]):
                yield code, "%s:%d" % (path, number)


def places(answer):
    """The code and the place of each finding of an answer."""
    return sorted((row["code"], row["path"]) for row in answer.document["findings"])


if __name__ == "__main__":
    for case in CASES:
        with open(golden(case), "w", encoding="ascii") as file:
            file.write(render(CASES[case]))
