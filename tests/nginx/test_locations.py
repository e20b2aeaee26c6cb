"""Which location nginx chooses: asked of a real nginx, and told by hand where there is none."""

import http.client

import pytest

from jhpatch.nginx import parser
from jhpatch.nginx.locations import Locations
from testing import ports
from testing.nginx import running, with_nginx

pytest.importorskip("crossplane")

SERVER = """
server {
    listen 127.0.0.1:%d;
    location / {
        return 200 root;
        location /a/b { return 200 a-b; location ~ b/c { return 200 b-c; } }
    }
    location /a { return 200 a; location ~ x$ { return 200 a-x; } }
    location = /a { return 200 equal; }
    location =/e { return 200 e; }
    location ^~ /a/fast { return 200 fast; location /a/fast/in { return 200 in; } }
    location ^~/quick { return 200 quick; location ~ js$ { return 200 quick-js; } }
    location ~ [.]js$ { return 200 js; location ~ /deep { return 200 deep; } }
    location ~* /(?<name>api)/ { return 200 api; }
    location ~*[.]CSS$ { return 200 css; }
    location @named { return 200 named; }
}
"""
PATHS = {
    "/": "root",
    "/a": "equal",
    "/ab": "a",
    "/a/b": "a",
    "/ax": "a-x",
    "/a/fast": "fast",
    "/a/fast/x.js": "fast",
    "/a/fast/in/x.js": "in",
    "/quick/x.css": "quick",
    "/quick.js": "quick-js",
    "/e": "e",
    "/z.js": "js",
    "/deep/x.js": "deep",
    "/x/API/y.js": "js",
    "/x/API/y": "api",
    "/x.css": "css",
    "/@named": "root",
}


@pytest.fixture
def inside(tmp_path):
    """The content of the server."""
    path = tmp_path / "one.conf"
    path.write_text(SERVER % 80)
    return parser.read([str(path)], str(tmp_path)).directives[0].block


@pytest.mark.parametrize("path", sorted(PATHS))
def test_the_chosen_one(inside, path):
    """The longest prefix, unless a pattern matches; those in others too."""
    (answer,) = [one for one in Locations(inside).chosen(path)[-1].block if one.name == "return"]
    assert answer.args[1] == PATHS[path]


def test_none_and_one_that_python_cannot_read(tmp_path):
    """There is no location, or no match."""
    path = tmp_path / "one.conf"
    path.write_text("location ~ (?<a>x)(?&a) { } location /y { }")
    rows = parser.read([str(path)], str(tmp_path)).directives
    assert Locations(rows).chosen("/xx") == () and Locations(()).chosen("/") == ()


@with_nginx
def test_nginx_chooses_the_same(tmp_path):
    """Each path, at a real one."""
    (port,) = ports.free(1)
    with running(SERVER % port, tmp_path, port):
        for path, answer in PATHS.items():
            asked = http.client.HTTPConnection("127.0.0.1", port, timeout=300)
            asked.request("GET", path)
            assert asked.getresponse().read().decode() == answer, path
            asked.close()
