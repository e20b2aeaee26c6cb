"""``nginx check --url``: a real nginx is probed, and each finding is made to happen."""

import contextlib
import os
import socket
import threading
import time

import pytest

from jhpatch.nginx import probe, target, version
from jhpatch.nginx.site_file import render
from testing import ports
from testing.nginx import Upstream, certificate, running, with_nginx
from tests.nginx.cases import HUB, TLS

SITE = HUB._replace(server_names=("localhost",))


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
def proxy(folder, own, checks=True, change=lambda text: text, **values):
    """A reverse proxy of localhost, its file changed by ``change``; its URL and upstream."""
    (port,) = ports.free(1)
    with Upstream(checks) as upstream:
        listens = ("127.0.0.1:%d" % port,)
        site = SITE._replace(listens=listens, version=version.installed())
        site = site._replace(upstreams=("127.0.0.1:%d" % upstream.port,))._replace(**values)
        with running(change(render(site).replace(TLS, own)), folder, port):
            scheme = "https" if site.certificates else "http"
            yield "%s://localhost:%d/" % (scheme, port), upstream


def codes(answer):
    """Each finding's code, in order."""
    return [row["code"] for row in answer.document["findings"]]


def check(jhpatch, url, own, *more):
    """The answer about a URL, with the certificate trusted."""
    return jhpatch(None, "nginx", "check", "--url", url, "--ca", own + "/hub.pem", *more)


GOOD = ["certificate", "protocols", "name-unknown-closed", "origin-right"]
GOOD += ["origin-refused"] * 3 + ["origin-none"]


def no_gate(text):
    """Without the refusal of foreign origins in nginx."""
    return text.replace("return 403;", "set $nothing 1;")


def widespread(text):
    """The widespread configuration: Origin cleared, and no gate."""
    return no_gate(text).replace(
        "proxy_set_header Host $http_host;",
        'proxy_set_header Host $host; proxy_set_header Origin "";',
    )


@with_nginx
@pytest.mark.parametrize("logged_in", [False, True])
def test_a_site_as_render_writes_it(jhpatch, tmp_path, own, logged_in):
    """0, a finding for each origin; with and without a login, and only GET was sent."""
    more = ["--user", "alice", "--cookie-file", own + "/cookie"] if logged_in else []
    with proxy(tmp_path, own) as (url, upstream):
        answer = check(jhpatch, url, own, *more)
        assert (answer.code, codes(answer)) == (0, GOOD), answer
        messages = [row["message"] for row in answer.document["findings"]]
        assert messages[1].startswith("accepted: TLSv1.2, TLSv1.3; ")
        assert messages[4:7] == [
            "https://jhpatch-check.example: 403 by nginx itself",
            url.replace("localhost", "jhpatch-check.localhost")[:-1] + ": 403 by nginx itself",
            "null: 403 by nginx itself",
        ]
        assert {request[0] for request in upstream.requests} == {"GET"}
        name = "alice" if logged_in else "jhpatch-check"
        path = "/user/%s/api/events/subscribe" % name
        assert {request[1] for request in upstream.requests} == {path, "/hub/login"}


@with_nginx
def test_the_widespread_configuration_is_found(jhpatch, tmp_path, own):
    """Logged in: the vulnerability itself. Not logged in: nginx treats all origins alike."""
    with proxy(tmp_path, own, change=widespread) as (url, _):
        answer = check(jhpatch, url, own, "--cookie-file", own + "/cookie")
        assert codes(answer)[:3] == ["origin-foreign-accepted"] * 3, answer
        assert answer.code == 3
        answer = check(jhpatch, url, own)
        assert codes(answer)[:3] == ["origin-not-told-apart"] * 3, answer
        assert answer.code == 3


@with_nginx
def test_without_the_gate_the_servers_check_is_seen(jhpatch, tmp_path, own):
    """By users who have logged in; a server without a check is vulnerable again."""
    cookie = ["--cookie-file", own + "/cookie"]
    with proxy(tmp_path, own, change=no_gate) as (url, _):
        assert codes(check(jhpatch, url, own, *cookie)) == GOOD
    other = tmp_path / "other"
    other.mkdir()
    with proxy(other, own, checks=False, change=no_gate) as (url, _):
        answer = check(jhpatch, url, own, *cookie)
        assert codes(answer)[:3] == ["origin-foreign-accepted"] * 3


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
    with proxy(tmp_path, own, change=lambda text: text.replace(old, new)) as (url, _):
        answer = check(jhpatch, url, own, "--cookie-file", own + "/cookie")
        assert (code in codes(answer)) == bool(code) and answer.code == (3 if code else 0)


@with_nginx
@pytest.mark.parametrize("kind", ["refused", "http", "verified"])
def test_a_cookie_is_sent_to_a_verified_server_alone(jhpatch, tmp_path, own, kind):
    """Whoever else answers would be logged in as the user."""
    values = {"certificates": (), "external_scheme": "http"} if kind == "http" else {}
    with proxy(tmp_path, own, change=no_gate, **values) as (url, upstream):
        authority = own + ("/other.pem" if kind == "refused" else "/hub.pem")
        arguments = ("--ca", authority, "--cookie-file", own + "/cookie")
        answer = jhpatch(None, "nginx", "check", "--url", url, *arguments)
        assert upstream.cookies and any(upstream.cookies) == (kind == "verified")
        assert ("cookie-not-sent" in codes(answer)) == (kind != "verified")


@with_nginx
def test_an_unknown_name_that_is_answered(jhpatch, tmp_path, own):
    """A site without a default server."""
    with proxy(tmp_path, own, default_server=False) as (url, _):
        assert "name-unknown-answered" in codes(check(jhpatch, url, own))


