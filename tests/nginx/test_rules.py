"""``nginx check CONFIG``: finds each fault where it stands, and nothing in what render writes."""

import os

import pytest

from jhpatch.nginx.findings import TABLE
from jhpatch.nginx.site_file import render
from testing.nginx import judged_by_nginx, with_nginx
from tests.nginx.cases import CASES, CORPUS, arrows, places

NAMES = sorted(name for name in os.listdir(CORPUS) if name.endswith(".conf"))
FIELDS = {"code", "severity", "message", "path", "why", "next", "user"}

pytest.importorskip("crossplane")


@pytest.mark.parametrize("name", NAMES)
def test_each_fault_is_found_where_it_stands(jhpatch, name):
    """And no other: exit 3 with the file, the line, why, and what to write; 0 without a fault."""
    path = os.path.join(CORPUS, name)
    answer = jhpatch(None, "nginx", "check", path)
    assert places(answer) == sorted(arrows(path))
    assert answer.code == (3 if places(answer) else 0)
    for row in answer.document["findings"]:
        assert set(row) == FIELDS and row["why"] and row["next"]
        assert "{" not in row["next"].replace("server {", "").replace("connection_upgrade {", "")


def test_the_corpus_has_each_fault():
    """Each finding about a configuration but a broken one is in one of its files."""
    seen = {code for name in NAMES for code, _ in arrows(os.path.join(CORPUS, name))}
    codes = list(TABLE.kinds)
    assert seen == set(codes[1 : codes.index("unreachable")])


@with_nginx
@pytest.mark.parametrize("name", [name for name in NAMES if name != "ssl-on.conf"])
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
    assert places(jhpatch(None, "nginx", "check", str(first))) == []
    second.write_text(render(CASES["second-hub"]._replace(listens=CASES[name].listens)))
    answer = jhpatch(None, "nginx", "check", str(tmp_path))
    assert (answer.code, places(answer)) == (0, [])


def test_a_second_hubs_file_alone_has_no_default_server(jhpatch, tmp_path):
    """Nothing else in that folder closes what has an unknown name."""
    (tmp_path / "other.conf").write_text(render(CASES["second-hub"]))
    answer = jhpatch(None, "nginx", "check", str(tmp_path))
    assert {code for code, _ in places(answer)} == {"catch-all"}


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
    parts = dict(listen="listen 443 ssl; server_name a;", body="1g", timeout="1h", more="")
    parts.update({"host": "$http_host"}, **values)
    order = ("listen", "body", "timeout", "host", "more")
    path.write_text(SERVER % tuple(parts[name] for name in order))
    rows = [code for code, _ in places(jhpatch(None, "nginx", "check", str(path)))]
    if codes == 2:  # a second port that nobody closes
        codes = ["catch-all", "host-without-port"]
    elif codes == 4:
        codes = ["host-replaced", "no-forwarded-proto", "no-upgrade"]
    assert rows == codes
