"""``nginx check CONFIG``: finds each fault where it stands, and nothing in what render writes."""

import os
import re
import sys

import pytest

from jhpatch.nginx.findings import TABLE, finding
from jhpatch.nginx.site_file import render
from testing import ROOT
from testing.nginx import judged_by_nginx, with_nginx
from testing.pages import documented, table_of
from tests.nginx.cases import CASES, TLS

CORPUS = os.path.join(ROOT, "tests", "nginx", "corpus")
NAMES = sorted(name for name in os.listdir(CORPUS) if name.endswith(".conf"))
FIELDS = {"code", "severity", "message", "path", "why", "next", "user"}

pytest.importorskip("crossplane")


def arrows(path):
    """The findings that a file says of itself, each as its code and ``file:line``."""
    with open(path) as file:
        for number, line in enumerate(file, 1):
            for code in re.findall(r"[\w.-]+", line.partition("# <- ")[2]):
                yield code, "%s:%d" % (path, number)


def found(answer):
    """Those of an answer."""
    return sorted((row["code"], row["path"]) for row in answer.document["findings"])


@pytest.mark.parametrize("name", NAMES)
def test_each_fault_is_found_where_it_stands(jhpatch, name):
    """And no other: exit 3 with the file, the line, why, and what to write; 0 without a fault."""
    path = os.path.join(CORPUS, name)
    answer = jhpatch(None, "nginx", "check", path)
    assert found(answer) == sorted(arrows(path))
    assert answer.code == (3 if found(answer) else 0)
    for row in answer.document["findings"]:
        assert set(row) == FIELDS and row["why"] and row["next"]
        assert "{" not in row["next"].replace("server {", "").replace("connection_upgrade {", "")


def test_the_corpus_has_each_fault():
    """Each finding about a configuration but a broken one is in one of its files."""
    seen = {code for name in NAMES for code, _ in arrows(os.path.join(CORPUS, name))}
    codes = list(TABLE.kinds)
    wanted = set(codes[1 : codes.index("unreachable")])
    assert seen == wanted


@with_nginx
@pytest.mark.parametrize("name", [one for one in NAMES if one != "ssl-on.conf"])
def test_the_corpus_is_what_nginx_takes(name, tmp_path, certificates):
    """Its faults are such as nginx runs with."""
    with open(os.path.join(CORPUS, name)) as file:
        text = file.read().replace("/etc/ssl", certificates)
    assert judged_by_nginx(text, tmp_path) == (0, [])


@pytest.mark.parametrize("name", sorted(set(CASES) - {"second-hub"}))
def test_nothing_is_found_in_what_render_writes(jhpatch, tmp_path, name):
    """By itself, and in a folder with a second hub's file, which leaves unknown names to it."""
    first, second = tmp_path / "hub.conf", tmp_path / "other.conf"
    first.write_text(render(CASES[name]))
    assert found(jhpatch(None, "nginx", "check", str(first))) == []
    second.write_text(render(CASES["second-hub"]._replace(listens=CASES[name].listens)))
    answer = jhpatch(None, "nginx", "check", str(tmp_path))
    assert (answer.code, found(answer)) == (0, [])


def test_a_second_hubs_file_alone_has_no_default_server(jhpatch, tmp_path):
    """Nothing else in that folder closes what has an unknown name."""
    (tmp_path / "other.conf").write_text(render(CASES["second-hub"]))
    answer = jhpatch(None, "nginx", "check", str(tmp_path))
    assert {code for code, _ in found(answer)} == {"catch-all"}


def test_includes_are_followed(jhpatch):
    """From nginx.conf, by pattern and by name, into a location; streams are not looked at."""
    folder = os.path.join(CORPUS, "whole")
    headers = os.path.join(folder, "snippets", "headers.conf")
    for path in (folder, os.path.join(folder, "nginx.conf")):
        assert found(jhpatch(None, "nginx", "check", path)) == sorted(arrows(headers))
    # A site file by itself: nginx.conf above it says where includes begin.
    site = os.path.join(folder, "sites-enabled", "hub")
    assert found(jhpatch(None, "nginx", "check", site)) == sorted(arrows(headers))


def test_only_the_servers_of_a_name(jhpatch, tmp_path):
    """Other sites of the same nginx are not judged; a name that no server has is exit 1."""
    with open(os.path.join(CORPUS, "whole", "nginx.conf")) as file:
        main = file.read()
    (tmp_path / "nginx.conf").write_text(main)
    (tmp_path / "sites-enabled").mkdir()
    (tmp_path / "sites-enabled/hub").write_text(render(CASES["plain"]))
    other = "server { listen 80; server_name shop.example.org; location / "
    (tmp_path / "sites-enabled/shop").write_text(other + "{ proxy_pass http://127.0.0.1:9; } }")
    check = ["nginx", "check", str(tmp_path)]
    assert jhpatch(None, *check).code == 3
    assert jhpatch(None, *check, "--server-name", "hub.example.org").code == 0
    answer = jhpatch(None, *check, "--server-name", "hub.example.net")
    assert answer.code == 1 and "hub.example.net" in answer.error["expected"]


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


