"""What the options of render do, in a real nginx."""

import contextlib
import time

import pytest

from jhpatch.nginx import version
from jhpatch.nginx.site_file import render
from testing import ports
from testing.nginx import Upstream, running, with_nginx
from tests.nginx.cases import PART, TLS
from tests.nginx.proxies import UPGRADE, Proxy, proxy_of

pytestmark = with_nginx
BEHIND = {"certificates": (), "external_scheme": "https"}


class Slow(Upstream):
    """A path with "slow" is answered after two seconds."""

    def answer(self, path, headers):
        """Status and body."""
        time.sleep(2 if "slow" in path else 0)
        return super().answer(path, headers)


@pytest.mark.slow
def test_a_quiet_stream_of_events_lives(tmp_path, certificates):
    """Below a user's server too, longer than other requests may take; a POST stays one."""

    def wrap(text):
        assert "proxy_read_timeout 47s;" in text
        return text.replace("proxy_read_timeout 47s;", "proxy_read_timeout 1s;")

    values = {"kind": Slow, "wrap": wrap, "proxy_read_timeout": "47s"}
    with proxy_of(tmp_path, certificates, **values) as proxy:
        stream = {"Accept": "text/html, text/event-stream;q=0.9"}
        assert proxy.ask("/user/a/slow")[0] == 504
        assert proxy.ask("/user/a/slow", **stream)[0] == 200
        assert proxy.ask("/hub/api/slow", "POST", body=b"x", **stream)[0] == 200
        assert proxy.upstream.requests[-1] == ("POST", "/hub/api/slow", b"x")


def test_the_users_address_of_a_trusted_proxy(tmp_path, certificates):
    """What it appends counts, not what a client claims before; from others nothing counts."""
    host = {"host": "hub.example.org"}
    claimed = {"X_Forwarded_For": "203.0.113.9, 192.0.2.7"}
    with proxy_of(tmp_path, certificates, trusted_proxies=("127.0.0.0/8",), **BEHIND) as proxy:
        seen = proxy.seen(**dict(host, **claimed))
        assert (seen["x-real-ip"], seen["x-forwarded-for"]) == ("192.0.2.7", "192.0.2.7")
    with proxy_of(tmp_path, certificates, trusted_proxies=("192.0.2.1",), **BEHIND) as proxy:
        assert proxy.seen(**dict(host, **claimed))["x-real-ip"] == "127.0.0.1"


def test_two_terminators_are_one_user(tmp_path, certificates):
    """Each trusted one passes the same address on: a login may come through either."""
    trusted = ("127.0.0.0/8", "192.0.2.1")
    with proxy_of(tmp_path, certificates, trusted_proxies=trusted, **BEHIND) as proxy:
        for chain in ("203.0.113.9", "203.0.113.9, 192.0.2.1"):
            seen = proxy.seen(host="hub.example.org", X_Forwarded_For=chain)
            assert seen["x-real-ip"] == "203.0.113.9"


def test_health_checks_by_address(tmp_path, certificates):
    """The path is answered without a name; nothing else is."""
    with proxy_of(tmp_path, certificates, health_check="/healthz", **BEHIND) as proxy:
        assert proxy.ask("/healthz", host="192.0.2.10") == (200, b"ok\n")
        assert proxy.ask("/hub/login", host="192.0.2.10") == (None, b"")
        assert proxy.upstream.requests == []


def test_an_origin_that_is_allowed(tmp_path, certificates):
    """And no name that only looks like it."""
    with proxy_of(tmp_path, certificates, allow_origins=("https://lms.example.org",)) as proxy:
        path = "/user/a/api/contents"
        assert proxy.ask(path, Origin="https://lms.example.org")[0] == 200
        for origin in ("https://lms-example.org", "https://x.lms.example.org", "null"):
            assert proxy.ask(path, Origin=origin)[0] == 403
        assert proxy.ask(path, Origin="https://lms.example.org.evil.example")[0] == 403


CLAIMS = ("REMOTE_USER", "X_Forwarded_User", "X_Forwarded_Email", "X_Auth_Request_User")
CLAIMS += ("X_Auth_Request_Email", "X_Forwarded_Groups", "Forwarded")
"""Headers that a service in front of the hub may set."""


class Authentication(Upstream):
    """oauth2-proxy: it knows whoever has the cookie, and lets all see /public."""

    def answer(self, path, headers):
        """Status and body."""
        if path == "/oauth2/auth":
            is_public = headers.get("X-Forwarded-Uri") == "/public"
            is_known = "known=1" in headers.get("Cookie", "")
            return (202 if is_known or is_public else 401), b""
        return 200, b"sign in"


def test_oauth2_proxy_is_asked(tmp_path, certificates):
    """About pages and websockets; who is not known signs in, and nobody claims a name."""
    with Authentication() as service:
        url = "http://127.0.0.1:%d" % service.port
        with proxy_of(tmp_path, certificates, auth_request=url) as proxy:
            assert proxy.ask("/hub/home")[1] == b"sign in"
            socket = "/user/a/api/events/subscribe"
            assert proxy.ask(socket, Cookie="user=1", **UPGRADE)[0] == 401
            assert proxy.upstream.requests == []
            known = {"Cookie": "known=1; user=1"}
            assert proxy.ask(socket, **dict(known, **UPGRADE))[0] == 101
            seen = proxy.seen(path="/hub/home", **dict(known, **dict.fromkeys(CLAIMS, "root")))
            assert "root" not in seen.values()
            assert proxy.ask("/public")[0] == 200 and len(proxy.upstream.requests) == 3
            claim = {"X_Forwarded_Uri": "/public"}
            assert proxy.ask("/hub/home", **claim)[1] == b"sign in"
            assert proxy.ask(socket, **dict(UPGRADE, **claim))[0] == 401
            assert len(proxy.upstream.requests) == 3
            assert proxy.ask("/oauth2/auth")[0] == 404


EXISTING = """
%s
server {
    listen 127.0.0.1:%d;
    server_name www.example.org;
    location ~* [.]css$ { return 418; }
    location / { return 200 "the site"; }
    include %s;
}
"""


@contextlib.contextmanager
def existing_site(folder):
    """A server of another site, with the parts for a hub below /jupyter/."""
    (port,) = ports.free(1)
    with Upstream() as upstream:
        part = PART._replace(
            upstreams=("127.0.0.1:%d" % upstream.port,), version=version.installed()
        )
        path = folder / "locations.conf"
        path.write_text(render(part._replace(snippet="locations")))
        text = EXISTING % (render(part._replace(snippet="maps")), port, path)
        with running(text.replace(TLS, ""), folder, port):
            yield Proxy(upstream, port, False)


def test_a_hub_below_a_path_of_an_existing_site(tmp_path):
    """The site stays; the hub has its styles, its websockets, and the gate."""
    with existing_site(tmp_path) as proxy:
        assert proxy.ask("/")[1] == b"the site"
        assert proxy.ask("/jupyter")[0] == 308
        assert proxy.ask("/jupyter/hub/static/css/style.min.css")[0] == 200
        assert proxy.upstream.requests[-1][1] == "/jupyter/hub/static/css/style.min.css"
        socket = "/jupyter/user/a/api/events/subscribe"
        own = dict(UPGRADE, Cookie="user=1", Origin="http://" + proxy.own)
        assert proxy.ask(socket, **own)[0] == 101
        assert proxy.ask(socket, **dict(own, Origin="http://evil.example"))[0] == 403
