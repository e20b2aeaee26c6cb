"""Damaged configurations: whatever is missing in one, the check ends with an answer."""

import os
import re

import pytest

from jhpatch.errors import JhpatchError
from tests.nginx.cases import CORPUS, judged

pytest.importorskip("crossplane")

FILES = ["widespread.conf", "oauth2-proxy.conf"]
MORE = ["hardened.conf", "elsewhere/openresty.conf", "elsewhere/quic.conf", "docs-old.conf"]


def damaged(text):
    """The text with the arguments of each directive gone, cut at each line, and without words."""
    for match in re.finditer(r"(?m)(?<=[ {])([a-z_]+) [^;{}\n]*([;{])", text):
        yield text[: match.start()] + match.group(1) + " " + match.group(2) + text[match.end() :]
        yield text[: match.start()] + match.group(1) + " ''" + match.group(2) + text[match.end() :]
    for match in re.finditer("\n", text):
        yield text[: match.start()]
    for word in sorted(set(re.findall(r"[^\s;{}]+", text))):
        yield text.replace(word, "")
        yield text.replace(word, "~(")


@pytest.mark.parametrize(
    "name", FILES + [pytest.param(name, marks=pytest.mark.slow) for name in MORE]
)
def test_it_ends_with_an_answer(tmp_path, name):
    """Findings, or an error that says what to do next."""
    with open(os.path.join(CORPUS, name)) as file:
        text = file.read()
    path = tmp_path / "site.conf"
    for other in damaged(text):
        path.write_text(other)
        try:
            for row in judged(path):
                assert row.message and row.why
        except JhpatchError as error:
            assert error.next


EMPTY = ("listen", "server_name", "proxy_set_header", "add_header", "client_max_body_size")
EMPTY += ("proxy_hide_header", "include", "location", "if", "ssl_ciphers", "proxy_pass", "rewrite")


@pytest.mark.parametrize("name", EMPTY)
def test_a_directive_without_arguments(jhpatch, tmp_path, name):
    """As a template leaves it whose value is not set: an error with its line."""
    path = tmp_path / "site.conf"
    path.write_text("server {\n location / { proxy_pass http://127.0.0.1:1; }\n %s ;\n}\n" % name)
    answer = jhpatch(None, "nginx", "check", str(path))
    rows = {row["code"]: row["path"] for row in answer.document["findings"]}
    assert answer.code == 3 and rows["config-broken"] == "%s:3" % path
