"""nginx gets what jhpatch read, and nothing else; root never runs it as root."""

import os
import re

import pytest

from jhpatch.nginx import configuration, syntax, version
from jhpatch.system import path_owners
from testing.nginx import with_nginx

pytest.importorskip("crossplane")

MAIN = """load_module /srv/evil.so;
ssl_engine evil;
events {}
http {
    include ../opt/options.conf;
    server {
        listen 443 ssl;
        ssl_certificate ../tls/hub.pem;
        ssl_certificate_key "engine:/srv/evil.so:x";
        location / { proxy_pass http://127.0.0.1:8000; %s }
    }
}
"""


@pytest.fixture
def etc(tmp_path):
    """A configuration that includes a file beside its directory."""
    (tmp_path / "etc").mkdir()
    (tmp_path / "opt").mkdir()
    (tmp_path / "opt" / "options.conf").write_text("gzip on;\n")
    main = tmp_path / "etc" / "nginx.conf"
    main.write_text(MAIN % "")
    return main


@pytest.fixture
def asked(tmp_path, monkeypatch):
    """``asked(path)``: the findings, and what nginx got: its user, its file and their text."""
    program = tmp_path / "bin" / "nginx"
    program.parent.mkdir()
    program.write_text(
        '#!/bin/sh\necho "uid $(id -u) $3 $(cat $3)" >&2\n'
        "echo '[emerg] 1#1: unknown directive \"jhpatch_end_of_configuration\" in x:1' >&2\n"
    )
    program.chmod(0o755)
    for above in [program.parent, *program.parents]:
        if above != above.parent:
            above.chmod(above.stat().st_mode | 0o055)
    outputs = []
    verdict = syntax._verdict
    monkeypatch.setattr(syntax, "_verdict", lambda out: (outputs.append(out), verdict(out))[1])

    def ask(path):
        nginx = version.Nginx(str(program), "1.22.1")
        return syntax.check(configuration.read(str(path)), nginx), "".join(outputs)

    return ask


def test_what_nginx_gets(etc, asked):
    """No code, no include, no relative name; a directory that others cannot write."""
    _, output = asked(etc)
    uid, path = re.match(r"uid ([0-9]+) (/\S+)", output).groups()
    assert int(uid) != 0
    assert "gzip" in output and "proxy_pass" in output
    assert not re.search(r"include|load_module|engine|\.\./|evil", output)
    above = os.path.dirname(os.path.dirname(path))
    own = os.geteuid()
    assert not above.startswith("/tmp")
    assert path_owners.writer_of(above, lambda one: one == own) is None
    assert not os.path.exists(path)


def test_relative_names_become_absolute(etc, asked):
    """Against the directory of the main file."""
    etc.write_text(MAIN.replace("engine:/srv/evil.so:x", "tls/hub.key") % "")
    output = asked(etc)[1]
    assert '"%s/../tls/hub.pem"' % etc.parent in output
    assert '"%s/tls/hub.key"' % etc.parent in output


@with_nginx
@pytest.mark.parametrize("text, line", [("gzip on;\n", None), ("gzip on;\n gzip no;\n", 2)])
def test_an_include_beside_the_directory(etc, text, line):
    """Is found, and so is what is wrong in it."""
    options = etc.parent.parent / "opt" / "options.conf"
    options.write_text(text)
    rows = syntax.check(configuration.read(str(etc)), version.find())
    places = [row.path for row in rows if row.code == "config-broken"]
    assert places == ([] if line is None else ["%s/../opt/options.conf:2" % etc.parent])


@pytest.mark.parametrize("kind", ["too large", "fifo", "directory"])
def test_nginx_is_not_asked_about_what_was_not_read(etc, asked, kind):
    """Its owner was not checked, and what it sets is not known."""
    options = etc.parent.parent / "opt" / "options.conf"
    options.unlink()
    if kind == "fifo":
        os.mkfifo(str(options))
    elif kind == "directory":
        options.mkdir()
    else:
        options.write_text("#" * (4 << 20) + "\n")
    rows, output = asked(etc)
    assert output == ""
    assert [row.code for row in rows] == ["not-known"]
    assert "did not run" in rows[0].message and "options.conf" in rows[0].message


@with_nginx
def test_what_needs_a_module(etc):
    """No module is loaded: its directives are not known. Others are."""
    etc.write_text(MAIN % "vendor_x on;")
    rows = syntax.check(configuration.read(str(etc)), version.find())
    assert {row.code for row in rows} == {"not-known"}
    etc.write_text(MAIN.replace("/srv/evil.so;", "modules/ngx_stream_module.so;") % "gzib on;")
    rows = syntax.check(configuration.read(str(etc)), version.find())
    assert [row.path for row in rows if row.code == "config-broken"] == ["%s:10" % etc]


@with_nginx
@pytest.mark.parametrize("name", ["/nowhere/hub.key", "hub.key"])
def test_a_missing_key_of_the_own_nginx(etc, name, certificates):
    """Breaks it, whether or not nginx's account could see that the key is missing."""
    text = MAIN.replace("engine:/srv/evil.so:x", name).replace("../tls", certificates)
    etc.write_text(re.sub("(?m)^(load_module|ssl_engine).*", "", text) % "")
    nginx = version.find()._replace(main=str(etc))
    rows = syntax.check(configuration.read(str(etc)), nginx)
    assert [row.path for row in rows if row.code == "config-broken"] != []


def test_words_stay_words(etc, asked):
    """A quoted name or condition does not become a directive of its own in the copy."""
    etc.write_text(
        "events {}\nhttp { server {\n"
        'if ( "$a) {} load_module /srv/x.so; if ($b" = 1) { return 403; }\n'
        '"gzip on; load_module /srv/x.so; gzip" on; } }\n'
    )
    lines = asked(etc)[1].splitlines()
    assert not [line for line in lines if re.search(r"(^|[;{}])\s*load_module", _bare(line))]


def _bare(line):
    return re.sub(r'"(\\.|[^"])*"', "word", line)
