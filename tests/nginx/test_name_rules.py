"""Names: the default server of each port, and names that two servers have."""

import pytest

from tests.nginx.cases import SITE, codes, judged

pytest.importorskip("crossplane")


@pytest.mark.parametrize(
    "parts, found",
    [
        ({}, []),
        ({"listen": "listen 8443 ssl;", "headers": ""}, "catch-all"),
        ({"names": "~.*"}, "catch-all-name"),
        ({"names": "~^.+$"}, "catch-all-name"),
        ({"names": "~^hub"}, []),
        (
            {"http": "server { listen 443; server_name hub.example.org; return 444; }"},
            "name-conflict",
        ),
        ({"http": "server { listen 80; server_name hub.example.org; return 444; }"}, []),
    ],
    ids=str,
)
def test_it_is_found(tmp_path, parts, found):
    """Among what else such a site has."""
    rows = codes(tmp_path, **parts)
    names = {"catch-all", "catch-all-name", "name-conflict"}
    assert set(rows) & names == ({found} if found else set())


def test_the_default_server_of_an_old_ssl_on(tmp_path):
    """It speaks TLS as the hub's server does, whose listen gets the word."""
    path = tmp_path / "site.conf"
    values = dict(http="", server="ssl on;", location="", names="a", headers="", path="/")
    path.write_text(SITE % dict(values, listen="listen 8443;", to="http://127.0.0.1:8000"))
    (row,) = [row for row in judged(path) if row.code == "catch-all"]
    step = "".join(row.next.parts)
    assert "listen 8443 ssl default_server;" in step and "ssl_reject_handshake on;" in step


def test_the_default_server_listens_as_the_hub_does(tmp_path):
    """One finding for all ports; each listen with its protocol and without the rest."""
    path = tmp_path / "site.conf"
    listen = (
        "listen 8443 ssl; listen [::]:8443 ssl ipv6only=on; listen 8443 quic reuseport; "
        "listen 9443 ssl proxy_protocol;"
    )
    values = dict(http="", server="", location="", names="a", headers="", path="/")
    path.write_text(SITE % dict(values, listen=listen, to="http://127.0.0.1:8000"))
    rows = [row for row in judged(path) if row.code == "catch-all"]
    assert len(rows) == 1 and rows[0].message.endswith(" of port 8443, 9443")
    step = "".join(rows[0].next.parts)
    for text in (
        "listen 8443 ssl default_server;",
        "listen [::]:8443 ssl default_server;",
        "listen 8443 quic default_server;",
        "listen 9443 ssl proxy_protocol default_server;",
        "ssl_reject_handshake on; ssl_protocols TLSv1.2 TLSv1.3; return 444;",
    ):
        assert text in step
