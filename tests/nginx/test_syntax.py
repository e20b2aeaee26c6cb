"""What nginx itself says: asked on the files as they are, and nothing on the host changes."""

import os
import pwd
import shutil
import socket
import tempfile

import pytest

from jhpatch.nginx import configuration, syntax, version
from testing.nginx import with_nginx
from tests.nginx.cases import CORPUS, arrows, places_of

pytest.importorskip("crossplane")

BROKEN = sorted(os.listdir(os.path.join(CORPUS, "broken")))
ONLY_NGINX = ("no-map.conf", "regex-uri.conf")
"""Faults that the table of directives does not know."""


def refused(path, nginx):
    """What is broken, and the rest."""
    rows = syntax.check(configuration.read(str(path)), nginx)
    broken = [row for row in rows if row.code == "config-broken"]
    return broken, [row for row in rows if row.code != "config-broken"]


@pytest.fixture
def copied(tmp_path, certificates):
    """``copied("x.conf")``: a file of the corpus, with certificates that can be read."""

    def copy(name):
        path = tmp_path / os.path.basename(name)
        with open(os.path.join(CORPUS, name)) as file:
            path.write_text(file.read().replace("/etc/ssl/hub", certificates + "/hub"))
        return path

    return copy


@with_nginx
@pytest.mark.parametrize("name", BROKEN)
def test_nginx_decides(name, copied):
    """With the line; with its certificates, and where these cannot be read."""
    for path in (copied("broken/" + name), os.path.join(CORPUS, "broken", name)):
        broken, _ = refused(path, version.find())
        assert places_of(broken) == sorted(arrows(path))
        assert broken[0].message.startswith(("nginx ", "no "))


@pytest.mark.parametrize("name", [name for name in BROKEN if name not in ONLY_NGINX])
def test_without_nginx_a_table_decides(name):
    """As far as it can, and it says so."""
    path = os.path.join(CORPUS, "broken", name)
    broken, rest = refused(path, None)
    assert set(arrows(path)) <= set(places_of(broken)) and not rest


@with_nginx
@pytest.mark.parametrize("name", ["good.conf", "widespread.conf", "whole", "unix-variable.conf"])
def test_what_runs_is_not_refused(name, copied):
    """nginx can start with it; where it cannot read a certificate that is a note."""
    broken, rest = refused(os.path.join(CORPUS, name), version.find())
    assert broken == [] and {row.code for row in rest} <= {"not-known"}
    if name.endswith(".conf"):
        broken, rest = refused(copied(name), version.find())
        assert broken == []
        # Root's nginx has the account nobody, which may be unable to read the certificates.
        assert all("Permission denied" in row.message for row in rest)
        assert os.geteuid() == 0 or not rest


@with_nginx
@pytest.mark.parametrize("name", sorted(os.listdir(os.path.join(CORPUS, "elsewhere"))))
def test_what_this_nginx_does_not_have(name):
    """A file for another version or build is not broken, but on the path of the own nginx."""
    path = os.path.join(CORPUS, "elsewhere", name)
    nginx = version.find()
    broken, rest = refused(path, nginx)
    assert broken == []
    if nginx.number < (1, 25, 0):
        assert [row.code for row in rest] == ["not-known"]
    if name == "stream.conf" and rest:
        assert refused(path, nginx._replace(main=path))[0]


@with_nginx
def test_nothing_on_the_host_changes(monkeypatch, tmp_path):
    """No port, log, pid or directory, though the configuration names them."""
    made, make = [], tempfile.mkdtemp
    monkeypatch.setattr(tempfile, "mkdtemp", lambda **how: (made.append(make(**how)), made[-1])[1])
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen(1)
        port = taken.getsockname()[1]
        text = (
            "pid %(d)s/pid; error_log %(d)s/error.log; events {}\n"
            "http { access_log %(d)s/access.log; client_body_temp_path %(d)s/body;\n"
            "include more/*.conf;\n"
            "server { listen 127.0.0.1:%(p)d; location / { proxy_pass http://127.0.0.1:1; } } }\n"
        )
        main = tmp_path / "nginx.conf"
        main.write_text(text % {"d": tmp_path, "p": port})
        (tmp_path / "more").mkdir()
        (tmp_path / "more" / "a.conf").write_text("gzip on;\ngzip maybe;\n")
        broken, _ = refused(main, version.find())
        assert [row.path for row in broken] == ["%s/more/a.conf:2" % tmp_path]
        (tmp_path / "more" / "a.conf").write_text("gzip on;\n")
        assert refused(main, version.find()) == ([], [])
    assert sorted(os.listdir(str(tmp_path))) == ["more", "nginx.conf"]
    assert made and not [path for path in made if os.path.exists(path)]


