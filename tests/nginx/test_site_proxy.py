"""What the hub gets, and the locations of a site."""

import re

import pytest

from jhpatch.nginx.options import check
from jhpatch.nginx.site_file import render
from jhpatch.nginx.site_proxy import directives, locations
from testing.nginx import judged_by_nginx, with_nginx
from tests.nginx.cases import CASES, HUB, PART


def test_the_users_address():
    """As the hosts that are trusted say; else that of the connection."""
    text = directives(check(CASES["behind-a-balancer"]))
    assert "set_real_ip_from 192.0.2.0/28;" in text and "real_ip_header proxy_protocol;" in text
    assert "X-Forwarded-For $remote_addr" in text
    assert "real_ip" not in directives(check(CASES["terminator"]))
    assert "$proxy_add_x_forwarded_for" in directives(check(CASES["terminator"]))


def test_authentication_is_asked_for_websockets_too():
    """A websocket goes to another location: it needs the same directive."""
    text = locations(check(CASES["oauth2-proxy"]))
    assert text.count("auth_request /oauth2/auth;") == 2
    assert text.count("error_page 401 = /oauth2/sign_in;") == 1
    assert "proxy_set_header REMOTE_USER $" in directives(check(CASES["oauth2-proxy"]))


def test_a_slow_start_has_its_time():
    """Where it is asked for, and not for websockets."""
    assert "proxy_read_timeout" not in directives(check(HUB))
    assert "proxy_read_timeout 5m;" in directives(check(CASES["oauth2-proxy"]))


EXISTING = """
%s
server {
    listen 8080 default_server;
    server_name www.example.org;
    location ~* [.](css|js)$ { root /srv/www; }
    include %s;
}
"""


@with_nginx
@pytest.mark.parametrize("base_url", ["/jupyter", "/"])
def test_parts_for_a_server_that_exists(tmp_path, base_url):
    """nginx takes both, and the server's own locations stay."""
    part = PART._replace(base_url=base_url, auth_request="http://127.0.0.1:4180")
    path = tmp_path / "locations.conf"
    path.write_text(render(part._replace(snippet="locations")))
    text = EXISTING % (render(part._replace(snippet="maps")), path)
    assert judged_by_nginx(text, tmp_path) == (0, [])
    used = set(re.findall(r"\$(site_\w+)", path.read_text()))
    assert used <= set(re.findall(r"\$(site_\w+)", text + " $%s_user" % min(used)[:15]))
