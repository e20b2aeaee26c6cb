"""Values that rule each other out, and what a version of nginx does not have."""

import pytest

from jhpatch.nginx.options import check
from tests.nginx.cases import CASES, HUB, PART

PLAIN = CASES["terminator"]


@pytest.mark.parametrize(
    "site, message",
    [
        (HUB._replace(http3=True), "--http3: expected nginx 1.25"),
        (PLAIN._replace(http3=True, version="1.28.0"), "--http3 need"),
        (
            HUB._replace(http3=True, version="1.28.0", listens=("unix:/x/y",)),
            "--http3: expected a port",
        ),
        (HUB._replace(proxy_protocol=True), "--trusted-proxy"),
        (HUB._replace(acme_webroot="/srv/acme"), "--redirect-http"),
        (HUB._replace(redirect_http=True, listens=("unix:/x/y",)), "exactly one port"),
        (HUB._replace(health_check="/healthz"), "--health-check"),
        (PLAIN._replace(health_check="/healthz", default_server=False), "--health-check"),
        (PART._replace(snippet="maps", hsts=300), "--snippet: expected no --hsts"),
        (
            PART._replace(snippet="maps", certificates=HUB.certificates),
            "--snippet: expected no --certificate",
        ),
        (PART._replace(snippet="all"), "--snippet: expected maps or locations"),
    ],
)
def test_it_is_refused(site, message):
    """With the option that is missing, or too much."""
    with pytest.raises(ValueError) as caught:
        check(site)
    assert message in str(caught.value)


def test_a_part_needs_no_certificate():
    """The server that exists has it."""
    assert check(PART._replace(snippet="locations")).site.base_url == "/jupyter/"
