"""What render writes, in a real nginx: who is let through, to what, and as what."""

import contextlib
import socket
import ssl

import pytest

from jhpatch.nginx import version
from jhpatch.nginx.site_file import render
from testing import ports
from testing.nginx import Upstream, running, with_nginx
from tests.nginx.cases import HUB, TLS
from tests.nginx.proxies import UPGRADE, Proxy, proxy_of

pytestmark = with_nginx


@pytest.fixture(scope="module")
def proxy(tmp_path_factory, certificates):
    """Two names, one certificate, a port of its own."""
    with proxy_of(tmp_path_factory.mktemp("proxy"), certificates) as running_proxy:
        yield running_proxy


def origins(proxy):
    """Those that are foreign."""
    port = proxy.port
    return [
        "https://evil.example",
        "https://blog.example.org:%d" % port,  # a sibling
        "https://sub.hub.example.org:%d" % port,
        "https://hub.example.org",  # another port
        "https://hub.example.org:%d0" % port,
        "https://hub.example.org:%d.evil.example" % port,
        "http://hub.example.org:%d" % port,  # another scheme
        "https://notebooks.example.com:%d" % port,  # another name of ours
        "null",
        "https://hub.example.org:%d https://evil.example" % port,
        "https://evil.example https://hub.example.org:%d" % port,
    ]


def test_own_pages_and_scripts_pass(proxy):
    """On each name, to an upgrade and to the API; in any case of letters."""
    for host in (proxy.own, "notebooks.example.com:%d" % proxy.port):
        for origin in ({"Origin": "https://" + host}, {"Origin": "HTTPS://" + host.upper()}, {}):
            assert proxy.ask("/user/a/api/contents", host=host, **origin)[0] == 200
            cookie = dict(UPGRADE, Cookie="user=1", **origin)
            if origin.get("Origin", "https").startswith("https"):
                assert proxy.ask("/user/a/api/events/subscribe", host=host, **cookie)[0] == 101


def test_foreign_pages_are_refused_before_the_hub(proxy):
    """Upgrades anywhere, and all that is below /user/*/api: 403, and no request passed on."""
    before = len(proxy.upstream.requests)
    for origin in origins(proxy):
        for path in ("/user/a/api/kernels/x/channels", "/services/x", "/hub/", "/user/a/lab"):
            assert proxy.ask(path, Origin=origin, **UPGRADE)[0] == 403, (origin, path)
        for path in ("/user/a/api", "/user/a/api/contents?x=1", "/user/a/second/api/kernels"):
            for method in ("GET", "POST", "PUT"):
                assert proxy.ask(path, method, Origin=origin)[0] == 403, (origin, path)
    assert len(proxy.upstream.requests) == before


ODD = [
    *("/user/a/%61pi/contents", "//user//a//api/contents", "/user/a/./api/contents"),
    *("/hub/../user/a/api/contents", "/user/%2e%2e/user/a/api/contents", "/USER/../user/a/api/"),
    "/user/a/api/contents/x%2f..%2f..%2f..%2f..",
    "/user/a/api%2fcontents",
    "/user/a%2fapi/contents",
    "/user/a/api?x",
]


@pytest.mark.parametrize("path", ODD)
def test_no_spelling_of_the_path_gets_by(proxy, path):
    """Neither the one that nginx decodes, nor the one that the server gets."""
    assert proxy.ask(path, Origin="https://evil.example")[0] == 403


def test_single_sign_on_passes(proxy):
    """A form that the identity provider's page posts, and the page that a link leads to."""
    for origin in ("https://idp.example", "null"):
        for path in ("/hub/saml/acs", "/hub/oauth_callback", "/hub/login?next=/user/a/api/x"):
            assert proxy.ask(path, "POST", body=b"SAMLResponse=x", Origin=origin)[0] == 200
    assert proxy.ask("/user/a/lab")[0] == 200


def test_what_the_upstream_sees(proxy):
    """Host whole, Origin as it was, the client's address and no other, https."""
    origin = "https://" + proxy.own
    seen = proxy.seen(
        Origin=origin, X_Forwarded_For="6.6.6.6", X_Forwarded_Proto="gopher", X_Real_IP="6.6.6.6"
    )
    assert seen["host"] == proxy.own and seen["origin"] == origin
    assert seen["x-forwarded-for"] == seen["x-real-ip"] == "127.0.0.1"
    assert seen["x-forwarded-proto"] == seen["x-scheme"] == "https"
    assert seen["x-forwarded-host"] == proxy.own
    assert "upgrade" not in seen and "connection" not in seen


def test_other_upgrades_are_not_passed_on(proxy):
    """h2c would be a tunnel past all that is checked here."""
    seen = proxy.seen(Connection="Upgrade, close", Upgrade="h2c")
    assert "upgrade" not in seen and "connection" not in seen


