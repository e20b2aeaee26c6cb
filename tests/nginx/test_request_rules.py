"""Requests as the hub gets them: Origin, Host, scheme, size."""

import pytest

from jhpatch.nginx.site import ca_file
from tests.nginx.cases import HEADERS, codes, judged

pytest.importorskip("crossplane")


@pytest.mark.parametrize(
    "location, step",
    [
        ("", "Add: proxy_ssl_verify on; proxy_ssl_trusted_certificate %s;" % ca_file()),
        (
            "proxy_ssl_verify off;",
            "Replace this directive with: proxy_ssl_verify on; proxy_ssl_trusted_certificate %s;"
            % ca_file(),
        ),
        ("proxy_ssl_trusted_certificate /x;", "Add: proxy_ssl_verify on;"),
        (
            "proxy_ssl_trusted_certificate /x; proxy_ssl_verify off;",
            "Replace this directive with: proxy_ssl_verify on;",
        ),
    ],
)
def test_the_upstreams_certificate(tmp_path, location, step):
    """What is there is replaced, and only what is missing is added."""
    path = tmp_path / "site.conf"
    text = "server { location / {\n proxy_pass https://192.0.2.1:8000;\n %s } }\n"
    path.write_text(text % location)
    (row,) = [row for row in judged(path) if row.code == "upstream-unverified"]
    assert "".join(row.next.parts) == step
    assert row.path == "%s:%d" % (path, 3 if step.startswith("Replace") else 2)


ORIGIN = ["origin-cleared"]


@pytest.mark.parametrize(
    "parts, found",
    [
        ({"headers": HEADERS + 'proxy_set_header Origin "";'}, ORIGIN),
        ({"headers": HEADERS + "proxy_set_header Origin $http_origin;"}, []),
        ({"headers": HEADERS + "proxy_set_header Origin https://x;"}, ["origin-rewritten"]),
        ({"location": "more_clear_input_headers Origin;"}, ORIGIN),
        ({"server": "more_set_input_headers 'Origin: https://x';"}, ORIGIN),
        ({"location": "more_clear_input_headers X-Original;"}, []),
        ({"location": "access_by_lua 'ngx.req.set_header(\"Origin\", nil)';"}, ORIGIN),
        ({"to": "https://192.0.2.1"}, ["upstream-unverified"]),
        ({"to": "https://localhost:8000"}, []),
        ({"to": "https://h", "http": "upstream h { server 127.0.0.1:8000; }"}, []),
        ({"to": "https://h", "http": "upstream h { server 192.0.2.1; }"}, ["upstream-unverified"]),
        ({"to": "https://192.0.2.1", "server": "proxy_ssl_verify on;"}, []),
        ({"location": "proxy_next_upstream error non_idempotent;"}, ["next-upstream-post"]),
        ({"location": "client_max_body_size 1m;"}, ["body-limit"]),
    ],
    ids=str,
)
def test_it_is_found(tmp_path, parts, found):
    """And nothing else."""
    assert codes(tmp_path, **parts) == found


ODD = {"listen": "listen 8443 ssl;"}
PLAIN = {"listen": "listen 8080;"}
BESIDE = {"listen": "listen 8080; listen 443 ssl;"}


