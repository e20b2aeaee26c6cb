"""The maps: what is long, whose pages are foreign, and the host of HTTP/3."""

from jhpatch.nginx.options import check
from jhpatch.nginx.site_maps import maps
from tests.nginx.cases import CASES, HUB


def test_other_origins_are_allowed_by_name():
    """With their dots, and to the end; on no other name of the site."""
    text = maps(check(CASES["oauth2-proxy"]))
    assert r"'~*^[^ ]+ https://lms\.example\.org$' 0;" in text
    assert r"'~*^[^ ]+ http://x\.example:8000$' 0;" in text
    assert "example" not in maps(check(HUB))


def test_the_host_of_http3():
    """Only where HTTP/3 is spoken."""
    assert "'' $host$site_hub" in maps(check(CASES["http3"]))
    assert "$server_port" not in maps(check(HUB))


def test_the_two_parts_agree():
    """Each name that the locations use is one that the maps define."""
    prefixes = {check(CASES[name]).prefix for name in ("maps", "locations")}
    assert len(prefixes) == 1
