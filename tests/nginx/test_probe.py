"""``nginx check --url``: a real front asked from outside, each verdict made to happen."""

import contextlib
import socket
import threading
import time

import pytest

from jhpatch.nginx import probe, version
from jhpatch.nginx.probe import Answer, verdict
from jhpatch.nginx.site_file import render
from testing import ports
from testing.nginx import Upstream, certificate, running, with_nginx
from tests.nginx.cases import HUB, TLS

FRONT = HUB._replace(server_names=("localhost",))


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """A folder with a certificate for localhost, and one that ends tomorrow."""
    folder = tmp_path_factory.mktemp("own")
    certificate(folder, "hub", "localhost")
    certificate(folder, "ending", "localhost", days=1)
    certificate(folder, "other", "hub.example.org")
    (folder / "cookie").write_text("Cookie: user=1; x=2\n")
    return str(folder)


@contextlib.contextmanager
def fronted(folder, own, checks=True, change=lambda text: text, **values):
    """A front of localhost, changed as an administrator would; its URL and its upstream."""
    (port,) = ports.free(1)
    with Upstream(checks) as upstream:
        listens = ("127.0.0.1:%d" % port,)
        given = FRONT._replace(listens=listens, version=version.version())
        given = given._replace(upstreams=("127.0.0.1:%d" % upstream.port,))._replace(**values)
        with running(change(render(given).replace(TLS, own)), folder, port):
            scheme = "https" if given.certificates else "http"
            yield "%s://localhost:%d/" % (scheme, port), upstream


def codes(answer):
    """Each finding's code, in order."""
    return [row["code"] for row in answer.document["findings"]]


def asked(jhpatch, url, own, *more):
    """The answer about a URL, with the certificate believed."""
    return jhpatch(None, "nginx", "check", "--url", url, "--ca", own + "/hub.pem", *more)


GOOD = ["certificate", "protocols", "name-unknown-closed", "origin-right"]
GOOD += ["origin-refused"] * 3 + ["origin-none"]


def no_gate(text):
    """Without what refuses foreign origins in nginx."""
    return text.replace("return 403;", "set $nothing 1;")


def widespread(text):
    """The widespread recipe's header, and no gate."""
    return no_gate(text).replace(
        "proxy_set_header Host $http_host;",
        'proxy_set_header Host $host; proxy_set_header Origin "";',
    )


@with_nginx
@pytest.mark.parametrize("logged_in", [False, True])
def test_a_front_as_render_writes_it(jhpatch, tmp_path, own, logged_in):
    """0, a verdict for each origin; with and without a login, and only GET was asked."""
    more = ["--user", "alice", "--cookie-file", own + "/cookie"] if logged_in else []
    with fronted(tmp_path, own) as (url, upstream):
        answer = asked(jhpatch, url, own, *more)
        assert (answer.code, codes(answer)) == (0, GOOD), answer
        said = [row["message"] for row in answer.document["findings"]]
        assert said[1].startswith("TLSv1.2, TLSv1.3; ")
        assert said[4:7] == [
            "https://jhpatch-check.example: 403 by nginx itself",
            url.replace("localhost", "jhpatch-check.localhost")[:-1] + ": 403 by nginx itself",
            "null: 403 by nginx itself",
        ]
        assert {request[0] for request in upstream.requests} == {"GET"}
        name = "alice" if logged_in else "jhpatch-check"
        path = "/user/%s/api/events/subscribe" % name
        assert {request[1] for request in upstream.requests} == {path}


@with_nginx
def test_the_widespread_recipe_is_found_out(jhpatch, tmp_path, own):
    """Logged in: the hole itself. Not logged in: that nginx does not tell them apart."""
    with fronted(tmp_path, own, change=widespread) as (url, _):
        answer = asked(jhpatch, url, own, "--cookie-file", own + "/cookie")
        assert codes(answer)[4:7] == ["origin-foreign-accepted"] * 3, answer
        assert answer.code == 3
        answer = asked(jhpatch, url, own)
        assert codes(answer)[4:7] == ["origin-not-told-apart"] * 3, answer
        assert answer.code == 3


@with_nginx
def test_without_the_gate_the_servers_check_is_seen(jhpatch, tmp_path, own):
    """By who has logged in; a server without a check is the hole again."""
    cookie = ["--cookie-file", own + "/cookie"]
    with fronted(tmp_path, own, change=no_gate) as (url, _):
        assert codes(asked(jhpatch, url, own, *cookie)) == GOOD
    other = tmp_path / "other"
    other.mkdir()
    with fronted(other, own, checks=False, change=no_gate) as (url, _):
        found = codes(asked(jhpatch, url, own, *cookie))
        assert found[4:7] == ["origin-foreign-accepted"] * 3


