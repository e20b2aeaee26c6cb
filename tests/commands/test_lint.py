"""``jhpatch lint``: patch files against the rules, against wheels, and new ones filled in."""

import os

import pytest

from jhpatch.patchset import edition
from testing.index import made_wheel, serving
from testing.patch_files import PATH, UPSTREAM, patch_text, patched, put


@pytest.fixture
def tree(tmp_path):
    """An empty patch directory."""
    return str(tmp_path / "tree")


@pytest.fixture
def lint(jhpatch, tree):
    """Run ``lint`` over the patch directory."""

    def call(*arguments):
        edition._read.cache_clear()  # a process reads each file once, and these change
        return jhpatch(None, "lint", "--patches", tree, *arguments)

    return call


def messages(answer):
    """The messages of the findings."""
    return [one["message"] for one in answer.document["findings"]]


def test_our_own_patches_have_no_finding(jhpatch):
    """Every patch that comes with jhpatch keeps the rules."""
    answer = jhpatch(None, "lint")
    assert (answer.code, messages(answer)) == (0, [])


def test_a_sound_directory_has_no_finding(lint, tree):
    """Exit code 0, and a note that no bytes were compared and how they are."""
    put(tree, patch_text())
    answer = lint()
    assert (answer.code, messages(answer)) == (0, [])
    assert any("--wheels DIR" in note for note in answer.document["notes"])


def test_a_broken_rule_is_exit_code_3(lint, tree):
    """Each finding has the path of its file and the message."""
    path = put(tree, patch_text(Colour="blue"))
    put(tree, "", "notes.txt")
    answer = lint()
    assert (answer.code, len(messages(answer))) == (3, 2)
    assert {finding["path"] for finding in answer.document["findings"]} == {
        path,
        path.replace("1.0-hooks.patch", "notes.txt"),
    }


def test_bytes_are_compared_with_a_wheel(lint, tree, tmp_path):
    """Before is what was released, and the diff gives After from it."""
    wheel = made_wheel(str(tmp_path), "app", "1.0", {PATH: UPSTREAM})
    put(tree, patch_text())
    assert lint("--wheel", wheel).code == 0
    put(tree, patch_text(Before="%s sha256:%s" % (PATH, "0" * 64)))
    (message,) = messages(lint("--wheel", wheel))
    assert message == "Before is not what app 1.0 has as " + PATH
    put(tree, patch_text(After="%s sha256:%s" % (PATH, "0" * 64)))
    (message,) = messages(lint("--wheel", wheel))
    assert "does not give the bytes that its header declares" in message
    put(tree, patch_text(after=patched(UPSTREAM).replace(b"@on_save", b"@on save")))
    (message,) = messages(lint("--wheel", wheel))
    assert "does not compile" in message


@pytest.mark.slow
def test_the_ends_of_each_range_are_compared(lint, tree, tmp_path, monkeypatch):
    """pip brings the first and the last release of a range, and both are compared."""
    served = str(tmp_path / "served")
    made_wheel(served, "app", "1.0", {PATH: UPSTREAM})
    made_wheel(served, "app", "1.2", {PATH: UPSTREAM + b"# later\n"})
    put(tree, patch_text())
    with serving(served) as address:
        monkeypatch.setenv("PIP_INDEX_URL", address)
        answer = lint("--wheels", str(tmp_path / "kept"))
    assert messages(answer) == ["Before is not what app 1.2 has as " + PATH]
    assert len(os.listdir(str(tmp_path / "kept"))) == 2


@pytest.mark.slow
def test_a_release_without_a_wheel_is_an_error(lint, tree, tmp_path, monkeypatch):
    """pip finds no such wheel: exit code 1, and which release it was."""
    put(tree, patch_text())
    made_wheel(str(tmp_path / "served"), "app", "3.0", {PATH: UPSTREAM})
    with serving(str(tmp_path / "served")) as address:
        monkeypatch.setenv("PIP_INDEX_URL", address)
        answer = lint("--wheels", str(tmp_path / "kept"))
    assert answer.code == 1
    assert "app==1.0" in answer.error["message"] + answer.error["next"]


def test_hashes_are_filled_in(lint, tree, tmp_path):
    """A new patch without hashes gets them from the wheel, and nothing else changes."""
    wheel = made_wheel(str(tmp_path), "app", "1.0", {PATH: UPSTREAM})
    path = put(tree, patch_text(Before=PATH, After=PATH + " sha256:?"))
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
def test_hashes_that_cannot_be_filled_in(lint, tree, tmp_path, code, text, files, version):
    """Another diff, file or release is an error, and no byte of the patch changes."""
    wheel = made_wheel(str(tmp_path), "app", version, files)
    path = put(tree, text)
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
def test_wrong_arguments(lint, tree, code, arguments):
    """Each has its exit code and a message that names the argument."""
    put(tree, patch_text())
    answer = lint(*arguments)
    assert answer.code == code
    assert answer.error["message"]
