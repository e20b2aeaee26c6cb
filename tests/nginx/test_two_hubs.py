"""Two hubs behind one nginx: by name, and by path. Nothing of one reaches the other."""

import contextlib
import json

import pytest

from jhpatch.nginx import version
from jhpatch.nginx.site_file import render
from testing import ports
from testing.nginx import Upstream, running, with_nginx
from tests.nginx.cases import HUB, PART, TLS
from tests.nginx.proxies import UPGRADE, Proxy

pytestmark = with_nginx
NAMES = ("hub.example.org", "other.example.org")


class Hub(Upstream):
    """It answers with its number and the request; a login sets a cookie below its base URL."""

    def __init__(self, number):
        super().__init__()
        self.number = number

    def answer(self, path, headers):
        """Status and body."""
        if "/api/events/subscribe" in path:
            return super().answer(path, headers)
        rows = {"hub": self.number, "path": path, "cookie": headers.get("Cookie")}
        return 200, json.dumps(dict(rows, host=headers.get("Host"))).encode()


@contextlib.contextmanager
def two_hubs():
    """Both, running."""
    with Hub(0) as first, Hub(1) as second:
        yield first, second


@pytest.fixture
def by_name(tmp_path, certificates):
    """A file each, the second without a default server."""
    (port,) = ports.free(1)
    with two_hubs() as hubs:
        text = ""
        for number, hub in enumerate(hubs):
            text += render(
                HUB._replace(
                    server_names=(NAMES[number],),
                    listens=("127.0.0.1:%d" % port,),
                    upstreams=("127.0.0.1:%d" % hub.port,),
                    version=version.installed(),
                    default_server=not number,
                )
            )
        with running(text.replace(TLS, certificates), tmp_path, port):
            yield Proxy(None, port), hubs


def test_each_name_is_its_own_hub(by_name):
    """Pages, cookies and websockets; a page of one is foreign to the other."""
    proxy, hubs = by_name
    own = ["%s:%d" % (name, proxy.port) for name in NAMES]
    for number, name in enumerate(NAMES):
        status, body = proxy.ask("/hub/home", host=own[number], sni=name, Cookie="a=%d" % number)
        seen = json.loads(body.decode())
        assert (status, seen["hub"], seen["cookie"]) == (200, number, "a=%d" % number)
        assert seen["host"] == own[number]
        socket = "/user/a/api/events/subscribe"
        for origin, answer in ((own[number], 101), (own[1 - number], 403)):
            headers = dict(UPGRADE, Cookie="user=1", Origin="https://" + origin)
            assert proxy.ask(socket, host=own[number], sni=name, **headers)[0] == answer
        assert [path for _, path, _ in hubs[number].requests] == ["/hub/home", socket]
        for hub in hubs:
            hub.requests.clear()
    assert proxy.ask(host="third.example.org", sni="third.example.org") == (None, b"")


def test_the_name_of_the_request_counts(by_name):
    """Not the one of the TLS connection: browsers share a connection between names."""
    proxy, _ = by_name
    own = "%s:%d" % (NAMES[1], proxy.port)
    assert json.loads(proxy.ask(host=own, sni=NAMES[0])[1].decode())["hub"] == 1


@pytest.fixture
def by_path(tmp_path):
    """Two base URLs of one site, one of which begins with the other's name."""
    (port,) = ports.free(1)
    with two_hubs() as hubs:
        text, includes = "", ""
        for base_url, hub in zip(("/jupyter/", "/jupyter2/"), hubs):
            part = PART._replace(
                base_url=base_url,
                upstreams=("127.0.0.1:%d" % hub.port,),
                version=version.installed(),
            )
            text += render(part._replace(snippet="maps"))
            path = tmp_path / ("locations%d.conf" % hub.number)
            path.write_text(render(part._replace(snippet="locations")))
            includes += "include %s; " % path
        server = "server { listen 127.0.0.1:%d; %s location / { return 200 site; } }"
        with running(text + server % (port, includes), tmp_path, port):
            yield Proxy(None, port, False), hubs


def test_each_path_is_its_own_hub(by_path):
    """Whole paths, websockets, and nothing between them."""
    proxy, hubs = by_path
    for number, base_url in enumerate(("/jupyter", "/jupyter2")):
        assert proxy.ask(base_url)[0] == 308
        seen = json.loads(proxy.ask(base_url + "/hub/home")[1].decode())
        assert (seen["hub"], seen["path"]) == (number, base_url + "/hub/home")
        socket = base_url + "/user/a/api/events/subscribe"
        headers = dict(UPGRADE, Cookie="user=1", Origin="http://" + proxy.own)
        assert proxy.ask(socket, **headers)[0] == 101
        assert proxy.ask(socket, **dict(headers, Origin="http://evil.example"))[0] == 403
        paths = [path for _, path, _ in hubs[number].requests]
        assert paths == [base_url + "/hub/home", socket]
        assert [hub.number for hub in hubs if hub.requests] == [number]
        hubs[number].requests.clear()
    assert proxy.ask("/jupyter3/hub/home")[1] == b"site"
