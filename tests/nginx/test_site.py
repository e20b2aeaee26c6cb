"""The values of a site."""

import pytest

from jhpatch.nginx import site
from jhpatch.nginx.options import check
from jhpatch.nginx.site import Listen
from tests.nginx.cases import CASES, HUB


def test_a_listen_is_written_as_nginx_takes_it():
    """Any address, one, or a Unix socket."""
    rows = (Listen("", 443), Listen("[::]", 443), Listen("unix:/run/x", 0))
    assert [str(row) for row in rows] == ["443", "[::]:443", "unix:/run/x"]


def test_the_host_and_the_scheme():
    """As the browser shows them; a request of HTTP/3 has no Host header."""
    plain, http3 = check(HUB), check(CASES["http3"])
    assert (plain.host, plain.scheme, plain.tls) == ("$http_host", "$scheme", True)
    assert http3.host == "$%s_host" % http3.prefix
    assert check(CASES["terminator"]).scheme == "https"


@pytest.mark.parametrize(
    "present, chosen", [("dr", "d"), ("r", "r"), ("d", "d"), ("", "d")], ids=repr
)
def test_the_authorities_of_the_host(tmp_path, monkeypatch, present, chosen):
    """The file of Debian or of RHEL, whichever exists; Debian's if none does."""
    monkeypatch.setattr(site, "CA_FILE", str(tmp_path / "d"))
    monkeypatch.setattr(site, "RHEL_CA_FILE", str(tmp_path / "r"))
    for name in present:
        (tmp_path / name).touch()
    assert site.ca_file() == str(tmp_path / chosen)
