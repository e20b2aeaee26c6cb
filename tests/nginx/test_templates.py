"""Templates are recognised, and nginx's own variables are none."""

import os

import pytest

from jhpatch.nginx.templates import engine_of
from tests.nginx.cases import CORPUS, judged, places_of

TEMPLATES = os.path.join(CORPUS, "templates")


@pytest.mark.parametrize("name", sorted(os.listdir(TEMPLATES)))
def test_a_template_is_not_judged(name):
    """Only that it must be rendered first."""
    pytest.importorskip("crossplane")
    path = os.path.join(TEMPLATES, name)
    assert places_of(judged(path)) == [("template", path)]


@pytest.mark.parametrize(
    "text, engine",
    [
        ("listen {{ port }} ssl;", "Jinja"),
        ("{% if x %}", "Jinja"),
        ("listen <%= port %>;", "ERB"),
        ("listen ${PORT};", "envsubst"),
        ("listen $PORT;", "envsubst"),
        ("# ${PORT} {{ x }}", None),
        ("set $UPSTREAM x; proxy_pass http://$UPSTREAM;", None),
        ("map $http_upgrade $CONNECTION { default ''; }  proxy_set_header A $CONNECTION;", None),
        ("proxy_set_header Host $HTTP_HOST;", None),
        ("add_header X $REQUEST_ID; return 301 https://$HOST$REQUEST_URI;", None),
        ("location ~ ^/[a-z]{2}$ { }", None),
        ("server_name ~^(?<user>[A-Z]+)$;", None),
    ],
)
def test_what_fills_it_in(text, engine):
    """By what nginx does not have."""
    assert engine_of(text) == engine