@with_nginx
@pytest.mark.skipif(os.geteuid() != 0, reason="another user cannot read these keys either")
@pytest.mark.parametrize("key, line", [("hub", None), ("notebooks", 13)])
def test_root_compares_keys_that_root_alone_can_read(tmp_path, certificates, key, line):
    """No note where they fit, as on each host that keeps them secret; the rest is still judged."""
    for name in os.listdir(certificates):
        shutil.copy(os.path.join(certificates, name), str(tmp_path / name))
        (tmp_path / name).chmod(0o600)
    text = "".join(open(os.path.join(CORPUS, "good.conf")))
    text = text.replace("/etc/ssl/hub.key", "%s/%s.key" % (tmp_path, key))
    path = tmp_path / "site.conf"
    path.write_text(text.replace("/etc/ssl/hub.pem", str(tmp_path / "hub.pem")))
    broken, rest = refused(path, version.find())
    assert rest == []
    found = text.splitlines().index("    ssl_certificate_key %s/%s.key;" % (tmp_path, key)) + 1
    assert [row.path for row in broken] == ([] if line is None else ["%s:%d" % (path, found)])
    path.write_text(path.read_text().replace("proxy_buffering off", "proxy_bufering off"))
    broken, rest = refused(path, version.find())
    assert broken and rest == []


def script(path, text):
    """A program in nginx's place."""
    path.write_text("#!/bin/sh\n" + text)
    path.chmod(0o755)
    return version.Nginx(str(path), "1.22.1")


def test_an_nginx_that_hangs(tmp_path, monkeypatch):
    """Is ended, and the table decides."""
    monkeypatch.setattr(syntax, "_TIMEOUT", 0.3)
    nginx = script(tmp_path / "nginx", "exec sleep 60\n")
    path = os.path.join(CORPUS, "broken", "envsubst-unset.conf")
    broken, rest = refused(path, nginx)
    assert broken and [row.code for row in rest] == ["not-known"]


def test_an_nginx_that_prints_nothing(tmp_path):
    """Has not decided."""
    nginx = script(tmp_path / "nginx", "exit 1\n")
    _, rest = refused(os.path.join(CORPUS, "good.conf"), nginx)
    assert [row.code for row in rest] == ["not-known"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_root_asks_as_the_owner_of_the_file(tmp_path):
    """As nobody about files of root: a configuration can name code that nginx runs.

    Who owns a file can include one of root's, and receives nothing of it.
    """
    folder = tmp_path / "theirs"
    shutil.copytree(os.path.join(CORPUS, "whole"), str(folder))
    program = script(tmp_path / "nginx", 'echo "[emerg] 1#1: uid $(id -u) in x:1" >&2\n')
    for above in [tmp_path, *tmp_path.parents]:
        if above != above.parent:
            above.chmod(above.stat().st_mode | 0o055)
    (row,) = refused(folder / "nginx.conf", program)[0]
    assert "uid %d" % pwd.getpwnam("nobody").pw_uid in row.message
    for base, folders, files in os.walk(str(folder)):
        for name in [base, *(os.path.join(base, one) for one in folders + files)]:
            os.chown(name, 4321, 4321)
    (row,) = refused(folder / "nginx.conf", program)[0]
    assert "uid 4321" in row.message
    text = (folder / "nginx.conf").read_text()
    secret = tmp_path / "secret.conf"
    secret.write_text("# of root alone\n")
    secret.chmod(0o600)
    (folder / "nginx.conf").write_text(text + "include link.conf;\n")
    (folder / "link.conf").symlink_to(secret)
    broken, rest = refused(folder / "nginx.conf", program)
    assert not broken and "uid 4321" in rest[0].message and "every file" in rest[0].message
    secret.chmod(0o644)
    (row,) = refused(folder / "nginx.conf", program)[0]
    assert "uid 4321" in row.message
    (folder / "nginx.conf").write_text(text)
    os.chown(str(folder), 0, 0)
    os.chown(str(folder / "nginx.conf"), 0, 0)
    (folder / "nginx.conf").chmod(0o666)
    broken, rest = refused(folder / "nginx.conf", program)
    assert not broken and "could not run" in rest[0].message
