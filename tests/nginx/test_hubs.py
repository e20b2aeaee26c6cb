"""Servers that are not the hub's are not judged as if they were."""

import pytest

from tests.nginx.cases import judged

pytest.importorskip("crossplane")

HUB = """server {
    listen 80; server_name x.example.org;
    location /hub/ { proxy_pass http://127.0.0.1:8000; }
    location /user/ { proxy_pass http://127.0.0.1:8000; }
}
"""
UPGRADING = """server {
    listen 80; server_name x.example.org;
    location / {
        proxy_pass http://localhost:8000;
        proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade;
    }
}
"""
NAMED = (
    "server { server_name hub.example.org; location / { proxy_pass http://127.0.0.1:8000; } }\n"
)
OTHERS = {
    "dashboard": "server { server_name y; location / { proxy_pass http://10.0.0.1:9000/app/; } }",
    "a path like a user's": "server { server_name y; location /user/ { proxy_pass http://h:1; } }",
    "health": "server { server_name hub.a; location /health { proxy_pass http://h:1; } }",
}


@pytest.mark.parametrize("hub", [HUB, UPGRADING, NAMED], ids=["paths", "upgrade", "name"])
@pytest.mark.parametrize("kind", sorted(OTHERS))
def test_other_servers(tmp_path, hub, kind):
    """By the hub's paths, an upgrade, or its name."""
    path = tmp_path / "site.conf"
    path.write_text(hub + OTHERS[kind])
    line = hub.count("\n") + 1
    rows = judged(path)
    assert rows and not [row for row in rows if row.path == "%s:%d" % (path, line)]
    assert [row for row in judged(path, names=("y", "hub.a")) if row.path.endswith(":%d" % line)]


def test_another_server_of_the_hub(tmp_path):
    """The same address, or a server that is a hub's by itself."""
    path = tmp_path / "site.conf"
    for other in (OTHERS["dashboard"].replace("10.0.0.1:9000/app/", "127.0.0.1:8000"), NAMED):
        path.write_text(UPGRADING + other)
        line = UPGRADING.count("\n") + 1
        assert [row for row in judged(path) if row.path == "%s:%d" % (path, line)]


def test_without_a_clear_hub(tmp_path):
    """All are judged: one of them is the hub's."""
    path = tmp_path / "site.conf"
    path.write_text(OTHERS["dashboard"])
    assert [row for row in judged(path) if row.path == "%s:1" % path]