def test_other_names_are_closed(proxy):
    """By SNI, by Host, by neither; nothing comes to the hub."""
    before = len(proxy.upstream.requests)
    assert proxy.ask(sni="evil.example") == (None, b"")
    assert proxy.ask(host="evil.example") == (None, b"")
    assert proxy.ask(host="evil.example:%d" % proxy.port, sni="evil.example") == (None, b"")
    assert proxy.ask(host="127.0.0.1:%d" % proxy.port) == (None, b"")
    assert len(proxy.upstream.requests) == before


def test_a_large_save_passes_and_a_larger_one_does_not(proxy, tmp_path, certificates):
    """20 MB within the limit of 100m; 2 kB above one of 1k."""
    origin = "https://" + proxy.own
    body = b"x" * (20 << 20)
    path = "/user/a/api/contents/x"
    assert proxy.ask(path, "PUT", body=body, Origin=origin)[0] == 200
    assert proxy.upstream.requests[-1][2] == body
    values = {"max_body": "10m", "wrap": lambda text: text.replace("_size 10m", "_size 1k")}
    with proxy_of(tmp_path, certificates, **values) as other:
        assert other.ask(path, "PUT", body=body[:2000])[0] == 413


def test_a_terminator_says_the_scheme(tmp_path, certificates):
    """Behind it nginx speaks http, and browsers https: that is what Origin must say."""
    values = dict(certificates=(), external_scheme="https")
    with proxy_of(tmp_path, certificates, **values) as proxy:
        # The terminator's port, not nginx's own, is what browsers see.
        host = {"host": "hub.example.org"}
        own = proxy.ask("/user/a/api/x", Origin="https://hub.example.org", **host)
        assert own[0] == 200
        assert proxy.ask("/user/a/api/x", Origin="http://hub.example.org", **host)[0] == 403
        seen = proxy.seen(X_Forwarded_For="192.0.2.7", **host)
        assert seen["x-forwarded-for"] == "192.0.2.7, 127.0.0.1"
        assert seen["x-forwarded-proto"] == "https"


def test_a_base_url(tmp_path, certificates):
    """Its path goes through as it is, what is beside it is not there, and the gate holds."""
    with proxy_of(tmp_path, certificates, base_url="/jupyter/") as proxy:
        assert proxy.ask("/jupyter/hub/home")[0] == 200
        assert proxy.upstream.requests[-1][1] == "/jupyter/hub/home"
        assert proxy.ask("/hub/home")[0] == 404
        assert proxy.ask("/jupyter")[0] == 308
        foreign = {"Origin": "https://evil.example"}
        assert proxy.ask("/jupyter/user/a/api/contents", **foreign)[0] == 403
        assert proxy.ask("/jupyter/hub/", **dict(UPGRADE, **foreign))[0] == 403


def test_a_backup_is_asked_when_the_first_does_not_answer(tmp_path, certificates):
    """And a POST is never sent twice to one that has it."""
    (dead,) = ports.free(1)
    with Upstream() as second:
        upstreams = ("127.0.0.1:%d" % dead, "127.0.0.1:%d" % second.port)
        with proxy_of(tmp_path, certificates, upstreams=upstreams) as proxy:
            assert proxy.ask("/hub/login", "POST", body=b"x")[0] == 200
            assert [request[0] for request in second.requests] == ["POST"]


def test_the_upstreams_certificate_is_checked(tmp_path, certificates):
    """A hub that somebody else's authority vouches for is 502; the right one answers."""
    import threading

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates + "/hub.pem", certificates + "/hub.key")
    with contextlib.closing(socket.socket()) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(5)

        def serve():
            with contextlib.suppress(OSError):
                while True:
                    with contextlib.suppress(ssl.SSLError):
                        made = context.wrap_socket(listener.accept()[0], server_side=True)
                        made.recv(65536)
                        made.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
                        made.close()

        threading.Thread(target=serve, daemon=True).start()
        port = listener.getsockname()[1]
        for number, (ca, status) in enumerate((("hub.pem", 200), ("notebooks.pem", 502))):
            # localhost is what it is called, and the certificate is hub.example.org's.
            folder = tmp_path / str(number)
            folder.mkdir()
            values = dict(upstreams=("https://localhost:%d" % port,), upstream_ca=TLS + "/" + ca)
            with proxy_renamed(folder, certificates, **values) as proxy:
                assert proxy.ask()[0] == status


@contextlib.contextmanager
def proxy_renamed(folder, certificates, **values):
    """The upstream is asked for by the name in its certificate, which no name server knows."""
    (port,) = ports.free(1)
    text = render(
        HUB._replace(listens=("127.0.0.1:%d" % port,), version=version.installed(), **values)
    )
    text = text.replace("proxy_ssl_name localhost;", "proxy_ssl_name hub.example.org;")
    with running(text.replace(TLS, certificates), folder, port):
        yield Proxy(None, port)
