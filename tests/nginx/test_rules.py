"""``nginx check CONFIG``: finds each fault where it stands, and nothing in what render writes."""

import os

import pytest

from jhpatch.nginx import answer_findings, version
from jhpatch.nginx.findings import TABLE
from jhpatch.nginx.site_file import render
from testing.nginx import judged_by_nginx, with_nginx
from tests.nginx.advice import carried_out
from tests.nginx.cases import CASES, CORPUS, arrows, judged, places, places_of

NAMES = sorted(name for name in os.listdir(CORPUS) if name.endswith(".conf"))
ELSEWHERE = ["elsewhere/" + name for name in sorted(os.listdir(os.path.join(CORPUS, "elsewhere")))]
FIELDS = {"code", "severity", "message", "path", "why", "next", "user"}
IN_CONTEXT = {"config-broken", "template", "backup-included", "no-x-scheme"}
"""Codes that need more than one site file; other tests have them."""
NOT_HERE = ["certbot.conf"]
"""It includes files that are not here."""
if (version.find() or version.Nginx("", "0.0")).number >= (1, 25, 1):
    NOT_HERE += ["ssl-on.conf", "docs-old.conf"]  # the directive is gone

pytest.importorskip("crossplane")


@pytest.mark.parametrize("name", NAMES + ELSEWHERE)
def test_each_fault_is_found_where_it_stands(name):
    """And no other: with the file, the line, why, and what to write."""
    path = os.path.join(CORPUS, name)
    found = judged(path)
    assert places_of(found) == sorted(arrows(path))
    for row in found:
        assert row.why and row.next and "{change}" not in "".join(row.next.parts)


def test_the_document_has_all_fields(jhpatch, monkeypatch):
    """Exit 3 with each field of each finding, the worst first; 0 where there are only notes."""
    monkeypatch.setattr(version, "find", lambda: None)
    answer = jhpatch(None, "nginx", "check", os.path.join(CORPUS, "widespread.conf"))
    assert answer.code == 3
    severities = [row["severity"] for row in answer.document["findings"]]
    assert severities == sorted(severities, key=["error", "warning", "note"].index)
    for row in answer.document["findings"]:
        assert set(row) == FIELDS and row["why"] and row["next"]
    for name in ("good.conf", "hub-docs.conf"):
        assert jhpatch(None, "nginx", "check", os.path.join(CORPUS, name)).code == 0


def test_the_corpus_has_each_fault():
    """Each finding about a configuration, but those that need more than a file, is in one."""
    seen = {code for name in NAMES + ELSEWHERE for code, _ in arrows(os.path.join(CORPUS, name))}
    assert seen == set(TABLE.kinds) - set(answer_findings.KINDS) - IN_CONTEXT


@with_nginx
@pytest.mark.parametrize("name", [name for name in NAMES if name not in NOT_HERE])
def test_the_corpus_is_what_nginx_takes(name, tmp_path, certificates):
    """Its faults are such as nginx runs with."""
    assert judged_by_nginx(_with_certificates(name, certificates), tmp_path)[0] == 0


def _with_certificates(name, certificates):
    with open(os.path.join(CORPUS, name)) as file:
        return file.read().replace("/etc/ssl/hub", certificates + "/hub")


@with_nginx
@pytest.mark.parametrize("name", [name for name in NAMES if name not in NOT_HERE])
def test_the_advice_is_tried(name, tmp_path, certificates):
    """Each change that a finding names is one that nginx accepts, and the fault is gone."""
    path = tmp_path / "advised.conf"
    path.write_text(_with_certificates(name, certificates))
    findings = judged(path)
    for row in findings:
        text = carried_out(_with_certificates(name, certificates), row)
        if text is None:
            continue
        assert judged_by_nginx(text, tmp_path)[0] == 0, (row, text)
        path.write_text(text)
        left = [one.code for one in judged(path)]
        assert left.count(row.code) < [one.code for one in findings].count(row.code), text


def test_advice_needs_no_certificate_of_an_old_nginx(tmp_path):
    """A default server of TLS has one before 1.19.4, and refuses the handshake since."""
    path = os.path.join(CORPUS, "catch-all.conf")
    for number, words in (((1, 18, 0), "ssl_certificate /"), ((1, 22, 1), "reject_handshake on")):
        (row,) = [row for row in judged(path, version=number) if row.code == "catch-all"]
        assert words in "".join(row.next.parts)


WHOLE = sorted(set(CASES) - {"second-hub", "maps", "locations"})


@pytest.mark.parametrize("name", WHOLE)
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
    assert jhpatch(None, *check).code == 0
    assert jhpatch(None, *check, "--server-name", "hub.example.org").code == 0
    answer = jhpatch(None, *check, "--server-name", "hub.example.net")
    assert answer.code == 1 and "hub.example.net" in answer.error["expected"]


SERVER = """
server {
    listen 443 ssl default_server; server_name _; return 444;
    ssl_reject_handshake on; ssl_protocols TLSv1.2 TLSv1.3;
}
server {
    ssl_certificate /etc/ssl/hub.pem; ssl_certificate_key /etc/ssl/hub.key; proxy_buffering off;
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
        ({"more": "if ($http_a) { proxy_pass http://b; }"}, []),
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
