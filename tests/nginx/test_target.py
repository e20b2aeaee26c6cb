"""The address that is probed: parsed from a URL."""

import pytest

from jhpatch.nginx import target


def test_host_and_path():
    """The scheme's default port is left out, as browsers do; a user name is quoted."""
    hub = target.parse("https://Hub.example.org:443/j", "a/b c", None, None)
    assert (hub.authority, hub.origin) == ("hub.example.org", "https://hub.example.org")
    assert (hub.base_url, hub.user) == ("/j/", "a%2Fb%20c")
    hub = target.parse("http://[::1]:8000", None, None, None)
    assert (hub.authority, hub.origin, hub.host) == ("[::1]:8000", "http://[::1]:8000", "::1")


@pytest.mark.parametrize(
    "url",
    [
        "hub.example.org",
        "ftp://hub.example.org/",
        "https://hub.example.org:0/",
        "https://hub.example.org:99999/",
        "https://user@hub.example.org/",
        "https://hub.example.org/?x=1",
        "https://hub.example.org/ x",
        "https://hub.example.org/\r\nX: y",
    ],
)
def test_a_url_that_is_malformed_is_refused(url):
    """Nothing reaches a request that is no host, port or base path."""
    with pytest.raises(ValueError) as error:
        target.parse(url, None, None, None)
    assert str(error.value).startswith("--url: ")


def test_a_cookie(tmp_path):
    """With or without the header's name, as browsers' tools copy it."""
    path = tmp_path / "cookie"
    for text in ("Cookie: user=1; x=2\n", "user=1; x=2"):
        path.write_text(text)
        assert target.read_cookie(str(path)) == "user=1; x=2"


@pytest.mark.parametrize("text", ["", "a=b\r\nX: y", "a=b\nc=d", "a=\u00e4"])
def test_a_cookie_that_is_malformed_is_refused(tmp_path, text):
    """It becomes no header."""
    path = tmp_path / "cookie"
    path.write_bytes(text.encode())
    with pytest.raises(ValueError):
        target.read_cookie(str(path))
