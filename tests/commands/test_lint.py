"""``jhpatch lint``: each rule of patches/README.md, broken once."""

import os
import re

import pytest

from testing.index import made_wheel, serving
from testing.patch_files import PATH, UPSTREAM, patch_text, patched, put


@pytest.fixture
def patches(tmp_path):
    """An empty patch directory."""
    return str(tmp_path / "patches")


@pytest.fixture
def lint(jhpatch, patches):
    """Runs ``lint`` over the patch directory."""

    def call(*arguments):
        return jhpatch(None, "lint", "--patches", patches, *arguments)

    return call


def messages(answer):
    """What the findings say."""
    return [row["message"] for row in answer.document["findings"]]


@pytest.mark.slow
def test_our_own_patches_have_no_finding(jhpatch):
    """Every patch that comes with jhpatch keeps the rules."""
    answer = jhpatch(None, "lint")
    assert (answer.code, messages(answer)) == (0, [])


def test_a_sound_directory_has_no_finding(lint, patches):
    """And the answer says that no bytes were compared, and how they are."""
    put(patches, patch_text())
    answer = lint()
    assert (answer.code, messages(answer)) == (0, [])
    assert any("(see --wheels)" in note for note in answer.document["notes"])


@pytest.mark.parametrize(
    "text, message",
    [
        (patch_text(Colour="blue"), "not a known field"),
        (patch_text().replace("Origin: vendor", "Origin: vendor\nOrigin: us"), "occurs twice"),
        (patch_text(versions=">=1.0"), "open-ended"),
        (patch_text(versions="==1.*"), "open-ended"),
        (patch_text(versions=">=1.0,<=2.3"), "two major versions"),
        (patch_text(versions=">=1.1,<=1.2"), "not named after its first release"),
        (patch_text(Description=""), "a required field is missing"),
        (patch_text(Package="other"), "directory of another distribution"),
        (patch_text(Before=PATH), "row cannot be parsed"),
        (patch_text(After=""), "must name the same files"),
        (patch_text(Adds="app/x.py < app/x.py"), "cannot read a source that Adds names"),
        (patch_text().replace("---\n", "", 1), "the header of the patch file does not end"),
        (patch_text().replace(" from tornado import web\n", "", 1), "cannot be parsed"),
        (patch_text().replace("-4,6 +4,7", "-4,6 +4,8", 1), "cannot be parsed"),
        (patch_text().replace("+    @on_open", "+    @on_open "), "trailing whitespace"),
        (patch_text().replace("+++ b/app/handlers.py", "+++ b/app/other.py"), "or renames it"),
        (patch_text().replace("\n", "\r\n"), "CRLF line endings"),
        (patch_text(Not_Needed="because"), "either change files or state"),
        (patch_text(Not_Needed="because", Before="", After=""), "has a diff"),
    ],
)
def test_each_rule(lint, patches, text, message):
    """A file that breaks it: exit code 3, the file's name, and what is wrong."""
    path = put(patches, text)
    answer = lint()
    assert answer.code == 3
    assert any(message in found for found in messages(answer)), messages(answer)
    assert {row["path"] for row in answer.document["findings"]} == {path}


def test_a_hunk_needs_three_lines_of_context(lint, patches):
    """Two above: patch(1) and a person would find its place less surely."""
    text = patch_text()
    head = re.search(r"(?m)^@@ -(\d+),(\d+) \+(\d+),(\d+) @@\n (.*\n)", text)
    start, old, new = (int(head.group(number)) for number in (1, 2, 4))
    short = "@@ -%d,%d +%d,%d @@\n" % (start + 1, old - 1, start + 1, new - 1)
    put(patches, text.replace(head.group(), short, 1))
    assert messages(lint()) == ["the hunk at line %d of %s has too little context" % (5, PATH)]


def test_context_ends_where_the_file_does(lint, patches):
    """A change of the first line and one of the last have no lines beyond them to show."""
    put(patches, patch_text(after=b"# first\n" + patched(UPSTREAM) + b"# last\n"))
    assert messages(lint()) == []


def test_an_unchanged_crlf_line_is_no_added_one(lint, patches):
    """Its trailing blank is the release's; one that the patch adds is found."""
    before = UPSTREAM.replace(b"\n", b" \r\n")
    after = before.replace(b"import json \r\n", b"import json \r\nimport sys\r\n")
    assert after != before
    put(patches, patch_text(before, after, Adds=""))
    assert messages(lint()) == []
    put(patches, patch_text(before, after.replace(b"import sys", b"import sys "), Adds=""))
    assert messages(lint()) == ["an added line has trailing whitespace"]


def test_hunks_stand_where_those_before_them_put_them(lint, patches):
    """A second hunk whose new line forgets what the first one added."""
    text = patch_text()
    second = re.findall(r"\+(\d+)(,\d+ @@)", text)[1]
    wrong = text.replace("+%s%s" % second, "+%d%s" % (int(second[0]) + 1, second[1]))
    assert wrong != text
    put(patches, wrong)
    assert any("has a wrong new line number" in message for message in messages(lint()))


def test_all_findings_are_named_at_once(lint, patches):
    """One broken header hides no other file."""
    put(patches, patch_text(Colour="blue"))
    put(patches, patch_text(versions=">=1.3"), "1.3-hooks.patch")
    put(patches, "", "notes.txt")
    assert len({row["path"] for row in lint().document["findings"]}) == 3


