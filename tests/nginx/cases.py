"""Sites as an administrator would type them; golden/ has the file of each.

``python -m tests.nginx.cases`` writes the files again: read the diff before you commit it.
"""

import os
import re

from jhpatch.nginx import configuration as configurations
from jhpatch.nginx import rules, syntax
from jhpatch.nginx.servers import Deployment
from jhpatch.nginx.site import ProxySite
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
PART = HUB._replace(certificates=(), base_url="/jupyter", server_names=("www.Example.org",))

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
    "behind-a-balancer": HUB._replace(
        certificates=(),
        external_scheme="https",
        listens=("8080", "unix:/run/nginx/hub.sock"),
        trusted_proxies=("192.0.2.0/28", "2001:db8::1"),
        proxy_protocol=True,
        health_check="/healthz",
    ),
    "http3": TWO._replace(
        version="1.28.0",
        certificates=(pair("hub"), pair("notebooks")),
        listens=("443", "8443"),
        http3=True,
    ),
    "oauth2-proxy": HUB._replace(
        auth_request="http://127.0.0.1:4180",
        allow_origins=("https://lms.example.org", "http://x.example:8000"),
        proxy_read_timeout="5m",
        redirect_http=True,
        acme_webroot="/var/www/acme",
    ),
    "maps": PART._replace(snippet="maps"),
    "locations": PART._replace(snippet="locations"),
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
    """The code and the place of each finding of an answer, but of what this host cannot tell."""
    rows = [row for row in answer.document["findings"] if row["code"] != "not-known"]
    return sorted((row["code"], row["path"]) for row in rows)


def places_of(findings):
    """The same of findings."""
    return sorted((row.code, row.path) for row in findings)


def judged(path, names=(), **deployment):
    """The findings about a configuration, without asking an nginx."""
    configuration = configurations.read(str(path))
    deployment.setdefault("version", (1, 22, 1))
    broken = syntax.check(configuration, None)
    return rules.check(configuration, names, Deployment(**deployment), broken).findings


SITE = """
%(http)s
server {
    listen 443 ssl default_server; server_name _;
    ssl_protocols TLSv1.2 TLSv1.3; ssl_reject_handshake on; return 444;
}
server {
    %(listen)s
    server_name %(names)s;
    ssl_protocols TLSv1.2 TLSv1.3; ssl_ciphers ECDHE+AESGCM;
    ssl_certificate /etc/ssl/hub.pem; ssl_certificate_key /etc/ssl/hub.key;
    client_max_body_size 1g; proxy_http_version 1.1; proxy_buffering off;
    %(server)s
    location %(path)s {
        %(headers)s
        proxy_pass %(to)s;
        %(location)s
    }
}
"""
HEADERS = (
    "proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade; "
    "proxy_set_header X-Forwarded-Proto $scheme; proxy_set_header Host $http_host; "
)


def codes(folder, **parts):
    """The codes about a site that is right but for ``parts``; ``deployment`` is one of them."""
    return sorted({row.code for row in findings(folder, **parts)})


def findings(folder, **parts):
    """The findings about such a site."""
    deployment = parts.pop("deployment", {})
    values = dict.fromkeys(("http", "server", "location"), "")
    values.update(listen="listen 443 ssl;", names="hub.example.org", path="/", headers=HEADERS)
    values.update({"to": "http://127.0.0.1:8000"}, **parts)
    path = folder / "site.conf"
    path.write_text(SITE % values)
    return judged(path, **deployment)


if __name__ == "__main__":
    for case in CASES:
        with open(golden(case), "w", encoding="ascii") as file:
            file.write(render(CASES[case]))
