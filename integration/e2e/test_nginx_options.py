"""Two load balancers before nginx, and a hub below a path of another site: a real hub, a user
who logs in, a save, and a cell.
"""

import os
import re
import urllib.parse
from typing import Iterator, List, Tuple

import pytest
import requests

from integration.e2e.client import Browser
from integration.e2e.front import Address
from integration.e2e.hub import Hub
from integration.e2e.hub import running as running_hub
from integration.e2e.stacks import ENDS, Stack
from integration.e2e.world import PASSWORDS
from jhpatch.nginx import version
from jhpatch.nginx.site import ProxySite
from jhpatch.nginx.site_file import render
from testing.nginx import MISSING, running

__test__ = os.environ.get("JHPATCH_E2E_INNER", ENDS[0]) in ENDS

BALANCERS = {"127.0.0.2": 8101, "127.0.0.3": 8102}
"""The address that each has towards nginx, and its port."""
NGINX, SITE = 8100, 8103

_BALANCER = """
server {
    listen 127.0.0.1:%d;
    location / {
        proxy_pass http://127.0.0.1:%d;
        proxy_bind %s;
        proxy_http_version 1.1;
        proxy_set_header Host $http_host;
        proxy_set_header Upgrade $http_upgrade;
        proxy_set_header Connection $http_connection;
        proxy_set_header X-Forwarded-For $remote_addr;
        client_max_body_size 0;
    }
}
"""
_EXISTING = """
server {
    listen 127.0.0.1:%d;
    server_name www.example.org;
    location ~* [.](css|js)$ { return 418; }
    location / { return 200 "the site"; }
    include %s;
}
"""


@pytest.fixture(scope="module")
def hub(stack: Stack, scratch: str) -> Iterator[Hub]:
    """A hub at a path of its own."""
    if MISSING and os.environ.get("CI", "") in ("", "0", "false"):
        pytest.skip(MISSING)
    assert not MISSING
    extra = '\nc.JupyterHub.base_url = "/jupyter/"\n'
    with running_hub(stack, scratch + "/nginx-options", extra, path="/jupyter") as started:
        yield started


def site(hub: Hub) -> ProxySite:
    """The values that both cases have."""
    return ProxySite(
        server_names=("127.0.0.1",),
        upstreams=(urllib.parse.urlsplit(hub.url).netloc,),
        version=str(version.installed()),
        listens=("127.0.0.1:%d" % NGINX,),
        base_url="/jupyter/",
        external_scheme="http",
    )


def statuses(hub: Hub, folder: str, trusted: Tuple[str, ...]) -> List[int]:
    """Of a login whose form comes through one balancer and is sent through the other."""
    os.makedirs(folder)
    text = render(site(hub)._replace(trusted_proxies=trusted))
    for address, port in BALANCERS.items():
        text += _BALANCER % (port, NGINX, address)
    with running(text, folder, NGINX), requests.Session() as session:
        urls = ["http://127.0.0.1:%d/jupyter/hub/login" % port for port in BALANCERS.values()]
        page = session.get(urls[0], timeout=300)
        form = {"username": "alice", "password": PASSWORDS["alice"]}
        hidden = re.search(r'name="_xsrf" value="([^"]+)"', page.text)
        form.update({"_xsrf": hidden.group(1)} if hidden else {})
        answer = session.post(urls[1], data=form, timeout=300, allow_redirects=False)
        return [page.status_code, answer.status_code]


def test_a_login_through_two_balancers(hub: Hub, scratch: str) -> None:
    """Both pass the same user's address on; a hub that sees theirs refuses the form."""
    assert statuses(hub, scratch + "/trusted", tuple(BALANCERS)) == [200, 302]
    if "hub61" in hub.stack.name:
        assert statuses(hub, scratch + "/others", ("192.0.2.1",)) == [200, 403]


def test_a_hub_below_a_path_of_another_site(hub: Hub, scratch: str) -> None:
    """A login, a save and a cell, and the site's own pages as before."""
    folder = scratch + "/existing"
    os.makedirs(folder)
    part = site(hub)._replace(external_scheme=None)
    path = os.path.join(folder, "locations.conf")
    with open(path, "w") as file:
        file.write(render(part._replace(snippet="locations")))
    text = render(part._replace(snippet="maps")) + _EXISTING % (SITE, path)
    with running(text, folder, SITE):
        origin = "http://127.0.0.1:%d" % SITE
        browser = Browser(Address(origin + "/jupyter", hub.stack), "alice")
        browser.login(PASSWORDS["alice"])
        browser.spawn()
        browser.save("below.ipynb")
        assert browser.run("print(6 * 7)") == "42\n"
        assert requests.get(origin + "/about", timeout=300).text == "the site"
        page = requests.get(origin + "/jupyter/hub/login", timeout=300).text
        style = re.search(r'href="([^"]+[.]css[^"]*)"', page)
        assert style and requests.get(origin + style.group(1), timeout=300).status_code == 200
