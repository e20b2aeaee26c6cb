"""What nginx withholds from the hub, and from browsers."""

import pytest

from tests.nginx.cases import HEADERS, codes

pytest.importorskip("crossplane")

WITHHELD = ["request-withheld"]
MAP = "map $http_upgrade $c { %s }"
CONNECTION = "map $http_connection $c { default close; %s }"
BY_MAP = HEADERS.replace("Connection upgrade", "Connection $c")


@pytest.mark.parametrize(
    "parts, found",
    [
        ({"headers": HEADERS + 'proxy_set_header Authorization "";'}, WITHHELD),
        (
            {
                "headers": HEADERS + 'proxy_set_header Authorization "";',
                "server": "auth_basic x; auth_basic_user_file /x;",
            },
            [],
        ),
        ({"headers": HEADERS + 'proxy_set_header cookie "";'}, WITHHELD),
        ({"headers": HEADERS + "proxy_set_header Cookie $http_cookie;"}, []),
        ({"headers": HEADERS + 'proxy_set_header X-XSRFToken "";'}, WITHHELD),
        ({"headers": HEADERS + 'proxy_set_header Sec-WebSocket-Key "";'}, WITHHELD),
        ({"headers": HEADERS + 'proxy_set_header Accept-Encoding "";'}, []),
        ({"server": "proxy_pass_request_headers off;"}, WITHHELD),
        ({"location": "proxy_pass_request_body off;"}, WITHHELD),
        ({"location": "proxy_pass_request_body on;"}, []),
        ({"location": "proxy_hide_header Set-Cookie;"}, ["cookies-withheld"]),
        ({"location": "proxy_hide_header X-Powered-By;"}, []),
        ({"location": "proxy_intercept_errors on; error_page 404 /x;"}, ["errors-replaced"]),
        ({"location": "proxy_intercept_errors on; error_page 502 /x;"}, []),
        ({"http": MAP % "default close; '' upgrade;", "headers": BY_MAP}, ["no-upgrade"]),
        ({"http": MAP % "default upgrade; '' close;", "headers": BY_MAP}, []),
        ({"http": MAP % "default ''; websocket upgrade;", "headers": BY_MAP}, []),
        ({"headers": BY_MAP.replace("$c;", "$connection;")}, ["no-upgrade"]),
        ({"headers": BY_MAP.replace("$c;", "$http_upgrade;")}, ["no-upgrade"]),
        ({"headers": BY_MAP.replace("$c;", "$http_connection;")}, []),
        ({"http": CONNECTION % "websocket upgrade;", "headers": BY_MAP}, ["no-upgrade"]),
        ({"http": CONNECTION % "upgrade upgrade;", "headers": BY_MAP}, ["no-upgrade"]),
        ({"http": CONNECTION % "~*upgrade $http_connection;", "headers": BY_MAP}, []),
        ({"location": "proxy_cookie_path / /x/;"}, ["cookies-withheld"]),
        ({"location": "proxy_cookie_path / '/; Secure; SameSite=Lax';"}, []),
        ({"location": "proxy_cookie_path /other/ /;"}, []),
    ],
    ids=str,
)
def test_it_is_found(tmp_path, parts, found):
    """And nothing else."""
    assert codes(tmp_path, **parts) == found
