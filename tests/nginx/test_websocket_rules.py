"""Websockets: both headers, on all paths, by HTTP/1.1, for longer than a ping."""

import contextlib
import socket

import pytest

from testing import ports
from testing.nginx import running, with_nginx
from tests.nginx.cases import HEADERS, codes, judged

pytest.importorskip("crossplane")

UPGRADE = "Upgrade $http_upgrade"
MAPPED = HEADERS.replace("Connection upgrade", "Connection $x")
SWITCHED = b"HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
LIST = 'Connection "keep-alive, Upgrade"'


@pytest.mark.parametrize(
    "parts, found",
    [
        ({"headers": HEADERS.replace(UPGRADE, "Upgrade ''")}, ["no-upgrade"]),
        ({"headers": HEADERS.replace(UPGRADE, "X-A b")}, ["no-upgrade"]),
        ({"headers": HEADERS.replace("Connection upgrade", "X-A b")}, ["no-upgrade"]),
        ({"headers": HEADERS.replace("Connection upgrade", "Connection close")}, ["no-upgrade"]),
        ({"headers": HEADERS.replace("Connection upgrade", LIST)}, []),
        ({"headers": HEADERS.replace(UPGRADE, "Upgrade websocket")}, ["upgrade-always"]),
        # jupyter-server-proxy looks at Upgrade alone, and refuses each page with 400.
        ({"headers": MAPPED.replace(UPGRADE, "Upgrade websocket")}, ["upgrade-always"]),
        ({"headers": MAPPED}, []),
        ({"location": "proxy_http_version 1.0;"}, ["http-1.0"]),
        ({"location": "proxy_http_version 2;", "deployment": {"version": None}}, ["http-1.0"]),
        ({"location": "proxy_read_timeout 20s;"}, ["timeout-below-ping"]),
        ({"location": "proxy_send_timeout 20s;"}, []),
        ({"location": "proxy_read_timeout 1h;"}, []),
        ({"server": "proxy_read_timeout $x;"}, []),
    ],
    ids=str,
)
def test_it_is_found(tmp_path, parts, found):
    """And nothing else."""
    assert codes(tmp_path, **parts) == found


def test_all_that_is_wrong_is_reported_at_once(tmp_path):
    """Also where Upgrade is missing: who adds it would find the rest later."""
    headers = HEADERS.replace(UPGRADE, "X-A b")
    rows = codes(tmp_path, headers=headers, location="proxy_read_timeout 20s;")
    assert rows == ["no-upgrade", "timeout-below-ping"]


def test_each_location_that_passes_upgrades_is_checked(tmp_path):
    """Not the first one alone."""
    place = "location /user/ { %s proxy_pass http://127.0.0.1:8000; proxy_read_timeout 20s; }"
    assert codes(tmp_path, server=place % HEADERS) == ["timeout-below-ping"]


@pytest.mark.parametrize(
    "path, is_found",
    [("~ /channels", False), ("~ /terminals/websocket", False), ("@ws", False), ("~ /api", True)],
)
def test_a_location_for_websockets_alone(tmp_path, path, is_found):
    """Each of its requests is one: Upgrade can be the word itself."""
    headers = HEADERS.replace(UPGRADE, "Upgrade websocket")
    assert ("upgrade-always" in codes(tmp_path, path=path, headers=headers)) == is_found


def test_http_1_1_is_a_default(tmp_path):
    """Since nginx 1.29.7."""
    path = tmp_path / "a.conf"
    path.write_text(
        "server { location / { proxy_pass http://a; proxy_set_header Upgrade $http_upgrade; } }"
    )
    for version, is_found in (((1, 29, 7), False), ((1, 29, 6), True), (None, True)):
        assert ("http-1.0" in {row.code for row in judged(path, version=version)}) is is_found


def test_a_stream_that_cuts_websockets(tmp_path):
    """It passes whole connections on, and ends those that are quiet."""
    path = tmp_path / "nginx.conf"
    text = "stream { server { listen 443; proxy_pass a:1; proxy_timeout %s; } }"
    path.write_text(text % "20s")
    assert [row.code for row in judged(path)] == ["timeout-below-ping"]


def test_the_map_is_told_where_it_is_missing(tmp_path):
    """And only there."""
    path = tmp_path / "a.conf"
    site = "server { location / { proxy_pass http://a; } }"
    for text, is_told in (("", True), ("map $http_upgrade $connection_upgrade { '' ''; }", False)):
        path.write_text(text + site)
        (row,) = [row for row in judged(path) if row.code == "no-upgrade"]
        assert ("map $http_upgrade" in "".join(row.next.parts)) is is_told


@with_nginx
@pytest.mark.parametrize(
    "name, is_open", [("proxy_read_timeout", False), ("proxy_send_timeout", True)]
)
def test_which_timeout_ends_a_quiet_websocket(tmp_path, name, is_open):
    """A real nginx: that of reads. The other one applies only to a write that waits."""
    (port,) = ports.free(1)
    with contextlib.closing(socket.socket()) as upstream:
        upstream.bind(("127.0.0.1", 0))
        upstream.listen(1)
        to = "proxy_pass http://127.0.0.1:%d; proxy_http_version 1.1;" % upstream.getsockname()[1]
        site = "server { listen 127.0.0.1:%d; location / { %s %s %s 1s; } }"
        with running(site % (port, HEADERS, to, name), tmp_path, port):
            with contextlib.closing(socket.create_connection(("127.0.0.1", port), 20)) as client:
                client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n\r\n")
                with contextlib.closing(upstream.accept()[0]) as server:
                    assert b"Connection: upgrade\r\n" in server.recv(4096)
                    server.sendall(SWITCHED)
                    assert client.recv(4096).startswith(b"HTTP/1.1 101 ")
                    client.settimeout(2.5)
                    try:
                        assert client.recv(1) == b"" and not is_open
                    except socket.timeout:
                        assert is_open
