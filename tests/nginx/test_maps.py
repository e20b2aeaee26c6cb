"""A map's value for a request: by hand, and as a real nginx answers."""

import http.client

import pytest

from jhpatch.nginx import parser
from jhpatch.nginx.maps import map_of, value_of
from testing import ports
from testing.nginx import running, with_nginx

pytest.importorskip("crossplane")

MAPS = r"""
map $http_upgrade $plain { default upgrade; '' close; }
map $http_upgrade $pattern { default close; ~^Web case; ~*socket any; websocket exact; }
map $http_connection $list { default close; ~*(^|,\s*)upgrade upgrade; }
map $http_upgrade $nothing { h2c x; }
map $plain $chain { upgrade $http_upgrade; close $list; }
"""
VARIABLES = ("plain", "pattern", "list", "nothing", "chain")
REQUESTS = [
    ("websocket", "Upgrade"),
    ("WebSocket", "keep-alive, Upgrade"),
    ("Websockets", "x"),
    ("h2c", "upgraded"),
    ("", "keep-alive,upgrade"),
    ("", ""),
]


@pytest.fixture
def maps(tmp_path):
    """The directives."""
    path = tmp_path / "maps.conf"
    path.write_text(MAPS)
    return parser.read([str(path)], str(tmp_path)).directives


def values(directives, upgrade, connection):
    """Of each variable."""
    request = {"$http_upgrade": upgrade, "$http_connection": connection}
    return [str(value_of(directives, "$" + name, request)) for name in VARIABLES]


def test_a_value(maps):
    """Exact ones first, then patterns in their order, then the default, which may be none."""
    assert values(maps, "websocket", "x") == ["upgrade", "exact", "close", "", "websocket"]
    assert values(maps, "Websockets", "x")[1] == "case"
    assert map_of(maps, "${plain}").line == 2 and map_of(maps, "$other") is None


def test_what_is_not_known(maps):
    """A variable of nginx, a text with more than one, a map that includes a file."""
    (row,) = [one for one in maps if one.args[1] == "$plain"]
    loop = row._replace(args=("$loop", "$loop"))
    assert value_of((loop,), "$loop", {}) is None
    assert value_of(maps, "$host", {}) is None and value_of(maps, "a$plain", {}) is None
    assert value_of(maps, "text", {}) == "text"


@with_nginx
def test_nginx_looks_up_the_same(maps, tmp_path):
    """Each variable, for each request."""
    (port,) = ports.free(1)
    answer = "|".join("$" + name for name in VARIABLES)
    server = 'server { listen 127.0.0.1:%d; return 200 "%s"; }' % (port, answer)
    with running(MAPS + server, tmp_path, port):
        for upgrade, connection in REQUESTS:
            asked = http.client.HTTPConnection("127.0.0.1", port, timeout=300)
            asked.request("GET", "/", headers={"Upgrade": upgrade, "Connection": connection})
            got = asked.getresponse().read().decode().split("|")
            assert got == values(maps, upgrade, connection), (upgrade, connection)
            asked.close()
