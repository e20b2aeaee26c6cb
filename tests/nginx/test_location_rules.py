"""Locations: the path, the methods, and what answers in the hub's place."""

import pytest

from tests.nginx.cases import codes, judged

pytest.importorskip("crossplane")

STATIC, ELSEWHERE = ["static-location"], ["location-elsewhere"]
DECODED = ["path-decoded"]
ALL = "^(GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS)$"
BY_METHOD = "map $request_method $refused { default 1; GET 0; POST 0; }"
SAME = "upstream same { server 127.0.0.1:8000; keepalive 4; }"


@pytest.mark.parametrize(
    "parts, found",
    [
        ({"path": "/x/", "to": "http://127.0.0.1:8000/"}, ["prefix-changed"]),
        ({"path": "/", "to": "http://127.0.0.1:8000/x/"}, ["prefix-changed"]),
        ({"path": "/x/", "to": "http://127.0.0.1:8000/x/x/"}, ["prefix-changed"]),
        ({"path": "/x/", "to": "http://127.0.0.1:8000/x/"}, []),
        ({"path": "^~ /x/", "to": "http://127.0.0.1:8000/"}, ["prefix-changed"]),
        ({"path": "/x/", "to": "http://127.0.0.1:8000"}, []),
        ({"to": "http://127.0.0.1:8000/"}, []),
        ({"to": "http://127.0.0.1:8000$request_uri"}, []),
        ({"path": "/x/", "location": "rewrite ^/x/(.*)$ /$1 break;"}, ["prefix-changed"]),
        ({"path": "/x/", "location": "rewrite ^/x/old$ /x/new break;"}, []),
        ({"path": "/x/", "location": "rewrite ^/x(/.*)$ $1 break;"}, ["prefix-changed"]),
        ({"path": "~ ^/x/", "location": "rewrite ^/x/(.*) /$1 break;"}, ["prefix-changed"]),
        ({"location": "rewrite ^(.*)$ /x$1 break;"}, ["prefix-changed"]),
        ({"location": "rewrite ^/docs/(.*)$ /$1 break;"}, []),
        ({"location": "rewrite ^/(.*)$ /$1 break;"}, []),
        ({"location": "rewrite ^/$ /hub/ redirect;"}, []),
        ({"path": "/hub/", "location": "rewrite ^/hub/x(.*)$ /hub/y$1 break;"}, []),
        ({"to": "http://127.0.0.1:8000$uri$is_args$args"}, DECODED),
        ({"to": "http://127.0.0.1:8000$request_uri"}, []),
        ({"to": "http://127.0.0.1:8000${document_uri}"}, DECODED),
        ({"path": "~ ^/x/(.*)$", "to": "http://127.0.0.1:8000/x/$1"}, DECODED),
        ({"to": "http://$host_of_hub"}, []),
        ({"location": "if ($request_uri ~ ^/(.*)$) { proxy_pass http://127.0.0.1:8000/$1; }"}, []),
        ({"to": "http://unix:/run/x.sock"}, []),
        ({"to": "http://unix:/run/x.sock:/"}, []),
        ({"path": "/x/", "to": "http://unix:/run/x.sock:/"}, ["prefix-changed"]),
        ({"path": "/x/", "to": "http://unix:/run/x.sock:/x/"}, []),
        ({"server": "location ~ [.]js$ { root /x; }"}, ["static-location"]),
        ({"server": "location ~* /static/ { root /x; }"}, ["static-location"]),
        ({"server": "location ~ ^/hub/static/(.*)$ { alias /x/$1; }"}, []),
        ({"server": "location ~ ^/hub/static/(.*)$ { return 404; }"}, ["static-location"]),
        ({"server": "location ~ [.]js$ { root /x; }", "path": "^~ /"}, []),
        ({"server": "location ~ [.]js$ { proxy_pass http://127.0.0.1:8000; %s }"}, []),
        ({"server": "location ~ [.]php$ { root /x; }"}, []),
        ({"server": "location ~ ( { root /x; }"}, []),
        ({"location": "location ~ [.]css$ { expires 1h; }"}, ["static-location"]),
        ({"server": "location ~* [.](png|gif)$ { root /x; }"}, ["static-location"]),
        ({"server": "location ~*[.]css$ { root /x; }"}, ["static-location"]),
        ({"server": "location ~ [.]css$ { try_files $uri @hub; }"}, []),
        ({"server": "location ~ [.]css$ { root /x; error_page 404 /404.html; }"}, STATIC),
        ({"server": "location ~ /api/ { proxy_pass http://127.0.0.1:9; %s }"}, ELSEWHERE),
        ({"server": "location ~ ^/api/ { proxy_pass http://127.0.0.1:9; %s }"}, []),
        ({"server": "location ~ /api/ { proxy_pass http://127.0.0.1:9; }", "path": "^~ /"}, []),
        ({"server": "location ~ /api/ { fastcgi_pass unix:/x; }"}, ELSEWHERE),
        ({"server": "location ~ /api/ { proxy_pass http://$other; }"}, []),
        ({"server": "location ~ /api/ { return 403; }"}, []),
        ({"server": "location ~ /api/ { limit_rate 1m; }"}, ELSEWHERE),
        ({"server": "location ~ /api/ { rewrite ^ /hub/x last; }"}, []),
        ({"location": "location ~ /api/ { limit_rate 1m; }"}, ELSEWHERE),
        ({"server": "location ~ ^/oauth2/ { proxy_pass http://127.0.0.1:4180; }"}, []),
        ({"server": "location ~ /api/ { proxy_pass http://same; %s }", "http": SAME}, []),
        ({"server": "location /api/ { proxy_pass http://127.0.0.1:9; }"}, []),
        ({"server": "if ($request_method !~ ^(GET|POST)$) { return 405; }"}, ["methods-refused"]),
        ({"server": "if ($request_method !~ %s) { return 405; }" % ALL}, []),
        ({"server": "if ($request_method ~ %s) { return 405; }" % ALL}, ["methods-refused"]),
        ({"server": "if ($request_method = DELETE) { return 405; }"}, ["methods-refused"]),
        ({"server": "if ($request_method = TRACE) { return 405; }"}, []),
        ({"server": "if ($request_method = OPTIONS) { return 204; }"}, []),
        ({"server": "if ($request_method = PUT) { set $a 1; }"}, []),
        ({"http": BY_METHOD, "server": "if ($refused) { return 405; }"}, ["methods-refused"]),
        ({"http": BY_METHOD, "server": "if ($refused = 0) { return 405; }"}, ["methods-refused"]),
        ({"http": BY_METHOD, "server": "if ($other) { return 405; }"}, []),
        ({"location": "limit_except GET { deny all; }"}, ["methods-refused"]),
        ({"location": "limit_except GET POST PUT PATCH DELETE { deny all; }"}, []),
    ],
    ids=str,
)
def test_it_is_found(tmp_path, parts, found):
    """And nothing else."""
    headers = "proxy_http_version 1.1; proxy_set_header Host $http_host; " + UPGRADE
    if "server" in parts:
        parts = dict(parts, server=parts["server"].replace("%s", headers))
    assert codes(tmp_path, **parts) == found


UPGRADE = (
    "proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade; "
    "proxy_set_header X-Forwarded-Proto $scheme;"
)


@pytest.mark.parametrize(
    "to, right",
    [
        ("http://127.0.0.1:8000$uri$is_args$args", "http://127.0.0.1:8000"),
        ("https://hub/x/$1", "https://hub"),
        ("http://$hub${uri}", "http://$hub"),
        ("http://[::1]:8000/$1?$args", "http://[::1]:8000"),
        ("http://unix:/run/x.sock:/$1", "http://unix:/run/x.sock"),
    ],
)
def test_the_path_as_it_was_sent(tmp_path, to, right):
    """proxy_pass without a path has it."""
    path = tmp_path / "site.conf"
    path.write_text("server { location / { proxy_pass %s; } }" % to)
    (row,) = [row for row in judged(path) if row.code == "path-decoded"]
    assert "".join(row.next.parts) == "Replace this directive with: proxy_pass %s;" % right