def test_the_text_says_where_why_and_what_to_write(capsys):
    """As a person reads it."""
    from jhpatch.cli.main import main

    path = os.path.join(CORPUS, "widespread.conf")
    assert main(["nginx", "check", path]) == 3
    out = capsys.readouterr().out
    assert "error    origin-cleared  Origin is cleared\n" in out
    assert re.search(r"where: \S+/widespread.conf:\d+\n", out)
    assert "next:  take the line away, and proxy_set_header Host $http_host;\n" in out
    assert out.endswith("1 files, 1 places that pass requests on: 6 findings\n")


# what counts


SERVER = """
server { listen 443 ssl default_server; server_name _; return 444; }
server {
    %s
    ssl_protocols TLSv1.2 TLSv1.3; ssl_ciphers ECDHE-RSA-AES256-GCM-SHA384;
    client_max_body_size %s; proxy_http_version 1.1; proxy_read_timeout %s;
    proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade;
    proxy_set_header X-Forwarded-Proto https; proxy_set_header Host %s;
    location / { proxy_pass http://127.0.0.1:8000; %s }
}
"""


@pytest.mark.parametrize(
    "values, codes",
    [
        ({}, []),
        ({"listen": "listen [::]:8443 ssl; server_name a b;", "host": "$host"}, 2),
        ({"listen": "listen 443 ssl; listen 8443 ssl; server_name a;", "host": "$host"}, 2),
        ({"host": "$server_name"}, []),
        (
            {"listen": "listen 443 ssl; server_name a b;", "host": "$server_name"},
            ["host-replaced"],
        ),
        ({"host": "hub.example.org"}, ["host-replaced"]),
        ({"host": "$proxy_host"}, ["host-replaced"]),
        ({"host": "${http_host}"}, []),
        ({"body": "0"}, []),
        ({"body": "9999k"}, ["body-limit"]),
        ({"body": "10m"}, []),
        ({"timeout": "29"}, ["timeout-below-ping"]),
        ({"timeout": "31s"}, []),
        ({"timeout": "30000ms"}, ["timeout-below-ping"]),
        ({"more": "proxy_set_header X-Real-IP $remote_addr;"}, 4),  # all of the server's are off
        ({"more": "if ($a) { proxy_pass http://b; }"}, []),
        ({"more": "add_header X-Frame-Options sameorigin;"}, []),
        ({"more": "add_header content-security-policy x;"}, ["csp-at-proxy"]),
    ],
    ids=str,
)
def test_it_judges_as_nginx_inherits(jhpatch, tmp_path, values, codes):
    """The innermost level that says anything counts, for headers all of it."""
    path = tmp_path / "x.conf"
    given = dict(listen="listen 443 ssl; server_name a;", body="1g", timeout="1h", more="")
    given.update({"host": "$http_host"}, **values)
    order = ("listen", "body", "timeout", "host", "more")
    path.write_text(SERVER % tuple(given[name] for name in order))
    rows = [code for code, _ in found(jhpatch(None, "nginx", "check", str(path)))]
    if codes == 2:  # a second port that nobody closes
        codes = ["catch-all", "host-without-port"]
    elif codes == 4:
        codes = ["host-replaced", "no-forwarded-proto", "no-upgrade"]
    assert rows == codes


# the table


def test_the_documented_table_is_the_code():
    """docs/nginx.md has each finding with its severity, its meaning and its next step."""
    assert table_of("nginx.md") == documented(TABLE.kinds)


def test_each_finding_can_be_had_and_filled_in():
    """No row of the table without code that finds it, no next step with a name left open."""
    source = ""
    for name in os.listdir(os.path.join(ROOT, "jhpatch", "nginx")):
        if name.endswith(".py") and name != "findings.py":
            with open(os.path.join(ROOT, "jhpatch", "nginx", name), encoding="utf-8") as file:
                source += file.read()
    fields = dict.fromkeys(("port", "ssl", "ciphers", "host", "url"), "x")
    for code, kind in TABLE.kinds.items():
        assert '"%s"' % code in source, code
        one = finding(code, "x", **fields)
        assert one.why and (one.next is not None or kind.severity == "note")


def test_certificates_of_the_cases_are_nowhere():
    """A test that forgot to put real ones there would fail."""
    assert not os.path.exists(TLS)
