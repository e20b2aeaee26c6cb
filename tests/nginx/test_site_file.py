"""``nginx render``: values in, a site file out that nginx takes, and no other value."""

import os
import re
import subprocess

import pytest

from jhpatch.commands import nginx as command
from jhpatch.nginx import version as versions
from jhpatch.nginx.site_file import is_ours, render
from testing.nginx import judged_by_nginx, with_nginx
from testing.trees import times
from tests.nginx.cases import CASES, HUB, TLS, TWO, golden, pair

PLAIN = ["--server-name", "hub.example.org", "--upstream", "127.0.0.1:8000"]
PLAIN += ["--certificate", pair("hub")[0], "--certificate-key", pair("hub")[1]]
PLAIN += ["--nginx-version", "1.22.1"]


# the text


@pytest.mark.parametrize("name", sorted(CASES))
def test_the_same_values_give_the_same_bytes(name):
    """Those of the golden file."""
    with open(golden(name), encoding="ascii") as file:
        assert render(CASES[name]) == file.read()


def test_each_golden_file_has_its_case():
    """None is left that nothing renders."""
    assert {golden(name) for name in CASES} == {
        os.path.join(os.path.dirname(golden("x")), name)
        for name in os.listdir(os.path.dirname(golden("x")))
    }


def test_what_makes_it_safe_is_in_each():
    """Host whole, Origin untouched, the gate, HTTP/1.1, and long timeouts in one place alone."""
    for name, front in CASES.items():
        text = re.sub("(?m)#.*$", "", render(front))
        servers = 2 if len(front.certificates) > 1 else 1
        assert text.count("proxy_set_header Host $http_host;") == servers, name
        assert "proxy_set_header Origin" not in text and "$host;" not in text
        assert len(re.findall(r"if \(\$\w+_refused\) \{\s+return 403;", text)) == servers
        assert text.count("proxy_http_version 1.1;") == servers
        assert text.count("proxy_read_timeout") == servers
        inside = re.findall(r"location @\w+_websocket \{([^}]*)\}", text)
        assert len(inside) == servers and all("proxy_read_timeout" in one for one in inside)


@pytest.mark.parametrize(
    "version, http2, refuses",
    [
        ("1.18.0", "listen 443 ssl http2;", False),
        ("1.19.4", "listen 443 ssl http2;", True),
        ("1.25.0", "listen 443 ssl http2;", True),
        ("1.25.1", "http2 on;", True),
        ("1.31", "http2 on;", True),
    ],
)
def test_the_spelling_is_the_versions(version, http2, refuses):
    """http2 became a directive in 1.25.1; ssl_reject_handshake came with 1.19.4."""
    text = render(HUB._replace(version=version))
    assert http2 in text and ("ssl http2" in text) == ("http2 on" not in text)
    assert ("ssl_reject_handshake on;" in text) == refuses
    assert text.count("    ssl_certificate ") == (1 if refuses else 2)


def test_two_hubs_share_an_nginx():
    """Nothing that one file names is named by another, of another name or port."""
    other = HUB._replace(server_names=("hub.example.com",))
    named = [
        set(re.findall(r"\bfront_\w+", render(one)))
        for one in (HUB, other, HUB._replace(listens=("8443",)))
    ]
    assert not named[0] & named[1] and not named[0] & named[2]


# values that do not fit

HOSTILE = [
    *("a;b", "a b", "a\nb", "a{b", "a}b", "a$b", 'a"b', "a'b", "a\\b", "a#b", "a\tb", "a\rb"),
    *("", ";", "a;", "$host", "a;}server{", "\u00e4", "a\x00", "a\u2028b", "x" * 300, "include"),
]


@pytest.mark.parametrize("value", HOSTILE)
@pytest.mark.parametrize(
    "field, wrap",
    [
        ("server_names", lambda value: (value,)),
        ("upstreams", lambda value: (value,)),
        ("upstreams", lambda value: (value + ":80",)),
        ("upstreams", lambda value: ("https://%s:80" % value,)),
        ("upstreams", lambda value: ("unix:/" + value,)),
        ("listens", lambda value: (value,)),
        ("listens", lambda value: ("[%s]:443" % value,)),
        ("certificates", lambda value: ((value, "/k"),)),
        ("certificates", lambda value: (("/c", value),)),
        ("certificates", lambda value: (("/c/" + value, "/k"),)),
        ("max_body", lambda value: value),
        ("read_timeout", lambda value: value),
        ("base_url", lambda value: "/%s/" % value),
        ("upstream_ca", lambda value: value),
        ("stapling", lambda value: value),
        ("external_scheme", lambda value: value),
        ("version", lambda value: value),
    ],
)
def test_no_value_breaks_out(field, wrap, value):
    """It is refused, or stands in the file as the plain word that it is."""
    try:
        text = render(HUB._replace(**{field: wrap(value)}))
    except ValueError:
        return
    assert re.fullmatch("[a-z]*", value), (field, value)
    harmless = render(HUB._replace(**{field: wrap("word")}))
    assert all(text.count(sign) == harmless.count(sign) for sign in ";{}$\n"), (field, value)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--server-name", "hub.example.org;"],
        ["--server-name", "Hub.example.org"],
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


