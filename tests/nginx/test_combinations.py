"""Each file that ``render`` can write passes ``check``, and nginx takes it."""

import itertools
import random

import pytest

from jhpatch.nginx import version
from jhpatch.nginx.site_file import render
from testing.nginx import has_http3, judged_by_nginx, with_nginx
from tests.nginx.cases import HUB, TLS, judged, pair

pytest.importorskip("crossplane")

VALUES = {
    "server_names": [("hub.example.org",), ("hub.example.org", "Other_hub.example.com")],
    "upstreams": [
        ("127.0.0.1:8000",),
        ("unix:/run/hub.sock",),
        ("https://192.0.2.1:8000", "https://192.0.2.2:8000"),
    ],
    "version": ["1.18.0", "1.22.1", "1.25.3.1", "1.31.0"],
    "listens": [("443", "[::]:443"), ("8443",), ("8080", "unix:/run/nginx/hub.sock")],
    "certificates": [(), (pair("hub"),), (pair("hub"), pair("notebooks"))],
    "external_scheme": [None, "https", "http"],
    "redirect_http": [False, True],
    "hsts": [None, 300],
    "stapling": [None, "192.0.2.53"],
    "max_body": ["100m", "0"],
    "read_timeout": ["1d", "90"],
    "base_url": ["/", "/jupyter", "/a/user/"],
    "default_server": [True, False],
    "trusted_proxies": [(), ("192.0.2.0/24", "unix:")],
    "proxy_protocol": [False, True],
    "http3": [False, True],
    "acme_webroot": [None, "/var/www/acme"],
    "proxy_read_timeout": [None, "10m"],
    "allow_origins": [(), ("https://lms.example.org",)],
    "auth_request": [None, "http://127.0.0.1:4180"],
    "health_check": [None, "/healthz"],
}
IN_SNIPPETS = ("upstreams", "version", "external_scheme", "base_url", "http3", "max_body")
IN_SNIPPETS += ("read_timeout", "proxy_read_timeout", "allow_origins", "auth_request")

TLS_ALONE = ("redirect_http", "stapling", "http3")
REFUSED = {
    *((("certificates", ()), (name, VALUES[name][1])) for name in TLS_ALONE),
    (("certificates", ()), ("external_scheme", None)),
    (("certificates", ()), ("acme_webroot", "/var/www/acme")),
    *((("health_check", "/healthz"), ("certificates", one)) for one in VALUES["certificates"][1:]),
    *((("health_check", "/healthz"), (name, VALUES[name][1])) for name in TLS_ALONE),
    (("health_check", "/healthz"), ("acme_webroot", "/var/www/acme")),
    (("health_check", "/healthz"), ("external_scheme", None)),
    (("health_check", "/healthz"), ("default_server", False)),
    (("certificates", VALUES["certificates"][2]), ("server_names", ("hub.example.org",))),
    (("redirect_http", False), ("acme_webroot", "/var/www/acme")),
    (("trusted_proxies", ()), ("proxy_protocol", True)),
    (("http3", True), ("proxy_protocol", True)),
    *((("http3", True), ("version", one)) for one in ("1.18.0", "1.22.1")),
}
"""Pairs of values that rule each other out (option_rules)."""


def pairs_of(values):
    """All pairs of an option with its value."""
    return {frozenset(one) for one in itertools.combinations(sorted(values.items(), key=str), 2)}


def sites_of_all_pairs(seed, options=VALUES, refused=REFUSED, **fixed):
    """Sites and their files, until each pair of values that is not refused has been in one."""
    choose = random.Random(seed)
    options = dict(options, **{name: [value] for name, value in fixed.items()})
    items = [[(name, value) for value in values] for name, values in options.items()]
    left = {
        frozenset(one)
        for first, second in itertools.combinations(items, 2)
        for one in itertools.product(first, second)
    } - {frozenset(one) for one in refused}
    while left:
        wanted = dict(sorted(left, key=sorted_text)[0])
        for _ in range(20000):
            values = {name: choose.choice(row) for name, row in options.items()}
            values.update(wanted)
            if any(len(dict(one)) == 2 and dict(one).items() <= values.items() for one in refused):
                continue
            site = HUB._replace(**dict(values, upstream_ca=TLS + "/hub.pem"))
            try:
                text = render(site)
            except ValueError:
                continue
            yield site, text
            left -= pairs_of(values)
            break
        else:
            raise AssertionError("render refuses %s" % wanted)


def sorted_text(one):
    """A key that is the same in each run."""
    return sorted(map(str, one))


def codes_about(site, path):
    """The codes, but of a default server that is not its own."""
    number = tuple(int(part) for part in site.version.split(".")[:3])
    found = judged(path, version=number, external_scheme=site.external_scheme)
    return {row.code for row in found} - (set() if site.default_server else {"catch-all"})


@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_nothing_is_found(tmp_path, seed):
    """No error, no warning, no note, in a file for each pair of values of all options."""
    path = tmp_path / "site.conf"
    for site, text in sites_of_all_pairs(seed):
        path.write_text(text)
        assert not codes_about(site, path), site


def test_each_refused_pair_is_refused():
    """The list has none that render takes."""
    for one in REFUSED:
        choose = random.Random(3)
        for _ in range(300):
            values = {name: choose.choice(row) for name, row in VALUES.items()}
            with pytest.raises(ValueError):
                render(HUB._replace(**dict(values, **dict(one))))


EXISTING = """
server { listen 443 ssl default_server; server_name _; return 444;
    ssl_protocols TLSv1.2 TLSv1.3; ssl_certificate %(tls)s/hub.pem;
    ssl_certificate_key %(tls)s/hub.key; }
server {
    listen 443 ssl;
    server_name hub.example.org Other_hub.example.com;
    ssl_certificate %(tls)s/hub.pem;
    ssl_certificate_key %(tls)s/hub.key;
    ssl_protocols TLSv1.2 TLSv1.3;
    ssl_ciphers ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256;
    location ~* [.](css|js)$ { root /srv/www; }
    location ~ /api/ { proxy_pass http://127.0.0.1:9000; }
    %(root)s
    %(locations)s
}
"""


def with_snippets(seed, **fixed):
    """Sites, and both parts in a server that exists, for each pair of what they can have."""
    options = {name: VALUES[name] for name in IN_SNIPPETS}
    base = {"certificates": (), "snippet": "maps"}
    refused = [one for one in REFUSED if one[0][0] == "http3"]
    for site, text in sites_of_all_pairs(seed, options, refused, **dict(base, **fixed)):
        parts = {"tls": TLS, "locations": render(site._replace(snippet="locations"))}
        parts["root"] = "" if site.base_url == "/" else 'location / { return 200 "the site"; }'
        yield site, text + EXISTING % parts


def test_nothing_is_found_in_snippets(tmp_path):
    """Of the hub's locations; the site's own patterns do not reach them."""
    path = tmp_path / "site.conf"
    for site, text in with_snippets(4):
        path.write_text(text)
        assert not codes_about(site, path), site


@with_nginx
def test_nginx_takes_each(tmp_path, certificates):
    """A file for each pair of values, for the nginx that is here; whole, and as snippets."""
    number = version.installed()
    fixed = {"version": number} if has_http3() else {"version": number, "http3": False}
    for site, text in itertools.chain(sites_of_all_pairs(5, **fixed), with_snippets(6, **fixed)):
        text = text.replace(TLS, certificates).replace("/run/nginx", str(tmp_path))
        code, said = judged_by_nginx(text, tmp_path)
        assert (code, said) == (0, []), (site, said)
