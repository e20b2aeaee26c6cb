"""Responses: headers, cookies, caches, buffers."""

import pytest

from tests.nginx.cases import codes, findings

pytest.importorskip("crossplane")

CACHED = ["cached-by-browsers"]


@pytest.mark.parametrize(
    "location, found",
    [
        ("add_header Content-Security-Policy \"default-src 'self'\";", ["csp-at-proxy"]),
        ("add_header Content-Security-Policy upgrade-insecure-requests;", []),
        ("add_header Content-Security-Policy \"frame-ancestors 'self' https://x\";", []),
        ("add_header Content-Security-Policy \"frame-ancestors 'none'\";", ["csp-at-proxy"]),
        ("proxy_hide_header Content-Security-Policy;", ["csp-at-proxy"]),
        ("add_header X-Frame-Options DENY;", ["frames-denied"]),
        ("add_header X-Frame-Options 'ALLOW-FROM https://x';", []),
        ("add_header Access-Control-Allow-Origin *;", ["cors-at-proxy"]),
        ("if ($a) { add_header Access-Control-Allow-Origin *; }", ["cors-at-proxy"]),
        ("if ($a) { add_header Access-Control-Allow-Origin *; return 204; }", []),
        ("more_set_headers 'Access-Control-Allow-Origin: *';", ["cors-at-proxy"]),
        ("proxy_cookie_path / '/; HttpOnly';", ["cookie-httponly"]),
        ("proxy_cookie_path / '/; Secure';", []),
        ("proxy_cookie_flags ~ httponly;", ["cookie-httponly"]),
        ("proxy_cookie_flags ~^jupyterhub httponly;", []),
        ("proxy_cookie_flags ~ secure;", []),
        ("proxy_cache zone;", ["shared-cache"]),
        ("proxy_cache off;", []),
        ("proxy_buffering on;", ["buffering"]),
        ("expires 30d;", CACHED),
        ("expires max;", CACHED),
        ("expires modified +1h;", CACHED),
        ("expires -1;", []),
        ("expires off;", []),
        ("expires epoch;", []),
        ("expires 0;", []),
        ("expires $of_a_map;", []),
        ("add_header Cache-Control 'public, max-age=86400';", CACHED),
        ("add_header Cache-Control 'no-cache, max-age=60';", []),
        ("add_header Cache-Control max-age=0;", []),
    ],
)
def test_it_is_found(tmp_path, location, found):
    """And nothing else."""
    assert codes(tmp_path, location=location) == found


@pytest.mark.parametrize(
    "path, found",
    [("~ ^/(hub|user)/", CACHED), ("~* [.](css|js)$", []), ("^~ /hub/static/", [])],
)
def test_files_of_the_hub_may_be_kept(tmp_path, path, found):
    """Not its pages."""
    assert codes(tmp_path, path=path, location="expires 30d;") == found


@pytest.mark.parametrize("directive", ["proxy_cookie_flags ~ httponly", "expires 30d"])
def test_a_message_is_the_directive(tmp_path, directive):
    """As it stands in the file."""
    (row,) = findings(tmp_path, location=directive + ";")
    assert row.message == directive
