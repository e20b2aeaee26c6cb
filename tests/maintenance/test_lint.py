"""Each rule of patches/README.md, broken once."""

import re

import pytest

from jhpatch.maintenance import lint
from jhpatch.patchset import catalog, edition
from testing.patch_files import PATH, UPSTREAM, patch_text, patched, put


@pytest.fixture
def tree(tmp_path):
    """An empty patch directory."""
    edition._read.cache_clear()  # a process reads each file once, and these change
    (tmp_path / "tree").mkdir()
    return str(tmp_path / "tree")


def findings(tree):
    """The path and the message of everything that is wrong in a patch directory."""
    editions, errors = lint.editions_of(tree)
    errors += list(catalog.overlaps(editions)) + list(lint.conflicts(editions))
    errors += [error for edition in editions for error in lint.findings(edition)]
    return [(error.path, error.message) for error in errors]


def messages(tree):
    """The messages alone."""
    return [message for _, message in findings(tree)]


def test_a_sound_patch_has_no_finding(tree):
    """The patch that the others are made of keeps all rules."""
    put(tree, patch_text())
    assert findings(tree) == []


@pytest.mark.parametrize(
    "text, message",
    [
        (patch_text(Colour="blue"), "no known field"),
        (patch_text().replace("Origin: vendor", "Origin: vendor\nOrigin: us"), "stands twice"),
        (patch_text(versions=">=1.0"), "open-ended"),
        (patch_text(versions="==1.*"), "open-ended"),
        (patch_text(versions=">=1.0,<=2.3"), "two major versions"),
        (patch_text(versions=">=1.1,<=1.2"), "not named after its first release"),
        (patch_text(Description=""), "without a field"),
        (patch_text(Package="other"), "folder of another distribution"),
        (patch_text(Before=PATH), "hashes that cannot be read"),
        (patch_text(After=""), "do not name the same files"),
        (patch_text(Adds="app/x.py < app/x.py"), "a source that is not there"),
        (patch_text().replace("---\n", "", 1), "without the end of its header"),
        (patch_text().replace(" from tornado import web\n", "", 1), "cannot be parsed"),
        (patch_text().replace("-4,6 +4,7", "-4,6 +4,8", 1), "cannot be parsed"),
        (patch_text().replace("+    @on_open", "+    @on_open "), "a blank at its end"),
        (patch_text().replace("+++ b/app/handlers.py", "+++ b/app/other.py"), "is renamed"),
        (patch_text().replace("\n", "\r\n"), "without the end of its header"),
        (patch_text(Not_Needed="because"), "one of the two"),
        (patch_text(Not_Needed="because", Before="", After=""), "has a diff"),
    ],
)
def test_each_rule(tree, text, message):
    """A file that breaks a rule is named, with what is wrong."""
    path = put(tree, text)
    found = findings(tree)
    assert any(message in text for _, text in found), found
    assert {where for where, _ in found} == {path}


def test_a_hunk_needs_three_lines_of_context(tree):
    """Two lines above a change: patch(1) and a person find its place less surely."""
    text = patch_text()
    head = re.search(r"(?m)^@@ -(\d+),(\d+) \+(\d+),(\d+) @@\n (.*\n)", text)
    start, old, new = (int(head.group(number)) for number in (1, 2, 4))
    short = "@@ -%d,%d +%d,%d @@\n" % (start + 1, old - 1, start + 1, new - 1)
    put(tree, text.replace(head.group(), short, 1))
    assert messages(tree) == ["the hunk at line %d of %s has too little context" % (5, PATH)]


def test_context_ends_where_the_file_does(tree):
    """A change of the first or the last line has no lines beyond it to show."""
    put(tree, patch_text(after=b"# first\n" + patched(UPSTREAM) + b"# last\n"))
    assert messages(tree) == []


def test_hunks_stand_where_those_before_them_put_them(tree):
    """A hunk whose new line ignores what the hunk before added is a finding."""
    text = patch_text()
    second = re.findall(r"\+(\d+)(,\d+ @@)", text)[1]
    wrong = text.replace("+%s%s" % second, "+%d%s" % (int(second[0]) + 1, second[1]))
    assert wrong != text
    put(tree, wrong)
    assert any("is not where those before it put it" in one for one in messages(tree))


def test_all_findings_are_named_at_once(tree):
    """One broken header hides no other file."""
    put(tree, patch_text(Colour="blue"))
    put(tree, patch_text(versions=">=1.3"), "1.3-hooks.patch")
    put(tree, "", "notes.txt")
    assert len({path for path, _ in findings(tree)}) == 3


def test_overlaps_and_conflicts(tree):
    """Two editions for one release, and two patches for one file, are findings."""
    put(tree, patch_text())
    put(tree, patch_text(versions="==1.2"), "1.2-hooks.patch")
    put(tree, patch_text(versions="==1.0"), "1.0-other.patch")
    found = messages(tree)
    assert any("two editions of app/hooks" in one for one in found)
    assert any("app/hooks" in one and "app/other" in one for one in found)


def test_a_source_that_does_not_compile(tree):
    """An added Python file must compile."""
    put(tree, patch_text(Adds="app/x.py < app/x.py"))
    put(tree, "def (\n", "x.py")
    (message,) = messages(tree)
    assert "does not compile" in message


def test_the_bytes_of_a_release(tree):
    """Before is what was released, and the diff gives After from it, which compiles."""
    broken = patched(UPSTREAM).replace(b"@on_save", b"@on save")
    for text, files, message in (
        (patch_text(), {PATH: UPSTREAM}, None),
        (patch_text(), {PATH: UPSTREAM + b"#"}, "Before is not what app 1.0 has as " + PATH),
        (patch_text(), {}, "Before is not what app 1.0 has as " + PATH),
        (patch_text(After="%s sha256:%s" % (PATH, "0" * 64)), {PATH: UPSTREAM}, "does not give"),
        (patch_text(after=broken), {PATH: UPSTREAM}, "does not compile"),
    ):
        edition._read.cache_clear()
        put(tree, text)
        ((made,), _) = lint.editions_of(tree)
        errors = [error.message for error in lint.of_release(made, "1.0", files)]
        assert len(errors) == (message is not None)
        assert message is None or message in errors[0]


def test_the_ends_of_the_ranges(tree):
    """The first and the last release of each range, each once."""
    put(tree, patch_text(versions=">=1.0,<=1.2 | ==1.4 | >=1.2,<=1.3"))
    ((made,), _) = lint.editions_of(tree)
    assert lint.ends(made) == ["1.0", "1.2", "1.4", "1.3"]
