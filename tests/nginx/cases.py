"""Fronts as an administrator would type them; golden/ has the file of each.

``python -m tests.nginx.cases`` writes them anew: read the diff before it is committed.
"""

import os

from jhpatch.nginx.site_file import Front, render

GOLDEN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "golden")
TLS = "/etc/jhpatch/tls"
"""Where the certificates lie; a test that needs real ones puts them elsewhere."""


def pair(name):
    """A certificate and its key."""
    return ("%s/%s.pem" % (TLS, name), "%s/%s.key" % (TLS, name))


HUB = Front(
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


if __name__ == "__main__":
    for case in CASES:
        with open(golden(case), "w", encoding="ascii") as file:
            file.write(render(CASES[case]))
