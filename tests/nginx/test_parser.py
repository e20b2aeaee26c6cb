"""nginx's configuration as a tree: includes in their place, and never silence about a file."""

import os
import sys

import pytest

from jhpatch.nginx import parser
from tests.nginx.cases import CORPUS, arrows, places

pytest.importorskip("crossplane")


def test_a_tree(tmp_path):
    """Of the http block alone, each directive with its place; a site file is a part of one."""
    path = tmp_path / "site.conf"
    path.write_text("events {}\nhttp {\n  server {\n    listen 80 default;\n  }\n}\ngzip on;\n")
    server, gzip = parser.read(str(path)).directives
    (listen,) = server.children("listen")
    assert (server.name, gzip.name, list(server.children("root"))) == ("server", "gzip", [])
    assert (listen.args, listen.place) == (("80", "default"), "%s:4" % path)


def test_a_directory_without_backups(tmp_path):
    """Its files in order, but for editors' and dpkg's copies; nginx.conf alone where it is."""
    for name in ("b", "a.conf", "a.conf.bak", ".hidden", "#x#", "c.dpkg-old", "d~"):
        (tmp_path / name).write_text("gzip on;")
    files = parser.read(str(tmp_path)).files
    assert [os.path.basename(file) for file in files] == ["a.conf", "b"]
    (tmp_path / "nginx.conf").write_text("http { include a.conf; include a.conf; }")
    configuration = parser.read(str(tmp_path))
    assert [os.path.basename(file) for file in configuration.files] == ["nginx.conf", "a.conf"]
    assert len(configuration.directives) == 2


def test_includes_are_followed(jhpatch):
    """From nginx.conf, by pattern and by name, into a location; streams are not looked at."""
    folder = os.path.join(CORPUS, "whole")
    headers = os.path.join(folder, "snippets", "headers.conf")
    for path in (folder, os.path.join(folder, "nginx.conf")):
        assert places(jhpatch(None, "nginx", "check", path)) == sorted(arrows(headers))
    # A site file by itself: nginx.conf above it says where includes begin.
    site = os.path.join(folder, "sites-enabled", "hub")
    assert places(jhpatch(None, "nginx", "check", site)) == sorted(arrows(headers))


BROKEN = {
    "no semicolon": ("server { listen 80; location / { proxy_pass http://a }", 1),
    "no end": ("server { listen 80;\n location / { proxy_pass http://a; }", 1),
    "an end too many": ("server { listen 80; location / { proxy_pass http://a; } } }", 1),
    "a quote without an end": ('server { server_name "a; }', 1),
    "includes itself": ("include broken.conf; server { location / { proxy_pass http://a; } }", 1),
    "includes nothing": ("include nowhere.conf;\n", 1),
}


@pytest.mark.parametrize("kind", sorted(BROKEN))
def test_what_cannot_be_read_is_a_finding(jhpatch, tmp_path, kind):
    """Never 0 for what was not understood."""
    path = tmp_path / "broken.conf"
    path.write_text(BROKEN[kind][0])
    answer = jhpatch(None, "nginx", "check", str(path))
    codes = [row["code"] for row in answer.document.get("findings") or []]
    assert answer.code == 3 and "config-broken" in codes, answer


@pytest.mark.parametrize(
    "kind", ["empty", "missing", "fifo", "empty folder", "static", "a sign", "deep"]
)
def test_where_there_is_nothing_to_judge(jhpatch, tmp_path, kind):
    """Exit 1 and what was expected; a FIFO does not hold it up."""
    path = tmp_path / "x.conf"
    if kind == "fifo":
        os.mkfifo(str(path))
    elif kind == "empty folder":
        path.mkdir()
    elif kind != "missing":
        texts = {
            "empty": "",
            "a sign": "\\",
            "static": "server { root /srv; }",
            "deep": "a {" * 5000 + "}" * 5000,
        }
        path.write_text(texts[kind])
    answer = jhpatch(None, "nginx", "check", str(path))
    assert answer.code == (3 if kind == "deep" else 1), answer
    if kind != "deep":
        assert answer.error["path"] == str(path) and answer.error["next"]


def test_without_crossplane_it_says_what_to_install(jhpatch, monkeypatch):
    """The one command that needs it; render does not."""
    monkeypatch.setitem(sys.modules, "crossplane", None)
    answer = jhpatch(None, "nginx", "check", CORPUS)
    assert answer.code == 1 and answer.error["next"].endswith(" -m pip install crossplane")
