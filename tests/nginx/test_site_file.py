"""A site's file: the same bytes for the same values, and nginx takes it."""

import os
import re

import pytest

from jhpatch.nginx import version
from jhpatch.nginx.site_file import is_unchanged, render
from testing.nginx import judged_by_nginx, with_nginx
from tests.nginx.cases import CASES, GOLDEN, HUB, TLS, TWO, golden


@pytest.mark.parametrize("name", sorted(CASES))
def test_the_same_values_give_the_same_bytes(name):
    """Those of the golden file."""
    with open(golden(name), encoding="ascii") as file:
        assert render(CASES[name]) == file.read()


def test_each_golden_file_has_its_case():
    """None is left that nothing renders."""
    assert sorted(name + ".conf" for name in CASES) == sorted(os.listdir(GOLDEN))


def test_a_changed_file_is_noticed():
    """A byte more, a byte less, and a file without the first line are not jhpatch's."""
    data = render(HUB).encode()
    assert is_unchanged(data)
    for changed in (data + b"\n", data[:-1], data.partition(b"\n")[2], b""):
        assert not is_unchanged(changed)


def test_what_makes_it_safe_is_in_each():
    """Host whole, Origin untouched, the gate, HTTP/1.1, and long timeouts in one place alone."""
    for name, site in CASES.items():
        if site.snippet is not None:
            continue  # a part of one
        text = re.sub("(?m)#.*$", "", render(site))
        servers = 2 if len(site.certificates) > 1 else 1
        assert len(re.findall(r"proxy_set_header Host \$(http_host|site_\w+_host);", text)) == (
            servers + 2 * bool(site.auth_request)
        ), name
        assert "proxy_set_header Origin" not in text and "Host $host;" not in text
        assert len(re.findall(r"if \(\$\w+_refused\) \{\s+return 403;", text)) == servers
        assert text.count("proxy_http_version 1.1;") == servers
        timeouts = servers * (2 if site.proxy_read_timeout else 1)
        assert text.count("proxy_read_timeout") == timeouts
        blocks = re.findall(r"location @\w+_long \{([^}]*)\}", text)
        assert len(blocks) == servers and all("proxy_read_timeout" in block for block in blocks)


@pytest.mark.parametrize(
    "number, http2, refuses",
    [
        ("1.18.0", "listen 443 ssl http2;", False),
        ("1.19.4", "listen 443 ssl http2;", True),
        ("1.25.0", "listen 443 ssl http2;", True),
        ("1.25.1", "http2 on;", True),
        ("1.31", "http2 on;", True),
    ],
)
def test_the_spelling_is_the_versions(number, http2, refuses):
    """http2 became a directive in 1.25.1; ssl_reject_handshake came with 1.19.4."""
    text = render(HUB._replace(version=number))
    assert http2 in text and ("ssl http2" in text) == ("http2 on" not in text)
    assert ("ssl_reject_handshake on;" in text) == refuses
    assert text.count("    ssl_certificate ") == (1 if refuses else 2)


def test_two_hubs_share_an_nginx():
    """Nothing that one file names is named by another, of another name or port."""
    other = HUB._replace(server_names=("hub.example.com",))
    names = [
        set(re.findall(r"\bsite_\w+", render(site)))
        for site in (HUB, other, HUB._replace(listens=("8443",)))
    ]
    assert not names[0] & names[1] and not names[0] & names[2]


# nginx itself


@with_nginx
@pytest.mark.parametrize("name", sorted(set(CASES) - {"http3", "locations"}))
def test_nginx_takes_it(name, tmp_path, certificates):
    """nginx -t on each file, as for the nginx that is here; without a warning."""
    site = CASES[name]._replace(version=version.installed())
    text = render(site).replace(TLS, certificates).replace("/run/nginx", str(tmp_path))
    result = judged_by_nginx(text, tmp_path)
    assert result == (0, []), result


@with_nginx
def test_nginx_takes_several_hubs(tmp_path, certificates):
    """One file closes what has an unknown name, the others leave it to that."""
    sites = [CASES["plain"], CASES["second-hub"]]
    text = "".join(render(site._replace(version=version.installed())) for site in sites)
    assert judged_by_nginx(text.replace(TLS, certificates), tmp_path) == (0, [])


@with_nginx
def test_nginx_refuses_a_broken_file(tmp_path, certificates):
    """The test above can fail."""
    text = render(TWO).replace("proxy_http_version 1.1;", "proxy_http_version 1.1")
    assert judged_by_nginx(text.replace(TLS, certificates), tmp_path)[0] == 1


def test_certificates_of_the_cases_are_nowhere():
    """A test that forgot to put real ones there would fail."""
    assert not os.path.exists(TLS)
