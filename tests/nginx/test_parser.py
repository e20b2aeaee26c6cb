"""nginx's configuration as a tree: includes in their place, and never silence about a file."""

import os
import sys

import pytest

from jhpatch.nginx import parser
from tests.nginx.cases import CORPUS, arrows, judged, places, places_of

pytest.importorskip("crossplane")


def test_a_tree(tmp_path):
    """Each directive with its place, and those that a block contains."""
    path = tmp_path / "site.conf"
    path.write_text("server {\n  listen 80 default;\n}\ngzip on;\n")
    server, gzip = parser.read([str(path)], str(tmp_path)).directives
    (listen,) = server.children("listen")
    assert (server.name, gzip.name, list(server.children("root"))) == ("server", "gzip", [])
    assert (listen.args, listen.place) == (("80", "default"), "%s:2" % path)


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


def test_an_include_that_cannot_be_read(jhpatch, tmp_path):
    """A note, and what the file could have set is not judged; 1 where nothing else is there."""
    path = tmp_path / "site.conf"
    path.write_text("include nowhere.conf;\n")
    assert jhpatch(None, "nginx", "check", str(path)).code == 1
    path.write_text("server { listen 8443; include no.conf; location / { proxy_pass http://h; } }")
    rows = {row.code for row in judged(path)}
    assert "not-known" in rows and not rows & {"host-replaced", "body-limit", "no-upgrade"}


def test_a_copy_that_is_included(tmp_path):
    """nginx reads sites-enabled/hub.bak as it reads sites-enabled/hub."""
    for name in ("hub", "hub.bak"):
        (tmp_path / name).write_text("server { location / { proxy_pass http://127.0.0.1:1; } }")
    main = tmp_path / "nginx.conf"
    main.write_text("events {}\nhttp {\n include hub*;\n}\n")
    assert ("backup-included", "%s:3" % main) in places_of(judged(main))


def test_the_table_of_arguments(tmp_path):
    """What crossplane knows of directives, for hosts without an nginx."""
    path = tmp_path / "site.conf"
    path.write_text("server { listen ;\n root a b; }\nroot;\nevents {}\n")
    tree = parser.read([str(path)], str(tmp_path))
    errors = list(parser.argument_errors(tree.directives, ("http",)))
    assert [place.rpartition(":")[2] for _, place in errors] == ["1", "2", "3", "4"]
    assert "not allowed here" in errors[-1][0]


def test_without_crossplane_it_says_what_to_install(jhpatch, monkeypatch):
    """The one command that needs it; render does not."""
    monkeypatch.setitem(sys.modules, "crossplane", None)
    answer = jhpatch(None, "nginx", "check", CORPUS)
    assert answer.code == 1 and answer.error["next"].endswith(" -m pip install crossplane")