@pytest.mark.parametrize(
    "host, parts, found",
    [
        ("$http_host", ODD, []),
        ("$host", {}, []),
        ("$host", ODD, ["host-without-port"]),
        ("$host:$server_port", {"listen": "listen 80;"}, ["host-replaced", "plain-listen"]),
        ("$http_host:443", {}, ["host-replaced"]),
        ("$proxy_host:$proxy_port", {}, ["host-replaced"]),
        ("$http_x_forwarded_host", {}, ["host-replaced"]),
        ("$server_name:$server_port", ODD, []),
        ("$HOST", ODD, ["host-without-port"]),
        ("hub.example.org:8443", ODD, []),
        ("hub.example.org:8444", ODD, ["host-replaced"]),
        ("x.example.org:8443", ODD, ["host-replaced"]),
        ("$host", {"listen": "listen 80; listen 443 ssl;"}, ["plain-listen"]),
        ("$host", {"listen": "listen 8443 ssl proxy_protocol;"}, []),
        ("$host", dict(ODD, deployment={"external_scheme": "https"}), []),
        ("$host", PLAIN, ["host-port-unclear", "plain-listen"]),
        (
            "$host",
            {"listen": "listen 8080; listen 443 ssl;"},
            ["host-port-unclear", "plain-listen"],
        ),
        ("$http_host", PLAIN, ["plain-listen"]),
        ("$host", {"listen": "listen 80;"}, ["plain-listen"]),
        ("$host", {"listen": "listen 127.0.0.1:8080;"}, []),
        ("$host", {"listen": "listen 8080 proxy_protocol;"}, []),
        ("$host", dict(PLAIN, server="set_real_ip_from 192.0.2.1;"), []),
        ("$host", dict(PLAIN, deployment={"external_scheme": "http"}), ["host-port-unclear"]),
        ("$host", dict(ODD, server="set_real_ip_from 192.0.2.1;"), ["host-port-unclear"]),
        ("$host", dict(ODD, deployment={"external_scheme": "http"}), ["host-port-unclear"]),
        ("$host:443", {}, ["host-replaced"]),
        ("$host:8443", ODD, []),
        ("$host:$proxy_port", ODD, ["host-replaced"]),
        ("$host:$server_port", ODD, []),
        ("$host:$server_port", {}, ["host-replaced"]),
        ("$host$is_request_port$request_port", ODD, []),
        ("$of_a_map", ODD, []),
        ("$proxy_host", {}, ["host-replaced"]),
        ("127.0.0.1:8000", {}, ["host-replaced"]),
        ("$server_name", {}, []),
        ("$server_name", {"names": "a b"}, ["host-replaced"]),
        ("hub.example.org", {}, []),
        ("$http_host", {"listen": "listen 443 ssl; listen 443 quic;"}, ["host-empty-on-http3"]),
        ("$host", {"listen": "listen 443 ssl; listen 443 quic;"}, []),
    ],
    ids=str,
)
def test_a_host(tmp_path, host, parts, found):
    """It is compared with the Origin of the browser."""
    headers = HEADERS.replace("$http_host", host)
    rows = codes(tmp_path, headers=headers, **dict(parts))
    others = ("catch-all", "default-server-tls", "forwarded-proto-unclear")
    assert [code for code in rows if code not in others] == found


@pytest.mark.parametrize(
    "value, deployment, found",
    [
        ("$scheme", {}, []),
        ("https", {}, []),
        ("http", {}, ["forwarded-proto-wrong"]),
        ("$http_x_forwarded_proto", {}, ["forwarded-proto-unclear"]),
        ("$http_x_forwarded_proto", {"external_scheme": "https"}, []),
        ("$scheme", {"hub_version": (1, 1, 0)}, ["no-x-scheme"]),
        ("$scheme", {"hub_version": (2, 0, 2)}, []),
    ],
)
def test_a_scheme(tmp_path, value, deployment, found):
    """What browsers use is what the hub must be told."""
    headers = HEADERS.replace("$scheme", value)
    assert codes(tmp_path, headers=headers, deployment=deployment) == found


def test_a_scheme_behind_a_terminator(tmp_path):
    """nginx itself receives plain http there."""
    site = {"listen": "listen 8080;", "deployment": {"external_scheme": "https"}}
    assert "forwarded-proto-wrong" in codes(tmp_path, **dict(site))
    right = HEADERS.replace("$scheme", "https")
    assert "forwarded-proto-wrong" not in codes(tmp_path, headers=right, **dict(site))


@pytest.mark.parametrize(
    "headers, deployment, is_noted",
    [
        (HEADERS, {}, True),
        (HEADERS.replace("$scheme", "$http_x_forwarded_proto"), {}, False),
        (HEADERS.replace("$scheme", "https"), {}, False),
        (HEADERS, {"external_scheme": "http"}, False),
    ],
)
def test_behind_a_proxy_whose_scheme_is_not_known(tmp_path, headers, deployment, is_noted):
    """A note: what set_real_ip_from names may terminate TLS."""
    parts = {"listen": "listen 8080;", "server": "set_real_ip_from 192.0.2.1;"}
    rows = codes(tmp_path, headers=headers, deployment=deployment, **parts)
    assert ("forwarded-proto-unclear" in rows) == is_noted


@pytest.mark.parametrize(
    "listen, is_noted",
    [
        ("listen 80;", False),
        ("listen 8080;", True),
        ("listen 127.0.0.1:80;", True),
        ("listen unix:/run/hub.sock;", True),
        ("listen 80 proxy_protocol;", True),
        ("listen 443 ssl;", False),
    ],
)
def test_a_port_that_may_be_behind_a_terminator(tmp_path, listen, is_noted):
    """A note, but on the ports that browsers connect to."""
    assert ("forwarded-proto-unclear" in codes(tmp_path, listen=listen)) == is_noted
