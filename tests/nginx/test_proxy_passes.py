"""What leads to the hub, and which of its requests a location takes."""

import pytest

from jhpatch.nginx.directives import Directive
from jhpatch.nginx.proxy_passes import PAGE, SAVE, WEBSOCKET, address_of
from jhpatch.nginx.servers import servers_of
from tests.nginx.cases import HEADERS, SITE, judged


def line(name, *args, block=None):
    """A directive."""
    return Directive(name, args, "f", 1, block)


def only(location, to="http://127.0.0.1:8000", *rest):
    """The one ``proxy_pass`` of a server with one location."""
    block = line("location", *location, block=(line("proxy_pass", to),))
    return servers_of((*rest, line("server", block=(block,))))[0].proxy_passes[0]


@pytest.mark.parametrize(
    "location, base_url, taken",
    [
        (("/",), "/", (PAGE, SAVE, WEBSOCKET)),
        (("/j/",), "/j/", (PAGE, SAVE, WEBSOCKET)),
        (("/j",), "/j/", (PAGE, SAVE, WEBSOCKET)),
        (("^~", "/j/"), "/j/", (PAGE, SAVE, WEBSOCKET)),
        (("^~/j/",), "/j/", (PAGE, SAVE, WEBSOCKET)),
        (("@hub",), "/", (PAGE, SAVE, WEBSOCKET)),
        (("/j/hub/",), "/j/", (PAGE,)),
        (("/user/",), "/", (SAVE, WEBSOCKET)),
        (("/user/bob/",), "/", (SAVE, WEBSOCKET)),
        (("=", "/hub/login"), "/", ()),
        (("=", "/hub/home"), "/", (PAGE,)),
        (("/hub/static/",), "/", ()),
        (("~*", "[.](css|js)$"), "/", ()),
        (("~", "^/j/(hub|user)/"), "/j/", (PAGE, SAVE, WEBSOCKET)),
        (("~", "/api/kernels/[^/]+/channels"), "/", (WEBSOCKET,)),
        (("~", "("), "/", ()),
    ],
    ids=str,
)
def test_what_a_location_takes(location, base_url, taken):
    """By the path, below the base URL that the location shows."""
    row = only(location)
    assert row.base_url == base_url
    assert tuple(one for one in (PAGE, SAVE, WEBSOCKET) if row.takes(one)) == taken


def test_an_address():
    """Upstreams of the same servers are the same; a socket's path ends at a colon."""
    first = line("upstream", "a", block=(line("server", "localhost:8000", "backup"),))
    second = line(
        "upstream", "b", block=(line("server", "127.0.0.1:8000"), line("keepalive", "9"))
    )
    addresses = {address_of(only(("/",), "http://" + name, first, second)) for name in "ab"}
    assert addresses == {"127.0.0.1:8000"} == {address_of(only(("/",)))}
    row = only(("/",), "http://unix:/run/x.sock:/y")
    assert row.parts == ("http", "unix:/run/x.sock", "/y")


PASS = "proxy_pass http://127.0.0.1:8000; proxy_buffering off;"


@pytest.mark.parametrize(
    "inside, found",
    [
        ("location ~* [.](css|js)$ { %s proxy_read_timeout 10s; }", []),
        ("location ~* [.](css|js)$ { %s client_max_body_size 1k; }", []),
        ("location ~* [.](css|js)$ { %s limit_except GET { deny all; } }", []),
        ("location ~* [.](css|js)$ { %s proxy_set_header Host $http_host; }", []),
        ("location = /hub/login { %s client_max_body_size 1k; }", []),
        ("location /user/ { %s client_max_body_size 1k; }", ["body-limit"]),
        ("location /user/ { %s limit_except GET { deny all; } }", ["methods-refused"]),
        ("location ~ channels { %s proxy_read_timeout 10s; }", ["timeout-below-ping"]),
        ("location ~ ^/user/x/proxy/ { proxy_pass http://127.0.0.1:8501; }", []),
    ],
)
def test_a_fault_counts_where_it_matters(tmp_path, inside, found):
    """Limits of files and of the login do not concern saves and websockets."""
    pytest.importorskip("crossplane")
    values = dict.fromkeys(("http", "location", "headers"), "")
    values.update(listen="listen 443 ssl;", names="a", path="/", to="http://127.0.0.1:8000")
    inside = inside % PASS if "%s" in inside else inside
    path = tmp_path / "site.conf"
    path.write_text(SITE % dict(values, server=HEADERS + inside))
    assert sorted({row.code for row in judged(path)}) == found
