"""Two hubs behind one nginx: docs/sizing.md, "More users than one host supports"."""

import os
from typing import Any, List

import pytest
import requests

from integration.e2e.client import Browser
from integration.e2e.front import Address
from integration.e2e.hub import CLASSIC, SERVICE, Hub, running
from integration.e2e.patched_stack import is_valid, jhpatch
from integration.e2e.people import PASSWORD, add_person, spawn, wait_for_renewals
from integration.e2e.stacks import ENDS, Stack
from integration.e2e.stub_server import stub
from testing import nginx

# Other stacks have no tests here, rather than skipped ones (integration/e2e/test_front_ends.py).
__test__ = os.environ.get("JHPATCH_E2E_INNER", ENDS[1]) == ENDS[1]

PORT = 8444
NAMES = ("hub-a.example.org", "hub-b.example.org")
LIFE = "20s"
SOON = CLASSIC + SERVICE + "c.KerberosTicket.retry = 1.0\n"


def rendered(stack: Stack, folder: str, hubs: List[Hub]) -> str:
    """Return what ``nginx render`` prints for each hub, with the options of the page."""
    text = ""
    for name, hub, options in zip(NAMES, hubs, ([], ["--no-default-server"])):
        argv = ["nginx", "render", "--server-name", name, "--listen", str(PORT)]
        argv += ["--upstream", hub.url[len("http://") :]]
        argv += ["--certificate", folder + "/both.pem", "--certificate-key", folder + "/both.key"]
        text += jhpatch(stack, *argv, *options)
    return text


def test_users_of_two_hubs_behind_one_nginx_keep_their_tickets(
    patched: Stack, scratch: str, kdc: Any, monkeypatch: Any
) -> None:
    """Each user logs in by the name of their hub, which renews; a dead hub is no trouble of
    the other's users, and after its restart takes up its own."""
    if nginx.MISSING and os.environ.get("CI", "") in ("", "0", "false"):
        pytest.skip(nginx.MISSING)
    folder = scratch + "/two-hubs"
    extra = SOON + stub(patched, folder)
    nginx.certificate(folder, "both", *NAMES)
    with open("/etc/hosts", "a") as file:
        file.write("\n127.0.0.1 %s\n" % " ".join(NAMES))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", folder + "/both.pem")
    users = ("wanda", "xaver")
    for name in users:
        add_person(kdc, name, life=LIFE)
    urls = ["https://%s:%d" % (name, PORT) for name in NAMES]
    with running(patched, folder + "/a", extra) as one, running(
        patched, folder + "/b", extra
    ) as other:
        site = rendered(patched, folder, [one, other])
        with nginx.running(site, folder, PORT):
            for hub, url, name in zip((one, other), urls, users):
                Browser(Address(url, patched), name).login(PASSWORD)
                assert is_valid(name), hub.tail()
                spawn(hub, name)
            for name in users:
                wait_for_renewals(name, 2)
            one.kill()
            assert requests.get(urls[0] + "/hub/login", timeout=300).status_code >= 500
            assert requests.get(urls[1] + "/hub/login", timeout=300).status_code == 200
            wait_for_renewals("xaver", 2)
            one.start()
            wait_for_renewals("wanda", 2)
            assert requests.get(urls[0] + "/hub/login", timeout=300).status_code == 200