@with_nginx
@pytest.mark.parametrize(
    "old, new, code",
    [
        ("Host $http_host;", "Host $host;", "origin-right-refused"),
        ("Upgrade $", "X-Upgrade $", "upgrade-lost"),
        ('"$scheme://$http_host', '"http://$http_host', "origin-right-refused"),
        ("'~^[^ ]* $' 0;", "", "origin-none-refused"),
        ("    return 444;", "    return 444;", None),
    ],
)
def test_what_breaks_websockets_is_found(jhpatch, tmp_path, own, old, new, code):
    """$host, a header that is lost, a scheme that is not the browser's, scripts shut out."""
    with fronted(tmp_path, own, change=lambda text: text.replace(old, new)) as (url, _):
        answer = asked(jhpatch, url, own, "--cookie-file", own + "/cookie")
        assert (code in codes(answer)) == bool(code) and answer.code == (3 if code else 0)


@with_nginx
def test_an_unknown_name_that_is_answered(jhpatch, tmp_path, own):
    """A front without a default server of its own."""
    with fronted(tmp_path, own, default_server=False) as (url, _):
        assert "name-unknown-answered" in codes(asked(jhpatch, url, own))


@with_nginx
def test_certificates(jhpatch, tmp_path, own):
    """Nobody vouches for it; another name's; one that ends tomorrow."""
    with fronted(tmp_path, own) as (url, _):
        answer = jhpatch(None, "nginx", "check", "--url", url)
        assert codes(answer)[0] == "certificate-refused" and answer.code == 3
        assert codes(answer)[1:] == GOOD[1:]
    for name, found in (("other", "certificate-refused"), ("ending", "certificate-expiring")):
        folder = tmp_path / name
        folder.mkdir()
        pair = ("%s/%s.pem" % (TLS, name), "%s/%s.key" % (TLS, name))
        with fronted(folder, own, certificates=(pair,)) as (url, _):
            ca = "%s/%s.pem" % (own, name)
            answer = jhpatch(None, "nginx", "check", "--url", url, "--ca", ca)
            assert found in codes(answer) and answer.code == 3


@with_nginx
def test_old_protocols(jhpatch, tmp_path, own):
    """TLS 1.0 and 1.1, where this host's OpenSSL can ask for them at all."""

    def old(text):
        text = text.replace("TLSv1.2 TLSv1.3", "TLSv1 TLSv1.1 TLSv1.2")
        return text.replace("ssl_ciphers ECDHE", "ssl_ciphers ALL:@SECLEVEL=0:ECDHE")

    with fronted(tmp_path, own, change=old) as (url, _):
        answer = asked(jhpatch, url, own)
        said = answer.document["findings"][1]["message"]
        assert ("protocol-old" in codes(answer)) or "could not ask for: TLSv1" in said


@with_nginx
def test_plain_http(jhpatch, tmp_path, own):
    """It says so, and asks the rest."""
    values = dict(certificates=(), external_scheme="http")
    with fronted(tmp_path, own, **values) as (url, _):
        answer = jhpatch(None, "nginx", "check", "--url", url)
        assert codes(answer) == ["plain-http"] + GOOD[2:] and answer.code == 3


# bounds


