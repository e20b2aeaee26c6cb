"""Servers: ports, names, and which locations lead to the hub."""

import pytest

from jhpatch.nginx.directives import Directive
from jhpatch.nginx.servers import Deployment, defines, name_matches, servers_of


def line(name, *args, block=None):
    """A directive."""
    return Directive(name, args, "f", 1, block)


def server(*rows):
    """The server of these directives."""
    return servers_of((line("server", block=rows),))[0]


@pytest.mark.parametrize(
    "args, socket, ssl",
    [
        (("443", "ssl"), ":443", True),
        (("*:443",), ":443", False),
        (("0.0.0.0:80",), ":80", False),
        (("[::]:443", "ssl"), "[::]:443", True),
        (("192.0.2.1",), "192.0.2.1:80", False),
        (("443", "quic"), "udp :443", True),
        (("unix:/run/x",), "unix:/run/x", False),
        (("8000-8010",), ":8000", False),
    ],
)
def test_a_listen(args, socket, ssl):
    """With nginx's defaults."""
    (listen,) = server(line("listen", *args)).listens
    assert (listen.socket, listen.ssl) == (socket, ssl)


def test_a_listen_without_arguments():
    """Counts as none, and port 80 is the default."""
    assert [listen.port for listen in server(line("listen")).listens] == [80]


def location(path, to, *rows):
    """A location that passes requests on."""
    return line("location", path, block=(line("proxy_pass", to), *rows))


UPGRADE = line("proxy_set_header", "Upgrade", "$http_upgrade")


@pytest.mark.parametrize(
    "locations, paths",
    [
        ([location("/", "http://h:1"), location("/oauth2/", "http://h:2")], ["/"]),
        ([location("/", "http://h:1"), location("/docs/", "http://h:2")], ["/"]),
        ([location("/", "http://h:2"), location("/jupyter/", "http://h:1")], ["/jupyter/"]),
        ([location("/a/", "http://h:2"), location("/b/", "http://h:1", UPGRADE)], ["/b/"]),
        ([location("/", "http://h:2", UPGRADE), location("/hub/", "http://h:1")], ["/hub/"]),
        ([location("/a/", "http://h:2"), location("/b/", "http://h:1")], ["/a/", "/b/"]),
        (
            [location("/", "http://h:1", UPGRADE), location("/user/", "http://h:1")],
            ["/", "/user/"],
        ),
        (
            [location("/", "http://localhost:1"), location("/user/", "http://127.0.0.1:1")],
            ["/", "/user/"],
        ),
        ([location("/", "http://h:1"), location("/x", "http://h:1", line("internal"))], ["/"]),
    ],
)
def test_what_leads_to_the_hub(locations, paths):
    """By its paths, by upgrades, and by the address."""
    assert [one.path for one in server(*locations).proxy_passes] == paths


@pytest.mark.parametrize(
    "pattern, name, matches",
    [
        ("hub.example.org", "HUB.example.org", True),
        ("*.example.org", "hub.example.org", True),
        ("*.example.org", "example.org", False),
        (".example.org", "example.org", True),
        (".example.org", "hub.example.org", True),
        ("hub.*", "hub.example.org", True),
        (r"~^(?<u>\w+)\.example\.org$", "hub.example.org", True),
        ("~(", "hub", False),
        ("hub.example.org", "hub.example.org.", True),
    ],
)
def test_a_name_matches_as_nginx_matches(pattern, name, matches):
    """Exact, wildcard, regular expression; upper and lower case are one."""
    assert name_matches(pattern, name) is matches


def test_behind_a_terminator():
    """By name, by addresses that are taken from headers, or by where it listens."""
    assert server().is_behind_terminator(Deployment(external_scheme="https"))
    assert server(line("set_real_ip_from", "10.0.0.0/8")).is_behind_terminator(Deployment())
    assert server(line("listen", "127.0.0.1:8080")).is_behind_terminator(Deployment())
    assert not server(line("listen", "8080")).is_behind_terminator(Deployment())


def test_a_variable_is_defined():
    """By a map or by set, at any depth."""
    rows = (line("map", "$a", "$b", block=()), line("server", block=(line("set", "$c", "1"),)))
    assert defines(rows, "$b") and defines(rows, "$c") and not defines(rows, "$a")