def test_overlaps_and_conflicts(lint, patches):
    """Two editions for one release, and two patches for one file."""
    put(patches, patch_text())
    put(patches, patch_text(versions="==1.2"), "1.2-hooks.patch")
    put(patches, patch_text(versions="==1.0"), "1.0-other.patch")
    found = messages(lint())
    assert any("two patch files of app/hooks" in message for message in found)
    assert any("app/hooks" in message and "app/other" in message for message in found)


def test_a_source_that_does_not_compile(lint, patches):
    """What Adds names is Python, if its name says so."""
    put(patches, patch_text(Adds="app/x.py < app/x.py"))
    put(patches, "def (\n", "x.py")
    (message,) = messages(lint())
    assert "does not compile" in message


def test_bytes_are_compared_with_a_wheel(lint, patches, tmp_path):
    """Before is what was released, and the diff gives After from it."""
    wheel = made_wheel(str(tmp_path), "app", "1.0", {PATH: UPSTREAM})
    put(patches, patch_text())
    assert lint("--wheel", wheel).code == 0
    put(patches, patch_text(Before="%s sha256:%s" % (PATH, "0" * 64)))
    (message,) = messages(lint("--wheel", wheel))
    assert message == PATH + " of app 1.0 differs from its Before row"
    put(patches, patch_text(After="%s sha256:%s" % (PATH, "0" * 64)))
    (message,) = messages(lint("--wheel", wheel))
    assert "does not produce the bytes that the header declares" in message
    put(patches, patch_text(after=patched(UPSTREAM).replace(b"@on_save", b"@on save")))
    (message,) = messages(lint("--wheel", wheel))
    assert "does not compile" in message


@pytest.mark.slow
def test_the_ends_of_each_range_are_compared(lint, patches, tmp_path, monkeypatch):
    """Through pip: the last release of a range has other bytes than the first."""
    served = str(tmp_path / "served")
    made_wheel(served, "app", "1.0", {PATH: UPSTREAM})
    made_wheel(served, "app", "1.2", {PATH: UPSTREAM + b"# later\n"})
    put(patches, patch_text())
    with serving(served) as address:
        monkeypatch.setenv("PIP_INDEX_URL", address)
        answer = lint("--wheels", str(tmp_path / "kept"))
    assert messages(answer) == [PATH + " of app 1.2 differs from its Before row"]
    assert len(os.listdir(str(tmp_path / "kept"))) == 2


@pytest.mark.slow
def test_a_release_that_is_not_there_is_no_silent_skip(lint, patches, tmp_path, monkeypatch):
    """pip finds no such wheel: exit code 1, and which it was."""
    put(patches, patch_text())
    made_wheel(str(tmp_path / "served"), "app", "3.0", {PATH: UPSTREAM})
    with serving(str(tmp_path / "served")) as address:
        monkeypatch.setenv("PIP_INDEX_URL", address)
        answer = lint("--wheels", str(tmp_path / "kept"))
    assert answer.code == 1
    assert "app==1.0" in answer.error["message"] + answer.error["next"]


def test_hashes_are_filled_in(lint, patches, tmp_path):
    """A new patch without hashes gets them from the wheel, and nothing else changes."""
    wheel = made_wheel(str(tmp_path), "app", "1.0", {PATH: UPSTREAM})
    path = put(patches, patch_text(Before=PATH, After=PATH + " sha256:?"))
    answer = lint("--fix-hashes", "--wheel", wheel)
    assert (answer.code, answer.document["changed"]) == (0, True)
    with open(path) as file:
        assert file.read() == patch_text()
    assert os.listdir(os.path.dirname(path)) == ["1.0-hooks.patch"]
    assert lint("--wheel", wheel).code == 0


@pytest.mark.parametrize(
    "code, text, files, version",
    [
        (1, patch_text(), {PATH: b"# above\n" + UPSTREAM}, "1.0"),
        (1, patch_text(), {"app/other.py": UPSTREAM}, "1.0"),
        (1, patch_text(), {PATH: UPSTREAM + b"\n" * (17 << 20)}, "1.0"),
        (1, patch_text(Colour="blue"), {PATH: UPSTREAM}, "1.0"),
        (5, patch_text(), {PATH: UPSTREAM}, "1.3"),
    ],
)
def test_hashes_that_cannot_be_filled_in(lint, patches, tmp_path, code, text, files, version):
    """The diff does not fit, the file or the release is another: an error, and no byte changes."""
    wheel = made_wheel(str(tmp_path), "app", version, files)
    path = put(patches, text)
    answer = lint("--fix-hashes", "--wheel", wheel)
    assert answer.code == code
    assert answer.error["path"]
    with open(path) as file:
        assert file.read() == text


@pytest.mark.parametrize(
    "code, arguments",
    [
        (2, ["--fix-hashes"]),
        (2, ["--wheel", "app.zip"]),
        (1, ["--wheel", "/nowhere/app-1.0-py3-none-any.whl"]),
        (2, ["--patches", "/nowhere"]),
    ],
)
def test_wrong_arguments(lint, patches, code, arguments):
    """A defined exit code and a message that names the argument."""
    put(patches, patch_text())
    answer = lint(*arguments)
    assert answer.code == code
    assert answer.error["message"]
