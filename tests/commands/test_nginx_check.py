"""``jhpatch nginx check``: a path or a URL in, findings out, exit codes as documented."""

import os
import re

import pytest

from jhpatch.cli.main import main
from jhpatch.nginx import version
from tests.nginx.cases import CORPUS


@pytest.mark.parametrize(
    "arguments",
    [
        ["--url", "hub.example.org"],
        ["--url", "ftp://hub.example.org/"],
        ["--url", "https://hub.example.org:0/"],
        ["--url", "https://hub.example.org:99999/"],
        ["--url", "https://user@hub.example.org/"],
        ["--url", "https://hub.example.org/?x=1"],
        ["--url", "https://hub.example.org/ x"],
        ["--url", "https://hub.example.org/\r\nX: y"],
        ["--url", "https://hub.example.org/", "--cookie-file", "/nowhere"],
        ["--url", "https://hub.example.org/", "--server-name", "x"],
        ["--url", "https://hub.example.org/", "nginx.conf"],
        ["--url", "https://hub.example.org/", "--hub-version", "1.1.0"],
        ["--hub-version", "one"],
        ["--nginx-version", "1"],
        ["--external-scheme", "gopher"],
        ["--user", "alice"],
        ["--ca", "/x"],
    ],
    ids=" ".join,
)
def test_a_usage_error_of_check(jhpatch, arguments):
    """A URL that is none, or more than a base path, is asked nothing."""
    answer = jhpatch(None, "nginx", "check", *arguments)
    assert answer.code == 2 and answer.next.endswith("nginx check --help")


def test_the_text_says_where_why_and_what_to_write(capsys):
    """As a person reads it."""
    pytest.importorskip("crossplane")
    path = os.path.join(CORPUS, "widespread.conf")
    assert main(["nginx", "check", path]) == 3
    out = capsys.readouterr().out
    assert "error    origin-cleared  Origin is cleared\n" in out
    assert re.search(r"where: \S+/widespread.conf:\d+\n", out)
    assert "next:  Remove this directive.\n" in out
    assert out.endswith("1 file, 1 proxy_pass: 5 findings\n")


@pytest.mark.skipif(os.geteuid() != 0, reason="a user runs what they like")
def test_an_nginx_that_others_can_write_is_not_asked(jhpatch, tmp_path, monkeypatch):
    """A note says why, and a table decides."""
    pytest.importorskip("crossplane")
    program = tmp_path / "nginx"
    program.write_text("#!/bin/sh\ntouch %s/ran\n" % tmp_path)
    program.chmod(0o757)
    monkeypatch.setattr(version, "PROGRAMS", (str(program),))
    answer = jhpatch(None, "nginx", "check", os.path.join(CORPUS, "good.conf"))
    (row,) = answer.document["findings"]
    assert (answer.code, row["code"]) == (0, "not-known")
    assert str(program) in row["message"]
    assert not (tmp_path / "ran").exists()
