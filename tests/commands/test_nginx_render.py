"""``jhpatch nginx render``: options in, a site file out, exit codes as documented."""

import argparse
import os
import subprocess
import sys

import pytest

from jhpatch.commands import nginx as command
from jhpatch.commands import nginx_render
from jhpatch.nginx import version
from jhpatch.nginx.site_file import is_unchanged, render
from testing import ROOT
from testing.trees import times
from tests.nginx.cases import HUB, golden, pair

PLAIN = ["--server-name", "hub.example.org", "--upstream", "127.0.0.1:8000"]
PLAIN += ["--certificate", pair("hub")[0], "--certificate-key", pair("hub")[1]]
PLAIN += ["--nginx-version", "1.22.1"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["--server-name", "hub.example.org;"],
        ["--allow-origin", "https://lms.example.org/"],
        ["--auth-request", "https://127.0.0.1:4180"],
        ["--trusted-proxy", "192.0.2.1/8"],
        ["--trusted-proxy", "balancer"],
        ["--health-check", "/h;"],
        ["--acme-webroot", "relative", "--redirect-http"],
        ["--proxy-read-timeout", "long"],
        ["--snippet", "server"],
        ["--server-name", "hub.example.org"],  # twice
        ["--listen", "0"],
        ["--listen", "65536"],
        ["--listen", "300.1.1.1:80"],
        ["--listen", "[::1"],
        ["--upstream", "h:99999"],
        ["--upstream", "https://h:1"],  # the other is not
        ["--upstream", "unix:run/x"],
        ["--certificate", "/x"],
        ["--certificate", "relative.pem", "--certificate-key", "/k"],
        ["--external-scheme", "gopher"],
        ["--max-body", "lots"],
        ["--read-timeout", "30s"],
        ["--read-timeout", "0"],
        ["--base-url", "jupyter"],
        ["--listen", "unix:run"],
        ["--base-url", "/a/../b/"],
        ["--hsts", "-1"],
        ["--hsts", "soon"],
        ["--stapling", "ns.example.org"],
        ["--stapling", "fe80::1%eth0;"],
        ["--nginx-version", "1.17.9"],
        ["--nginx-version", "newest"],
        ["--redirect-http", "--listen", "80"],
        ["--redirect-http", "--listen", "443", "--listen", "8443"],
        ["--dry-run"],
    ],
    ids=" ".join,
)
def test_a_value_that_does_not_fit_is_a_usage_error(jhpatch, arguments):
    """2, what was expected, what to type next, and no file."""
    answer = jhpatch(None, "nginx", "render", *PLAIN, *arguments)
    assert answer.code == 2 and answer.document.get("file") is None
    assert answer.next.endswith("nginx render --help") and answer.error["message"]


def test_the_installed_version_is_asked_for(jhpatch, monkeypatch):
    """Where none is given; without an nginx --nginx-version is asked for."""
    arguments = ["nginx", "render", *PLAIN[:-2]]
    monkeypatch.setattr(version, "installed", lambda: "1.25.3")
    assert "http2 on;" in jhpatch(None, *arguments).document["file"]["text"]
    monkeypatch.setattr(version, "installed", lambda: None)
    answer = jhpatch(None, *arguments)
    assert answer.code == 2 and "--nginx-version" in answer.error["message"]


def rendered(jhpatch, path, *more):
    """The answer of a render into a file."""
    return jhpatch(None, "nginx", "render", *PLAIN, "--output", str(path), *more)


def test_it_is_written_whole(jhpatch, tmp_path):
    """The file of the golden case, 0644, and nothing else in the folder; twice: nothing to do."""
    path = tmp_path / "hub.conf"
    answer = rendered(jhpatch, path)
    assert (answer.code, answer.document["changed"]) == (0, True)
    with open(golden("plain"), "rb") as file:
        assert path.read_bytes() == file.read()
    assert os.stat(str(path)).st_mode & 0o777 == 0o644
    assert os.listdir(str(tmp_path)) == ["hub.conf"]
    before = times(str(tmp_path))
    again = rendered(jhpatch, path)
    assert (again.code, again.document["changed"]) == (0, False)
    assert times(str(tmp_path)) == before


