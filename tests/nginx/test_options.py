"""The values of a site: parsed, or refused."""

import re

import pytest

from jhpatch.nginx import options
from jhpatch.nginx.site_file import render
from tests.nginx.cases import CASES, HUB, pair

HOSTILE = [
    *("a;b", "a b", "a\nb", "a{b", "a}b", "a$b", 'a"b', "a'b", "a\\b", "a#b", "a\tb", "a\rb"),
    *("", ";", "a;", "$host", "a;}server{", "\u00e4", "a\x00", "a\u2028b", "x" * 300, "include"),
]


@pytest.mark.parametrize("value", HOSTILE)
@pytest.mark.parametrize(
    "field, wrap",
    [
        ("server_names", lambda value: (value,)),
        ("upstreams", lambda value: (value,)),
        ("upstreams", lambda value: (value + ":80",)),
        ("upstreams", lambda value: ("https://%s:80" % value,)),
        ("upstreams", lambda value: ("unix:/" + value,)),
        ("listens", lambda value: (value,)),
        ("listens", lambda value: ("[%s]:443" % value,)),
        ("certificates", lambda value: ((value, "/k"),)),
        ("certificates", lambda value: (("/c", value),)),
        ("certificates", lambda value: (("/c/" + value, "/k"),)),
        ("max_body", lambda value: value),
        ("read_timeout", lambda value: value),
        ("base_url", lambda value: "/%s/" % value),
        ("upstream_ca", lambda value: value),
        ("stapling", lambda value: value),
        ("external_scheme", lambda value: value),
        ("trusted_proxies", lambda value: (value,)),
        ("trusted_proxies", lambda value: ("192.0.2.0/%s" % value,)),
        ("acme_webroot", lambda value: "/" + value),
        ("proxy_read_timeout", lambda value: value),
        ("allow_origins", lambda value: ("https://" + value,)),
        ("auth_request", lambda value: "http://" + value),
        ("snippet", lambda value: value),
        ("version", lambda value: value),
    ],
)
def test_no_value_breaks_out(field, wrap, value):
    """It is refused, or stands in the file as the plain word that it is."""
    base = HUB._replace(redirect_http=True)
    try:
        text = render(base._replace(**{field: wrap(value)}))
    except ValueError:
        return
    assert re.fullmatch("[a-z]*", value), (field, value)
    harmless = render(base._replace(**{field: wrap("word")}))
    assert all(text.count(sign) == harmless.count(sign) for sign in ";{}$\n"), (field, value)


@pytest.mark.parametrize(
    "site, message",
    [
        (HUB._replace(server_names=()), "--server-name: expected at least one"),
        (HUB._replace(upstreams=()), "--upstream: expected at least one"),
        (HUB._replace(listens=()), "--listen: expected at least one"),
        (HUB._replace(listens=("443", "443")), "--listen: the same value is given twice"),
        (HUB._replace(certificates=()), "expected --certificate, or --external-scheme"),
        (HUB._replace(certificates=(pair("a"), pair("b"))), "one for each of 1 names"),
        (
            HUB._replace(certificates=(), external_scheme="http", hsts=1),
            "--hsts: expected --certificate",
        ),
        (
            HUB._replace(certificates=(), external_scheme="https", redirect_http=True),
            "--redirect-http, --stapling and --http3 need --certificate",
        ),
        (
            HUB._replace(certificates=(), external_scheme="https", stapling="192.0.2.1"),
            "--redirect-http, --stapling and --http3 need --certificate",
        ),
        (HUB._replace(upstreams=("a:1", "https://b:1")), "https:// for all or for none"),
        (
            HUB._replace(redirect_http=True, listens=("443", "8443")),
            "--listen with exactly one port",
        ),
        (HUB._replace(listens=("*:443", "443")), "--listen: the same value is given twice"),
        (HUB._replace(listens=("0.0.0.0:443", "443")), "--listen: the same value is given twice"),
        (
            HUB._replace(listens=("[::1]:443", "[0:0::1]:443")),
            "--listen: the same value is given twice",
        ),
        (HUB._replace(listens=("[127.0.0.1]:443",)), "--listen: "),
        (HUB._replace(upstreams=("256.1.1.1:80",)), "--upstream: "),
        (HUB._replace(upstreams=("[::1::]:80",)), "--upstream: "),
        (HUB._replace(stapling="foo"), "--stapling: expected an IP address, found 'foo'"),
        (HUB._replace(auth_request="http://256.1.1.1"), "--auth-request: "),
        (HUB._replace(auth_request="http://[::1::]"), "--auth-request: "),
        (HUB._replace(auth_request="http://a:65536"), "--auth-request: expected a port"),
        (
            HUB._replace(auth_request="http://a:1", base_url="/oauth2/"),
            "--base-url: expected another path",
        ),
        (HUB._replace(proxy_read_timeout="5s"), "--proxy-read-timeout: expected more than"),
        (
            HUB._replace(certificates=(("/etc/\u00e9.pem", "/k"),)),
            "expected an absolute path of letters (A-Z, a-z), digits and ._/@+=~-, found",
        ),
        (HUB._replace(listens=("unix:/a,b",)), "--listen: expected an absolute path of letters"),
        (HUB._replace(upstreams=("unix:/a,b",)), "--upstream: expected an absolute path of"),
        (HUB._replace(max_body="1k"), "--max-body: expected 10m"),
        (HUB._replace(redirect_http=True, listens=("80",)), "expected no --listen on port 80"),
    ],
)
def test_values_that_rule_each_other_out(site, message):
    """A site that cannot work, or is not safe, is refused; the message names the option."""
    with pytest.raises(ValueError) as error:
        options.check(site)
    assert message in str(error.value)


def test_what_is_the_same_when_it_is_parsed():
    """Names in any case, and a base URL with or without its last slash."""
    one = HUB._replace(server_names=("Hub.Example.org",), base_url="/jupyter")
    assert render(one) == render(HUB._replace(base_url="/jupyter/"))
    for name in ("_", "\u212a.example"):
        with pytest.raises(ValueError):
            render(HUB._replace(server_names=(name,)))
    assert "my_hub.example.org" in render(HUB._replace(server_names=("my_hub.example.org",)))


def test_the_parsed_values():
    """Addresses, ports and the version as nginx means them."""
    checked = options.check(CASES["everything"])
    assert [tuple(listen) for listen in checked.listens] == [("127.0.0.2", 8443), ("[::1]", 8443)]
    assert checked.upstreams[0] == ("192.0.2.10:8000", "192.0.2.10", True)
    assert (checked.version, checked.tls, checked.scheme) == ((1, 22, 1), True, "$scheme")
    checked = options.check(CASES["terminator"]._replace(version="1.24"))
    assert (checked.version, checked.tls, checked.scheme) == ((1, 24, 0), False, "https")
    checked = options.check(CASES["unix-socket"])
    assert checked.upstreams == (("unix:/run/jupyterhub/proxy.sock", "localhost", False),)


@pytest.mark.parametrize(
    "name, label",
    [("hub.example.org", "hub"), ("*.a-b.example.org", "ab"), ("x" * 40 + ".org", "x" * 12)],
)
def test_the_prefix_is_short(name, label):
    """nginx's hash tables have small buckets: at most 25 characters, and the name's own."""
    prefix = options.check(HUB._replace(server_names=(name,))).prefix
    assert re.fullmatch("site_%s_[0-9a-f]{6}" % label, prefix)