@pytest.mark.parametrize(
    "front",
    [
        HUB._replace(server_names=()),
        HUB._replace(upstreams=()),
        HUB._replace(listens=()),
        HUB._replace(certificates=()),
        HUB._replace(certificates=(pair("a"), pair("b"))),
        HUB._replace(certificates=(), external_scheme="http", hsts=1),
        HUB._replace(certificates=(), external_scheme="https", redirect_http=True),
        HUB._replace(certificates=(), external_scheme="https", stapling="192.0.2.1"),
    ],
)
def test_what_values_ask_of_each_other(front):
    """A front that could not work, or would not be safe, is not rendered."""
    with pytest.raises(ValueError):
        render(front)


# nginx itself


@with_nginx
@pytest.mark.parametrize("name", sorted(CASES))
def test_nginx_takes_it(name, tmp_path, certificates):
    """nginx -t on each file, as for the nginx that is here; without a warning."""
    front = CASES[name]._replace(version=versions.version())
    done = judged_by_nginx(render(front).replace(TLS, certificates), tmp_path)
    assert done == (0, []), done


@with_nginx
def test_nginx_takes_several_hubs(tmp_path, certificates):
    """One file closes what has an unknown name, the others leave it to that."""
    fronts = [CASES["plain"], CASES["second-hub"]]
    text = "".join(render(one._replace(version=versions.version())) for one in fronts)
    assert judged_by_nginx(text.replace(TLS, certificates), tmp_path) == (0, [])


@with_nginx
def test_nginx_would_say_so(tmp_path, certificates):
    """What is broken is not taken: the test above can fail."""
    text = render(TWO).replace("proxy_http_version 1.1;", "proxy_http_version 1.1")
    assert judged_by_nginx(text.replace(TLS, certificates), tmp_path)[0] == 1


def test_the_installed_version_is_asked_for(jhpatch, monkeypatch):
    """Where none is given; without an nginx --nginx-version is asked for."""
    arguments = ["nginx", "render", *PLAIN[:-2]]
    monkeypatch.setattr(versions, "version", lambda: "1.25.3")
    assert "http2 on;" in jhpatch(None, *arguments).document["file"]["text"]
    monkeypatch.setattr(versions, "version", lambda: None)
    answer = jhpatch(None, *arguments)
    assert answer.code == 2 and "--nginx-version" in answer.error["message"]


# --output


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
    assert answer.error["path"] == str(path) and answer.next.startswith("mv ")
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


def test_a_disk_that_is_full_leaves_the_old_file(jhpatch, tmp_path, monkeypatch):
    """And no half of a new one beside it."""
    from jhpatch.nginx import output

    path = tmp_path / "hub.conf"
    rendered(jhpatch, path)
    before = path.read_bytes()

    def full(fd):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(output.os, "fsync", full)
    assert rendered(jhpatch, path, "--listen", "8443").code == 1
    assert path.read_bytes() == before and os.listdir(str(tmp_path)) == ["hub.conf"]


def test_who_was_faster_is_not_written_over(tmp_path):
    """Between the look and the replace somebody else has put a file there, or changed it."""
    from jhpatch.errors import Refused
    from jhpatch.nginx import output

    path = tmp_path / "hub.conf"
    path.write_text("theirs")
    for before in (None, b"ours"):
        with pytest.raises(Refused):
            output.write(str(path), b"new", before)
    assert path.read_text() == "theirs" and os.listdir(str(tmp_path)) == ["hub.conf"]


def test_text_goes_out_as_it_is(tmp_path):
    """Without --output the file is on standard output, byte for byte, and nothing else is."""
    import sys

    from testing import ROOT

    argv = [sys.executable, "-m", "jhpatch", "nginx", "render", *PLAIN]
    done = subprocess.run(argv, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert (done.returncode, done.stderr) == (0, b"")
    with open(golden("plain"), "rb") as file:
        assert done.stdout == file.read()
    assert is_ours(done.stdout) and not is_ours(done.stdout + b"\n")


def test_each_option_has_a_field():
    """What can be rendered can be typed."""
    import argparse

    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    argv = ["render", *PLAIN[:-2], "--nginx-version", "1.25.1", "--listen", "8443"]
    argv += ["--redirect-http", "--hsts", "--stapling", "::1", "--max-body", "1g"]
    argv += ["--read-timeout", "2h", "--base-url", "/j/", "--external-scheme", "https"]
    argv += ["--upstream-ca", "/ca", "--no-default-server"]
    front = command._front(parser.parse_args(argv))
    assert all(new != old for new, old in zip(front[2:4] + front[5:], HUB[2:4] + HUB[5:]))
    assert "[::1]" in render(front)
