"""TLS: versions, ciphers, the default server's part, and ports without it."""

import pytest

from tests.nginx.cases import SITE, judged

pytest.importorskip("crossplane")

MOZILLA = (
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-GCM-SHA384:ECDHE-RSA-CHACHA20-POLY1305:"
    "DHE-RSA-AES128-GCM-SHA256:DHE-RSA-AES256-GCM-SHA384:DHE-RSA-CHACHA20-POLY1305"
)
OURS = {"tls-old", "weak-ciphers", "default-server-tls", "plain-listen", "ssl-on"}


def found(tmp_path, old="", new="", **deployment):
    """The codes about TLS in a site with a change."""
    values = dict(http="", server="", location="", names="a", headers="", path="/")
    text = SITE % dict(values, listen="listen 443 ssl;", to="http://127.0.0.1:8000")
    assert old in text
    path = tmp_path / "site.conf"
    path.write_text(text.replace(old, new, 1) if old else text)
    return {row.code for row in judged(path, **deployment)} & OURS


CIPHERS = "ssl_ciphers ECDHE+AESGCM"
OWN = "ssl_protocols TLSv1.2 TLSv1.3; ssl_ciphers ECDHE+AESGCM;"
DEFAULTS = "ssl_protocols TLSv1.2 TLSv1.3; ssl_reject"

BOTH = ("listen 443 ssl;\n", "listen 443 ssl; listen 80;\n")
TO_HTTPS = "if (%s) { return 301 https://$host$request_uri; }\n"


@pytest.mark.parametrize(
    "old, new, codes",
    [
        ("", "", set()),
        (CIPHERS, "ssl_ciphers " + MOZILLA, set()),
        (CIPHERS, "ssl_ciphers ECDHE+AES256+AESGCM", set()),
        (CIPHERS, "ssl_ciphers ECDHE+AES256", {"weak-ciphers"}),
        (CIPHERS, "ssl_ciphers AES128-SHA", {"weak-ciphers"}),
        (CIPHERS, "ssl_ciphers kEECDH+AESGCM", set()),
        (CIPHERS, "ssl_ciphers 'AESGCM:!kRSA:!PSK:!aNULL'", set()),
        (CIPHERS, "ssl_ciphers AESGCM", {"weak-ciphers"}),
        (CIPHERS, "ssl_ciphers ECDHE+AESGCM:RC4-SHA", {"weak-ciphers"}),
        (CIPHERS, "ssl_ciphers ECDHE+AESGCM:unknown", {"weak-ciphers"}),
        (CIPHERS + ";", "", {"weak-ciphers"}),
        (OWN, "ssl_protocols TLSv1.3;", set()),
        (OWN, "ssl_protocols TLSv1.1 TLSv1.2; " + CIPHERS + ";", {"tls-old"}),
        (OWN, CIPHERS + ";", {"tls-old"}),
        (DEFAULTS, "ssl_protocols TLSv1; ssl_reject", {"tls-old"}),
        (DEFAULTS, "ssl_reject", {"default-server-tls"}),
        (*BOTH, {"plain-listen"}),
        (BOTH[0], BOTH[1] + TO_HTTPS % "$scheme = http", set()),
        (BOTH[0], BOTH[1] + TO_HTTPS % '$scheme != "https"', set()),
        (BOTH[0], BOTH[1] + TO_HTTPS % "$https = ''", set()),
        (BOTH[0], BOTH[1] + TO_HTTPS % "$server_port = 80", set()),
        (BOTH[0], BOTH[1] + TO_HTTPS % "$server_port = 8080", {"plain-listen"}),
        (BOTH[0], BOTH[1] + TO_HTTPS % "$host = other.example.org", {"plain-listen"}),
        ("listen 443 ssl;\n", "listen 8000;\n", {"plain-listen"}),
        ("listen 443 ssl;\n", "listen 127.0.0.1:8000;\n", set()),
        ("listen 443 ssl;\n", "listen 443 ssl; ssl on;\n", {"ssl-on"}),
    ],
    ids=str,
)
def test_it_is_found(tmp_path, old, new, codes):
    """And nothing else about TLS."""
    assert found(tmp_path, old, new) == codes


def test_the_version_has_better_defaults(tmp_path):
    """Since nginx 1.27.3 there is no TLS 1.0 and 1.1 without being told."""
    assert found(tmp_path, OWN, CIPHERS + ";", version=(1, 27, 3)) == set()
    assert found(tmp_path, OWN, CIPHERS + ";", version=None) == {"tls-old"}
    assert found(tmp_path, DEFAULTS, "ssl_reject", version=(1, 27, 3)) == set()


def test_behind_a_terminator_plain_http_is_right(tmp_path):
    """As soon as it is known."""
    plain = ("listen 443 ssl;\n", "listen 8000;\n")
    assert found(tmp_path, *plain, external_scheme="https") == set()


def test_the_listen_that_replaces_ssl_on(tmp_path):
    """It has its own words, and ssl."""
    values = dict(http="", server="ssl on;", location="", names="a", headers="", path="/")
    listen = "listen 8443 proxy_protocol;"
    path = tmp_path / "site.conf"
    path.write_text(SITE % dict(values, listen=listen, to="http://127.0.0.1:8000"))
    (row,) = [row for row in judged(path) if row.code == "ssl-on"]
    assert "listen 8443 proxy_protocol ssl;" in "".join(row.next.parts)
