"""``jhpatch nginx``: its two actions, their arguments, and the exit code of each outcome."""

import os

import pytest

from jhpatch.cli import main

RENDER = ["nginx", "render", "--server-name", "hub.example.org", "--upstream", "127.0.0.1:8000"]
RENDER += ["--certificate", "/c.pem", "--certificate-key", "/c.key", "--nginx-version", "1.24.0"]


def test_an_action_is_needed(capsys):
    """Without one: exit code 2, with the two that there are."""
    assert main.main(["nginx"]) == 2
    talk = capsys.readouterr().err
    assert "expected: render or check" in talk and "-m jhpatch nginx --help" in talk


def test_a_site_file_is_printed_where_it_has_no_place(jhpatch, tmp_path, monkeypatch):
    """Without --output the document has the text, and nothing is written."""
    monkeypatch.chdir(tmp_path)
    answer = jhpatch(None, *RENDER)
    file = answer.document["file"]
    assert (answer.code, file["path"], file["diff"]) == (0, None, "")
    assert "server_name hub.example.org;" in file["text"] and os.listdir(str(tmp_path)) == []


def test_a_site_file_is_written_once(jhpatch, tmp_path):
    """With --output: written, then nothing to do; the next step reloads nginx."""
    path = str(tmp_path / "hub.conf")
    dry = jhpatch(None, *RENDER, "--output", path, "--dry-run")
    assert dry.document["would_change"] and not os.path.exists(path)
    assert jhpatch(None, *RENDER, "--output", path).document["changed"] is True
    again = jhpatch(None, *RENDER, "--output", path)
    assert again.code == 0 and again.document["changed"] is False


def test_another_file_is_refused(jhpatch, tmp_path):
    """A file that ``nginx render`` did not write stays: exit code 5 with the diff."""
    path = tmp_path / "hub.conf"
    path.write_text("server {}\n")
    answer = jhpatch(None, *RENDER, "--output", str(path))
    assert (answer.code, answer.error["path"]) == (5, str(path))
    assert "-server {}" in answer.document["file"]["diff"] and path.read_text() == "server {}\n"


@pytest.mark.parametrize(
    "arguments, words",
    [
        ([*RENDER, "--dry-run"], "--output"),
        ([*RENDER, "--certificate", "/d.pem"], "--certificate-key"),
        (["nginx", "check", "--user", "alice"], "--url"),
        (["nginx", "check", "--cookie-file", "/c"], "--url"),
        (["nginx", "check", "/etc/nginx", "--url", "https://hub.example.org/"], "--url"),
        (["nginx", "check", "--url", "ftp://hub.example.org/"], "http"),
    ],
)
def test_arguments_that_do_not_go_together(jhpatch, arguments, words):
    """Exit code 2, what was expected, and the help of the action."""
    answer = jhpatch(None, *arguments)
    assert answer.code == 2 and words in answer.error["message"]
    assert answer.next.endswith("nginx %s --help" % arguments[1])


def test_a_rendered_site_has_no_finding(jhpatch, tmp_path):
    """``check`` of what ``render`` wrote is exit code 0; of a missing file 1 with its path."""
    pytest.importorskip("crossplane")
    path = str(tmp_path / "hub.conf")
    jhpatch(None, *RENDER, "--output", path)
    answer = jhpatch(None, "nginx", "check", path)
    assert (answer.code, answer.document["findings"]) == (0, [])
    missing = jhpatch(None, "nginx", "check", path + ".gone")
    assert (missing.code, missing.error["path"]) == (1, path + ".gone")
