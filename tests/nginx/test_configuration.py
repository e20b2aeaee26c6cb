"""A site file is judged with the nginx.conf above it."""

import os

import pytest

from jhpatch.nginx import configuration
from jhpatch.nginx.servers import servers_of
from tests.nginx.cases import judged, places_of

pytest.importorskip("crossplane")

MAIN = """events {}
http {
    map $http_upgrade $connection_upgrade { default upgrade; '' ''; }
    client_max_body_size 1g;
    include sites-enabled/*;
}
"""
SITE = "server { listen 80; server_name %s; location / { proxy_pass http://127.0.0.1:8000; } }\n"


@pytest.fixture
def etc(tmp_path):
    """An /etc/nginx with two sites, and a third one that is not enabled."""
    (tmp_path / "nginx.conf").write_text(MAIN)
    for folder in ("sites-enabled", "sites-available"):
        (tmp_path / folder).mkdir()
    for name in ("hub", "shop", "new"):
        (tmp_path / "sites-available" / name).write_text(SITE % name)
    for name in ("hub", "shop"):
        os.symlink("../sites-available/" + name, str(tmp_path / "sites-enabled" / name))
    return tmp_path


def test_the_directory_and_the_site_agree(etc):
    """The site's findings are those of the whole that concern it, by either of its paths."""
    enabled = str(etc / "sites-enabled/hub")
    whole = [row for row in judged(etc) if str(row.path).startswith(enabled)]
    assert whole and "body-limit" not in {row.code for row in whole}
    assert places_of(judged(enabled)) == places_of(whole)
    assert places_of(judged(etc / "sites-available/hub")) == places_of(whole)


def test_a_site_that_is_not_enabled(etc):
    """As if it were: the directives of nginx.conf hold for it."""
    site = configuration.read(str(etc / "sites-available/new"))
    assert len(servers_of(site.directives)) == 3
    (server,) = [one for one in servers_of(site.directives) if site.concerns(one.block)]
    assert server.names == ("new",)
    assert "body-limit" not in {row.code for row in judged(etc / "sites-available/new")}


def test_a_site_file_alone(tmp_path):
    """Without an nginx.conf above it, it is all that there is."""
    path = tmp_path / "site"
    path.write_text(SITE % "hub")
    site = configuration.read(str(path))
    assert site.main is None and site.subject is None
    assert site.prefix == str(tmp_path)
    assert "body-limit" in {row.code for row in judged(path)}


def test_a_directory_without_backups(tmp_path):
    """Its files in order, but for editors' and dpkg's copies; nginx.conf alone where it is."""
    for name in ("b", "a.conf", "a.conf.bak", ".hidden", "#x#", "c.dpkg-old", "d~"):
        (tmp_path / name).write_text("gzip on;")
    files = configuration.read(str(tmp_path)).files
    assert [os.path.basename(file) for file in files] == ["a.conf", "b"]
    (tmp_path / "nginx.conf").write_text("http { include a.conf; include a.conf; }")
    main = configuration.read(str(tmp_path))
    assert [os.path.basename(file) for file in main.files] == ["nginx.conf", "a.conf"]
    assert len(main.directives) == 2 and main.main == str(tmp_path / "nginx.conf")
