"""The values of a site."""

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