def test_its_own_file_is_replaced(jhpatch, tmp_path):
    """With other values, and the mode that an administrator gave it."""
    path = tmp_path / "hub.conf"
    rendered(jhpatch, path)
    path.chmod(0o600)
    answer = rendered(jhpatch, path, "--listen", "8443")
    assert answer.code == 0 and "+    listen 8443 ssl http2;" in answer.document["file"]["diff"]
    assert "listen 8443" in path.read_text() and os.stat(str(path)).st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "text", ["", "server {}\n", "EDITED", "# jhpatch nginx render sha256:0\n"]
)
def test_what_others_wrote_stays(jhpatch, tmp_path, text):
    """5, the diff, no byte changed: a foreign file, an empty one, one of ours that was edited."""
    path = tmp_path / "hub.conf"
    if text == "EDITED":
        rendered(jhpatch, path)
        text = path.read_text().replace("100m", "1g")
    path.write_text(text)
    before = times(str(tmp_path))
    answer = rendered(jhpatch, path, "--listen", "8443")
    assert (answer.code, answer.error["code"]) == (5, "refused")
    assert "+    listen 8443 ssl http2;" in answer.document["file"]["diff"]
    assert (
        answer.error["path"] == str(path)
        and " to a directory that nginx does not include" in answer.next
    )
    assert times(str(tmp_path)) == before


def test_a_dry_run_shows_the_diff_and_writes_nothing(jhpatch, tmp_path, capsys):
    """Of a new file, of one that is there, and of a foreign one, which is refused."""
    path = tmp_path / "hub.conf"
    answer = rendered(jhpatch, path, "--dry-run")
    assert (answer.code, answer.document["would_change"]) == (0, True)
    assert not path.exists()
    rendered(jhpatch, path)
    assert not rendered(jhpatch, path, "--dry-run").document["would_change"]
    path.write_text("server {}\n")
    assert rendered(jhpatch, path, "--dry-run").code == 5


def test_no_link_and_no_device_is_written_to(jhpatch, tmp_path):
    """sites-enabled has symlinks: the file itself is asked for; a FIFO does not hold it up."""
    os.symlink("hub", str(tmp_path / "link"))
    os.mkfifo(str(tmp_path / "fifo"))
    os.mkdir(str(tmp_path / "folder"))
    for name in ("link", "fifo", "folder"):
        assert rendered(jhpatch, tmp_path / name).code in (1, 5), name
    assert str(tmp_path / "hub") in rendered(jhpatch, tmp_path / "link").error["next"]
    assert sorted(os.listdir(str(tmp_path))) == ["fifo", "folder", "link"]


def test_text_goes_out_as_it_is(tmp_path):
    """Without --output the file is on standard output, byte for byte, and nothing else is."""
    argv = [sys.executable, "-m", "jhpatch", "nginx", "render", *PLAIN]
    done = subprocess.run(argv, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert (done.returncode, done.stderr) == (0, b"")
    with open(golden("plain"), "rb") as file:
        assert done.stdout == file.read()
    assert is_unchanged(done.stdout) and not is_unchanged(done.stdout + b"\n")


def test_the_authorities_of_the_host_are_the_default(jhpatch, monkeypatch):
    """For an https:// upstream without --upstream-ca; an empty value is a usage error."""
    monkeypatch.setattr(nginx_render, "ca_file", lambda: "/etc/pki/x.crt")
    arguments = ["nginx", "render", *PLAIN]
    arguments[arguments.index("127.0.0.1:8000")] = "https://192.0.2.1:8000"
    text = jhpatch(None, *arguments).document["file"]["text"]
    assert "proxy_ssl_trusted_certificate /etc/pki/x.crt;" in text
    assert jhpatch(None, *arguments, "--upstream-ca", "").code == 2


def test_each_option_has_a_field():
    """What can be rendered can be typed."""
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    argv = ["render", *PLAIN[:-2], "--nginx-version", "1.25.1", "--listen", "8443"]
    argv += ["--redirect-http", "--hsts", "--stapling", "::1", "--max-body", "1g"]
    argv += ["--read-timeout", "2h", "--base-url", "/j/", "--external-scheme", "https"]
    argv += ["--upstream-ca", "/ca", "--no-default-server", "--trusted-proxy", "::1", "--http3"]
    argv += ["--acme-webroot", "/srv/acme", "--proxy-read-timeout", "5m"]
    argv += ["--allow-origin", "https://a.example", "--auth-request", "http://127.0.0.1:4180"]
    others = ["--proxy-protocol", "--snippet", "maps", "--health-check", "/healthz"]
    site = nginx_render.site_of(parser.parse_args(argv + others))
    assert all(new != old for new, old in zip(site[2:4] + site[5:], HUB[2:4] + HUB[5:]))
    assert "[::1]" in render(nginx_render.site_of(parser.parse_args(argv)))