@with_nginx
def test_an_unknown_name_while_the_hub_is_down(jhpatch, tmp_path, own):
    """nginx answers 502 by itself for each name, so nothing is known."""
    down = ("127.0.0.1:%d" % ports.free(1)[0],)
    with proxy(tmp_path, own, default_server=False, upstreams=down) as (url, _):
        found = codes(check(jhpatch, url, own))
        assert "page-missing" in found
        assert not [code for code in found if code.startswith("name-unknown")]


@with_nginx
def test_certificates(jhpatch, tmp_path, own):
    """Nobody vouches for it; another name's; one that ends tomorrow."""
    with proxy(tmp_path, own) as (url, _):
        answer = jhpatch(None, "nginx", "check", "--url", url)
        assert codes(answer)[0] == "certificate-refused" and answer.code == 3
        assert codes(answer)[1:] == GOOD[1:]
    for name, found in (("other", "certificate-refused"), ("ending", "certificate-expiring")):
        folder = tmp_path / name
        folder.mkdir()
        pair = ("%s/%s.pem" % (TLS, name), "%s/%s.key" % (TLS, name))
        with proxy(folder, own, certificates=(pair,)) as (url, _):
            ca = "%s/%s.pem" % (own, name)
            answer = jhpatch(None, "nginx", "check", "--url", url, "--ca", ca)
            assert found in codes(answer) and answer.code == 3


@pytest.mark.parametrize("name", ["none.pem", "cookie", "."])
def test_a_file_of_authorities_that_is_no_such_file(jhpatch, own, name):
    """The argument is wrong, not the certificate; nothing is requested."""
    path = os.path.join(own, name)
    answer = jhpatch(None, "nginx", "check", "--url", "https://127.0.0.1:1/", "--ca", path)
    assert answer.code == 2 and answer.document["error"]["path"] == path, answer


@with_nginx
def test_old_protocols(jhpatch, tmp_path, own):
    """TLS 1.0 and 1.1, where this host's OpenSSL can ask for them at all."""

    def old(text):
        text = text.replace("TLSv1.2 TLSv1.3", "TLSv1 TLSv1.1 TLSv1.2")
        return text.replace("ssl_ciphers ECDHE", "ssl_ciphers ALL:@SECLEVEL=0:ECDHE")

    with proxy(tmp_path, own, change=old) as (url, _):
        answer = check(jhpatch, url, own)
        message = answer.document["findings"][1]["message"]
        assert ("protocol-old" in codes(answer)) or "not tested: TLSv1" in message


@with_nginx
def test_plain_http(jhpatch, tmp_path, own):
    """It says so, and asks the rest."""
    values = dict(certificates=(), external_scheme="http")
    with proxy(tmp_path, own, **values) as (url, _):
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
        time.sleep(3600)


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


@pytest.mark.slow
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
    """With a finding that says so: each of these servers would go on for ever."""
    with listening(serve) as port:
        address = target.parse("%s://127.0.0.1:%d/" % (scheme, port), None, None, None)
        rows = probe.probe(address, seconds=2)
        assert {row.code for row in rows} & {"unreachable", "not-a-front"}, rows


def test_a_name_service_that_does_not_answer(monkeypatch):
    """It has no time limit of its own."""
    answers = threading.Event()
    monkeypatch.setattr(probe.socket, "getaddrinfo", lambda *_, **__: answers.wait())
    rows = probe.probe(target.parse("https://x/", None, None, None), seconds=0.5)
    answers.set()
    assert [row.code for row in rows] == ["unreachable"]


def test_a_mistake_is_no_success(jhpatch, monkeypatch):
    """What goes wrong while it asks is exit 1, not an answer without findings."""
    monkeypatch.setattr(probe, "_findings", lambda *_: 1 / 0)
    assert jhpatch(None, "nginx", "check", "--url", "https://x/").code == 1


def test_nothing_listens(jhpatch):
    """3, and what to check."""
    (port,) = ports.free(1)
    answer = jhpatch(None, "nginx", "check", "--url", "https://127.0.0.1:%d/" % port)
    assert codes(answer) == ["unreachable"] and answer.code == 3
    step = answer.document["findings"][0]["next"]
    assert step.startswith("Check whether 127.0.0.1 listens on port %d, and " % port)


def test_the_origins():
    """A sibling is a name beside the proxy's own, with its scheme and port."""
    address = target.parse("https://hub.example.org:8443/", None, None, None)
    assert probe.origins(address) == {
        "right": "https://hub.example.org:8443",
        "foreign": "https://jhpatch-check.example",
        "sibling": "https://jhpatch-check.example.org:8443",
        "null": "null",
        "none": None,
    }


@pytest.mark.parametrize("host", ["192.0.2.1", "[2001:db8::1]"])
def test_an_address_has_no_siblings(host):
    """A name below or beside it does not exist."""
    address = target.parse("https://%s/" % host, None, None, None)
    sent = probe.origins(address)
    assert list(sent) == ["right", "foreign", "null", "none"]
    assert sent["right"] == "https://" + host


def test_openssl_connects_to_an_ipv6_address(jhpatch):
    """openssl requires brackets around it."""
    with socket.socket(socket.AF_INET6) as server:
        try:
            server.bind(("::1", 0))
        except OSError:
            pytest.skip("this host has no IPv6")
        server.listen(50)
        port = server.getsockname()[1]

        def close():
            with contextlib.suppress(OSError):
                while True:
                    server.accept()[0].close()

        threading.Thread(target=close, daemon=True).start()
        answer = jhpatch(None, "nginx", "check", "--url", "https://[::1]:%d/" % port)
        server.shutdown(socket.SHUT_RDWR)
    (row,) = [row for row in answer.document["findings"] if row["code"] == "certificate-refused"]
    assert " -connect '[::1]:%d' " % port in row["next"]
