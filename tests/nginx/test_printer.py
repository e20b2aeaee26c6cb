"""A tree as one file: the words survive, and each line knows where it came from."""

import pytest

from jhpatch.nginx import parser, printer

TEXT = r"""
map $http_upgrade $c { default upgrade; '' "a b"; ~^x\d{1,2}$ 1; }
server {
    server_name ~^(?<u>[a-z]+)\.x$ "a;b";
    if ($request_method !~ ^(GET|HEAD)$) { return 405 'it is "so"'; }
    if ($c) { return 400; }
    location ~ "^/x{2}" { add_header A "two
lines"; root /x; }
}
"""


def test_it_is_read_as_what_it_was(tmp_path):
    """Names, words and blocks; the places are those of the original."""
    pytest.importorskip("crossplane")
    path, copy = tmp_path / "a.conf", tmp_path / "b.conf"
    path.write_text(TEXT)
    first = parser.read([str(path)], str(tmp_path)).directives
    text, places = printer.lines(first)
    copy.write_text(text)
    second = parser.read([str(copy)], str(tmp_path)).directives
    assert _words(first) == _words(second)
    assert len(places) == text.count("\n")
    number = text[: text.index("root")].count("\n")
    assert places[number] == "%s:8" % path


def test_what_is_left_out(tmp_path):
    """Certificates and what needs them; then what a message of nginx is about."""
    pytest.importorskip("crossplane")
    path = tmp_path / "a.conf"
    path.write_text(
        "server { listen 443 ssl;\n listen 443 quic;\n ssl_certificate /x;\n"
        " more_x a;\n root /y; }\n"
    )
    tree = parser.read([str(path)], str(tmp_path)).directives
    (server,) = printer.without_files(tree)
    assert _words(server.block) == [
        ("listen", ("443",), []),
        ("more_x", ("a",), []),
        ("root", ("/y",), []),
    ]
    message = 'unknown directive "more_x"'
    (server,) = printer.without((server,), message, "%s:4" % path)
    assert [one.name for one in server.block] == ["listen", "root"]


def _words(directives):
    return [(one.name, one.args, _words(one.block or ())) for one in directives]
