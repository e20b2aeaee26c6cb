"""The login page: where it leads, what it refers to, and its cookies."""

import pytest

from jhpatch.nginx import page
from jhpatch.nginx.answers import Answer, parse
from jhpatch.nginx.target import parse as target_of
from testing.nginx import Upstream, with_nginx
from tests.nginx.proxies import proxy_of

LINK = b'<html><link rel="stylesheet" href="%s" type="text/css"/>'


def found(pages, url="https://hub.example.org/jupyter/"):
    """The codes of a site with these pages, in which all else is closed."""
    target = target_of(url, None, None, None)
    return [row.code for row in page.check(target, lambda path: pages.get(path, Answer(None)))]


def answer(status, *headers, body=b""):
    """An answer as it is received."""
    head = "\r\n".join(("HTTP/1.1 %d x" % status,) + headers)
    return parse(head.encode() + b"\r\n\r\n" + body)


LOGIN = "/jupyter/hub/login"
STYLE = "/jupyter/hub/static/css/style.min.css"
SIGN_IN = answer(200, body=LINK % b"/oauth2/static/css/bulma.min.css")
PAGE = answer(200, body=LINK % (STYLE + "?v=1").encode())


@pytest.mark.parametrize(
    "pages, codes",
    [
        ({}, []),
        ({LOGIN: answer(404)}, ["page-missing"]),
        ({LOGIN: answer(502)}, ["page-missing"]),
        ({LOGIN: answer(403)}, []),
        ({LOGIN: answer(302, "Location: /hub/login?next=x")}, ["page-elsewhere"]),
        ({LOGIN: answer(302, "location: https://hub.example.org/hub/")}, ["page-elsewhere"]),
        ({LOGIN: answer(302, "Location: /jupyter/hub/oauth_login")}, []),
        ({LOGIN: answer(302, "Location: https://sso.example.org/")}, []),
        ({LOGIN: answer(200, body=LINK % b"/hub/static/x.css")}, ["page-elsewhere"]),
        ({LOGIN: answer(200, body=LINK % b"https://cdn.example.org/x.css")}, []),
        ({LOGIN: PAGE, STYLE + "?v=1": answer(200, "Content-Type: text/css")}, []),
        ({LOGIN: PAGE, STYLE + "?v=1": answer(404)}, ["stylesheet-missing"]),
        (
            {LOGIN: PAGE, STYLE + "?v=1": answer(200, "Content-Type: text/html")},
            ["stylesheet-missing"],
        ),
        ({LOGIN: answer(200, "Set-Cookie: _xsrf=x; Path=/; Secure")}, []),
        ({LOGIN: answer(200, "Set-Cookie: _xsrf=x; HttpOnly; Secure")}, ["xsrf-httponly"]),
        ({LOGIN: answer(200, "Set-Cookie: other=x; HttpOnly")}, []),
    ],
)
def test_what_it_says(pages, codes):
    """Nothing is found in what is not said."""
    assert found(pages) == codes


class Hub(Upstream):
    """It has a login page with a style."""

    def answer(self, path, headers):
        """Status and body."""
        if path.endswith("/hub/login"):
            return 200, LINK % b"/hub/static/css/style.min.css"
        return super().answer(path, headers)


@with_nginx
def test_a_location_that_answers_for_the_styles(jhpatch, tmp_path, certificates):
    """Seen from outside, as browsers do."""
    theft = "location ~* [.]css$ { return 404; }\n    location / {"

    def stolen(text):
        return text.replace("location / {", theft, 1)

    for wrap, is_found in ((stolen, True), (str, False)):
        site = {"kind": Hub, "wrap": wrap, "server_names": ("localhost",)}
        with proxy_of(tmp_path, certificates, **site) as proxy:
            url = "https://localhost:%d/" % proxy.port
            answered = jhpatch(None, "nginx", "check", "--url", url)
            rows = {row["code"] for row in answered.document["findings"]}
            assert ("stylesheet-missing" in rows) is is_found


def test_the_sign_in_page_of_oauth2_proxy():
    """Is in the place of the hub's for those who have not logged in."""
    assert found({LOGIN: SIGN_IN}) == []
    assert found({LOGIN: answer(302, "Location: /oauth2/start")}) == []