@contextlib.contextmanager
def listening(serve):
    """A server that does with each connection what it likes; its port."""
    with contextlib.closing(socket.socket()) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(20)

        def accept():
            with contextlib.suppress(OSError):
                while True:
                    threading.Thread(target=serve, args=listener.accept()[:1], daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield listener.getsockname()[1]


def silent(made):
    """Never answers."""
    with contextlib.suppress(OSError):
        made.recv(10)
        time.sleep(60)


def drips(made):
    """An answer without an end, a byte now and then."""
    with contextlib.suppress(OSError):
        made.sendall(b"HTTP/1.1 200 OK\r\n")
        while True:
            made.sendall(b"x")
            time.sleep(0.01)


def floods(made):
    """An answer without an end."""
    with contextlib.suppress(OSError):
        while True:
            made.sendall(b"x" * 65536)


def shakes_hands(made):
    """A handshake without an end, a byte now and then: each read of it has its time anew."""
    with contextlib.suppress(OSError):
        made.sendall(b"\x16\x03\x03\x3f\xff")  # a record of 16383 bytes (RFC 8446, 5.1)
        while True:
            made.sendall(b"\x02")
            time.sleep(0.05)


@pytest.mark.parametrize(
    "serve, scheme",
    [
        (silent, "http"),
        (drips, "http"),
        (floods, "http"),
        (silent, "https"),
        (shakes_hands, "https"),
    ],
)
def test_whatever_answers_it_ends(serve, scheme):
    """In the time that it has, with a finding that says so."""
    with listening(serve) as port:
        one = probe.target("%s://127.0.0.1:%d/" % (scheme, port), None, None, None)
        began = time.monotonic()
        rows = probe.asked(one, seconds=2)
        assert time.monotonic() - began < 3
        assert {row.code for row in rows} & {"unreachable", "not-a-front"}, rows


def test_a_name_service_that_does_not_answer(monkeypatch):
    """It has no time limit of its own."""
    monkeypatch.setattr(probe.socket, "getaddrinfo", lambda *_, **__: time.sleep(20))
    began = time.monotonic()
    rows = probe.asked(probe.target("https://x/", None, None, None), seconds=0.5)
    assert time.monotonic() - began < 2 and [row.code for row in rows] == ["unreachable"]


def test_a_mistake_is_no_success(jhpatch, monkeypatch):
    """What goes wrong while it asks is exit 1, not an answer without findings."""
    monkeypatch.setattr(probe, "_asked", lambda *_: 1 / 0)
    assert jhpatch(None, "nginx", "check", "--url", "https://x/").code == 1


def test_nobody_is_there(jhpatch):
    """3, and how to look."""
    (port,) = ports.free(1)
    answer = jhpatch(None, "nginx", "check", "--url", "https://127.0.0.1:%d/" % port)
    assert codes(answer) == ["unreachable"] and answer.code == 3
    assert answer.document["findings"][0]["next"] == "nc -vz 127.0.0.1 %d" % port


@pytest.mark.parametrize(
    "arguments",
    [
        ["--url", "hub.example.org"],
        ["--url", "ftp://hub.example.org/"],
        ["--url", "https://hub.example.org:0/"],
        ["--url", "https://hub.example.org:99999/"],
        ["--url", "https://user@hub.example.org/"],
        ["--url", "https://hub.example.org/?x=1"],
        ["--url", "https://hub.example.org/ x"],
        ["--url", "https://hub.example.org/\r\nX: y"],
        ["--url", "https://hub.example.org/", "--cookie-file", "/nowhere"],
        ["--url", "https://hub.example.org/", "--server-name", "x"],
        ["--url", "https://hub.example.org/", "nginx.conf"],
        ["--user", "alice"],
        ["--ca", "/x"],
    ],
    ids=" ".join,
)
def test_usage(jhpatch, arguments):
    """A URL that is none, or more than a base path, is asked nothing."""
    answer = jhpatch(None, "nginx", "check", *arguments)
    assert answer.code == 2 and answer.next.endswith("nginx check --help")


@pytest.mark.parametrize("text", ["", "a=b\r\nX: y", "a=b\nc=d", "a=\u00e4"])
def test_a_cookie_that_is_none(tmp_path, text):
    """It becomes no header."""
    path = tmp_path / "cookie"
    path.write_bytes(text.encode())
    with pytest.raises(ValueError):
        probe.cookie(str(path))


def test_what_is_sent():
    """A port that is the scheme's own is left out, as browsers do; a name is quoted."""
    one = probe.target("https://Hub.example.org:443/j", "a/b c", None, None)
    assert (one.authority, one.origin) == ("hub.example.org", "https://hub.example.org")
    assert (one.base, one.user) == ("/j/", "a%2Fb%20c")
    assert probe.origins(one)["sibling"] == "https://jhpatch-check.example.org"
    one = probe.target("http://[::1]:8000", None, None, None)
    assert one.origin == "http://[::1]:8000"


PAGE = b"<center>nginx/1.22.1</center>"
VERDICTS = [
    # kind, answer, right, none, the verdict
    ("right", (101,), (101,), (101,), "origin-right"),
    ("right", (404,), (404,), (404,), "origin-right"),
    ("right", (403,), (403,), (403,), "origin-right"),  # not logged in
    ("right", (403,), (403,), (101,), "origin-right-refused"),
    ("right", (403, PAGE), (403, PAGE), (403,), "origin-right-refused"),
    ("right", (None,), (None,), (404,), "origin-right-refused"),
    ("right", (426,), (426,), (426,), "upgrade-lost"),
    ("right", (400, b'Can "Upgrade" only to'), (400,), (400,), "upgrade-lost"),
    ("foreign", (403, PAGE), (403,), (403,), "origin-refused"),
    ("foreign", (403,), (101,), (101,), "origin-refused"),
    ("foreign", (None,), (101,), (101,), "origin-refused"),
    ("foreign", (403,), (403,), (403,), "origin-not-told-apart"),
    ("null", (404,), (404,), (404,), "origin-not-told-apart"),
    ("sibling", (101,), (101,), (101,), "origin-foreign-accepted"),
    ("sibling", (101,), (403,), (403,), "origin-foreign-accepted"),
    ("none", (403,), (403,), (403,), "origin-none"),
    ("none", (403, PAGE), (403,), (403, PAGE), "origin-none-refused"),
]


@pytest.mark.parametrize("kind, answer, right, none, code", VERDICTS)
def test_verdicts(kind, answer, right, none, code):
    """What tells is that nginx answers itself, or that the right origin gets another answer."""
    assert verdict(kind, Answer(*answer), Answer(*right), Answer(*none)) == code
