"""Templates of configurations: files that a program such as envsubst must render first."""

import re
from typing import Optional

_ENGINES = (
    ("Jinja", re.compile(r"\{\{[^{}\n]*\}\}|\{%[^\n]*%\}")),
    ("ERB", re.compile(r"<%[^\n]*%>")),
)
_YAML = re.compile(r"\s*(---|[\w.-]+:)[ \t]*\n")
_DEFINED = re.compile(r"\b(?:set|map|geo|split_clients)\s[^;{]*?\$([A-Z][A-Z0-9_]*)")
_ENVIRONMENT = re.compile(r"\$\{?([A-Z][A-Z0-9_]*)\}?(?![a-z])")
_OWN = frozenset(
    "ARGS CONNECTION CONTENT_LENGTH CONTENT_TYPE DOCUMENT_ROOT DOCUMENT_URI HOST HOSTNAME "
    "IS_ARGS NGINX_VERSION PROXY_HOST PROXY_PORT QUERY_STRING REALPATH_ROOT REMOTE_ADDR "
    "REMOTE_PORT REMOTE_USER REQUEST_ID REQUEST_METHOD REQUEST_TIME REQUEST_URI SCHEME "
    "SERVER_ADDR SERVER_NAME SERVER_PORT SERVER_PROTOCOL SSL_PROTOCOL STATUS URI".split()
)
"""nginx's own variables, whose names are case-insensitive."""
_OF_REQUESTS = ("HTTP_", "ARG_", "COOKIE_", "SENT_HTTP_", "UPSTREAM_")


def engine_of(text: str) -> Optional[str]:
    """Return the program that a file is written for; None if it is nginx."""
    code = re.sub(r"(?m)(^|\s)#.*$", "", text)
    for name, pattern in _ENGINES:
        if pattern.search(code):
            return name
    if _YAML.match(code):
        return "Kubernetes, or another program that reads YAML"
    defined = set(_DEFINED.findall(code))
    for name in _ENVIRONMENT.findall(code):
        if name not in defined and not name.startswith(_OF_REQUESTS) and name not in _OWN:
            return "envsubst"
    return None
