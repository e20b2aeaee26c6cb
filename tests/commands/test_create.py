"""``jhpatch create``: from files that were edited in place to a patch, and back."""

import os

import pytest

from jhpatch.cli import main, terminal
from jhpatch.installer import record
from testing.packages import KINDS, edit, write
from testing.trees import tree

DESCRIPTION = ("--description", "what it does, and why")


@pytest.fixture
def create(jhpatch, tmp_path):
    """``create(env, "pure/x", …)`` into the patch directory ``p``."""

    def call(env, patch, *arguments):
        words = ["--patches", str(tmp_path / "p"), *DESCRIPTION, *arguments]
        return jhpatch(env, "create", patch, *words)

    return call


def site_of(env):
    """Everything in a site but what jhpatch keeps there."""
    files = tree(env.site)
    return {path: row for path, row in files.items() if not path.startswith(".jhpatch")}


def edit_all(env):
    """Each kind of change in ``awkward``."""
    edit(env, "awkward/long.py", b"line_9 = 9\n", b"line_9 = 99  \n")
    edit(env, "awkward/crlf.py", b"line_9 = 9\r\n", b"line_9 = 99\r\n")
    edit(env, "awkward/open.py", b"B = 2", b"B = 3")
    edit(env, "awkward/latin.py", b"caf\xe9", b"caf\xe9s")
    os.unlink(os.path.join(env.site, "awkward/gone.py"))
    write(env, "awkward/empty.txt", b"filled")
    write(env, "awkward/filled.txt", b"")
    edit(env, "awkward/data/my file.txt", b"two", b"three")
    edit(env, "awkward/caf\u00e9.txt", b"one\n", b"one\r\n")
    write(env, "awkward/new/__init__.py", b"")
    write(env, "awkward/new/deep/inner.py", b"A = 1\n")
    write(env, "awkward/new/new file.txt", b"no end")
    write(env, "awkward/__pycache__/long.cpython-311.pyc", b"\0")
    write(env, "awkward/long.py~", b"an editor's")


EDITS = {
    "pure": lambda env: edit(env, "pure/a.py", b"line_9 = 9\n", b"line_9 = 99\n"),
    "name_space": lambda env: (
        edit(env, "spaces/one/a.py", b"line_9 = 9\n", b"line_9 = 99\n"),
        write(env, "spaces/one/new/b.py", b"A = 1\n"),
    ),
    "single": lambda env: edit(env, "single.py", b"line_9 = 9\n", b"line_9 = 99\n"),
    "with_data": lambda env: (
        edit(env, "with_data/templates/page.html", b"hello", b"goodbye"),
        edit(env, "with_data/more.py", b"line_9 = 9\n", b"line_9 = 99\n"),
    ),
    "with_script": lambda env: edit(env, "with_script/__init__.py", b"before", b"after"),
    "extension": lambda env: edit(env, "extension/a.py", b"line_9 = 9\n", b"line_9 = 99\n"),
    "awkward": edit_all,
}


@pytest.mark.parametrize("name", sorted(KINDS))
def test_from_an_edited_site_to_another_environment_and_back(
    create, jhpatch, new_env, packages, tmp_path, name
):
    """create, lint, apply elsewhere, revert both: the same bytes, modes and RECORD each time."""
    first, second = new_env("first"), new_env("second")
    original = site_of(second)
    EDITS[name](first)
    wheel = ("--wheel", packages.wheel(name))
    answer = create(first, name + "/try", *wheel)
    assert (answer.code, answer.states[name + "/try"]) == (0, "applied"), answer
    patches = ("--patches", str(tmp_path / "p"))
    assert jhpatch(None, "lint", *patches, *wheel).document["findings"] == []
    answer = jhpatch(second, "apply", *patches, name + "/try")
    assert (answer.code, answer.states[name + "/try"]) == (0, "applied"), answer
    assert jhpatch(first, "status", *patches, name + "/try").code == 0
    ours, theirs = site_of(first), site_of(second)
    ours.pop("awkward/long.py~", None)
    assert ours == theirs
    for env in (first, second):
        assert jhpatch(env, "revert").code == 0
        assert not os.path.exists(os.path.join(env.site, ".jhpatch"))
    assert site_of(second) == original
    reverted = site_of(first)
    reverted.pop("awkward/long.py~", None)
    assert reverted == original


def test_record_stays_true(create, new_env, packages):
    """RECORD has the hash of each file of the patch, new ones too, and no removed one."""
    env = new_env("env")
    edit_all(env)
    create(env, "awkward/try", "--wheel", packages.wheel("awkward"))
    with open(os.path.join(env.site, "awkward-1.0.dist-info/RECORD"), "rb") as file:
        rows = {row.path: row.sha256 for row in record.parse(file.read())}
    files = {path: row[0] for path, row in site_of(env).items() if path.startswith("awkward/")}
    del files["awkward/long.py~"]
    assert {path: row for path, row in rows.items() if path.startswith("awkward/")} == {
        path: digest for path, digest in files.items() if digest
    }


def test_a_removed_file_comes_back_with_its_mode(create, jhpatch, new_env, packages, tmp_path):
    """A revert restores permissions, too; of a file that was removed by hand, 0644."""
    first, second = new_env("first"), new_env("second")
    path = os.path.join(second.site, "awkward/gone.py")
    os.chmod(path, 0o755)
    os.unlink(os.path.join(first.site, "awkward/gone.py"))
    create(first, "awkward/try", "--wheel", packages.wheel("awkward"))
    jhpatch(second, "apply", "--patches", str(tmp_path / "p"), "awkward/try")
    assert not os.path.exists(path)
    for env, mode in ((first, 0o100644), (second, 0o100755)):
        assert jhpatch(env, "revert").code == 0
        assert os.stat(os.path.join(env.site, "awkward/gone.py")).st_mode == mode


def edited(env, number=9):
    """An edit of ``pure/a.py``."""
    line = b"line_%d = %d\n" % (number, number)
    edit(env, "pure/a.py", line, line + b"edited = %d\n" % number)


def test_the_patch_file(create, new_env, packages, tmp_path):
    """Header and diff; the description is folded, the name of the package that of its metadata."""
    env = new_env("env")
    edited(env)
    answer = create(
        env, "Pure/try", "--wheel", packages.wheel("pure"), "--description", "wo rd " * 30
    )
    candidate = answer.document["candidate"]
    assert (candidate["patch"], candidate["edition"], candidate["version"]) == (
        "pure/try",
        "1.0-try",
        "1.0",
    )
    assert candidate["path"] == str(tmp_path / "p/pure/1.0-try.patch")
    with open(candidate["path"], newline="") as file:
        text = file.read()
    assert text == candidate["text"]
    assert text.startswith("Package: pure\nVersions: ==1.0\nDescription: wo rd wo")
    assert max(map(len, text.splitlines())) < 100
    assert "\n---\n--- a/pure/a.py\n+++ b/pure/a.py\n@@ -8,6 +8,7 @@\n" in text
    assert answer.document["notes"] == ["changes pure/a.py", "wrote " + candidate["path"]]
    assert answer.document["changed"] is True


def test_a_dry_run_writes_nothing(create, new_env, packages, tmp_path):
    """The patch is in the document; neither a patch directory nor a site is changed."""
    env = new_env("env")
    edited(env)
    before = tree(env.prefix)
    answer = create(env, "pure/try", "--wheel", packages.wheel("pure"), "--dry-run")
    assert (answer.code, answer.document["would_change"], answer.document["changed"]) == (
        0,
        True,
        False,
    )
    assert "+edited = 9" in answer.document["candidate"]["text"]
    assert not os.path.exists(str(tmp_path / "p")) and tree(env.prefix) == before


def test_a_patch_is_edited_further(create, jhpatch, new_env, packages, tmp_path):
    """The same name again: one patch with both edits; a revert restores the release."""
    env, other = new_env("env"), new_env("other")
    original = site_of(env)
    edited(env)
    create(env, "pure/try", "--wheel", packages.wheel("pure"))
    jhpatch(other, "apply", "--patches", str(tmp_path / "p"), "pure/try")
    edited(env, 30)
    write(env, "pure/new.py", b"A = 1\n")
    patches = ("--patches", str(tmp_path / "p"))
    answer = jhpatch(env, "create", "pure/try", *patches)  # the originals are saved
    assert (answer.code, answer.states["pure/try"]) == (0, "applied"), answer
    text = answer.document["candidate"]["text"]
    assert "Description: what it does, and why\n" in text and "+edited = 30" in text
    assert os.listdir(str(tmp_path / "p/pure")) == ["1.0-try.patch"]
    assert jhpatch(other, "status", *patches, "pure/try").states["pure/try"] == "outdated"
    assert jhpatch(other, "apply", *patches, "pure/try").code == 0
    assert site_of(other) == site_of(env)
    again = jhpatch(env, "create", "pure/try", *patches)
    assert (again.code, again.document["changed"]) == (0, False)
    assert jhpatch(env, "revert").code == 0 and site_of(env) == original


def test_two_patches_of_a_distribution(create, jhpatch, new_env, packages, tmp_path):
    """The second has its own files alone; an edit in a file of the first is refused by name."""
    env = new_env("env")
    original = site_of(env)
    wheel = ("--wheel", packages.wheel("pure"))
    edited(env)
    create(env, "pure/one", *wheel)
    edit(env, "pure/b.py", b"line_9 = 9\n", b"")
    answer = create(env, "pure/two", *wheel)
    assert answer.document["notes"][0] == "changes pure/b.py"
    edited(env, 20)
    answer = create(env, "pure/three", *wheel)
    assert (answer.code, answer.error["code"]) == (5, "refused")
    assert "belongs to the patch pure/one" in answer.error["message"]
    assert "create" in answer.next and "pure/one" in answer.next
    assert create(env, "pure/one", *wheel).code == 0
    assert jhpatch(env, "revert").code == 0 and site_of(env) == original


def outside(env):
    """An edit of a data file of the distribution, in ``share``."""
    write(env, "../../../share/with_data/login.html", b"<h2>\n")


REFUSED = {
    "nothing is edited": ("pure", lambda env: None, "no file of pure was edited"),
    "a row without a SHA-256": (
        "pure",
        lambda env: edit(
            env, "pure-1.0.dist-info/RECORD", b"pure/b.py,", b"pure/no.py,,\npure/b.py,"
        ),
        "a file cannot be compared or patched: RECORD has no SHA-256",
    ),
    "data outside of the site": ("with_data", outside, "outside of the site"),
    "a binary file": (
        "extension",
        lambda env: write(env, "extension/_fast.so", b"\x7fELF\0\1\n"),
        "it is binary",
    ),
    "a new binary file": (
        "pure",
        lambda env: write(env, "pure/icon.png", b"\x89PNG\0\n"),
        "it is binary",
    ),
    "a name with a quote": (
        "pure",
        lambda env: write(env, 'pure/a"b.txt', b"x\n"),
        "quote its name",
    ),
    "a name with a tab": (
        "pure",
        lambda env: write(env, "pure/a\tb.txt", b"x\n"),
        "quote its name",
    ),
    "a new symlink": (
        "pure",
        lambda env: os.symlink("a.py", os.path.join(env.site, "pure/c.py")),
        "not a regular file",
    ),
    "a file that is a symlink now": (
        "pure",
        lambda env: (
            os.unlink(os.path.join(env.site, "pure/a.py")),
            os.symlink("b.py", os.path.join(env.site, "pure/a.py")),
        ),
        "not a regular file",
    ),
    "what does not compile": (
        "pure",
        lambda env: edit(env, "pure/a.py", b"line_9 = 9", b"line_9 = = 9"),
        "does not compile",
    ),
}


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_what_no_patch_can_carry_is_refused(create, new_env, packages, tmp_path, name):
    """The reason and the file are named, and nothing is written."""
    distribution, change, message = REFUSED[name]
    env = new_env("env")
    change(env)
    before = tree(env.prefix)
    answer = create(env, distribution + "/try", "--wheel", packages.wheel(distribution))
    assert answer.code == (1 if "compile" in message else 5)
    assert message in answer.error["message"], answer
    assert answer.error["path"]
    assert not os.path.exists(str(tmp_path / "p")) and tree(env.prefix) == before


def test_the_others_are_taken_by_name(create, new_env, packages):
    """``--file`` leaves out what cannot be carried, and says so."""
    env = new_env("env")
    outside(env)
    edit(env, "with_data/a.py", b"line_9 = 9\n", b"")
    edit(env, "with_data/more.py", b"line_9 = 9\n", b"")
    wheel = ("--wheel", packages.wheel("with_data"))
    answer = create(env, "with_data/try", *wheel, "--file", "with_data/a.py")
    assert answer.code == 0
    assert answer.document["notes"][0] == "changes with_data/a.py"
    assert answer.document["notes"][1].startswith(
        "not in the patch: ../../../share/with_data/login"
    )
    answer = create(env, "with_data/other", *wheel, "--file", "with_data/__init__.py")
    assert answer.code == 5 and "identical to the file of the release" in answer.error["message"]


@pytest.mark.parametrize(
    "arguments, code",
    [
        (["pure"], 2),
        (["pure/Bad_Slug"], 2),
        (["absent/try"], 5),
        (["pure/try", "--wheel", "other-1.0-py3-none-any.whl"], 2),
        (["pure/try", "--patches", "/nowhere/at/all"], 2),
    ],
)
def test_wrong_arguments(jhpatch, new_env, tmp_path, arguments, code):
    """A defined exit code, and what was expected."""
    env = new_env("env")
    edited(env)
    patches = [] if "--patches" in arguments else ["--patches", str(tmp_path / "p")]
    answer = jhpatch(env, "create", *arguments, *patches, *DESCRIPTION)
    assert (answer.code, bool(answer.error["expected"])) == (code, True), answer
    assert not os.path.exists(str(tmp_path / "p"))


def test_what_must_be_said(jhpatch, new_env, packages, tmp_path):
    """A patch directory, and a description if no terminal can be asked."""
    env = new_env("env")
    edited(env)
    answer = jhpatch(env, "create", "pure/try", *DESCRIPTION)
    assert (answer.code, answer.error["expected"]) == (2, "--patches DIR")
    wheel = ("--wheel", packages.wheel("pure"), "--patches", str(tmp_path / "p"))
    for words in ([], ["--description", ""], ["--description", " \n"]):
        answer = jhpatch(env, "create", "pure/try", *wheel, *words)
        assert answer.code == 2 and "--description" in answer.error["expected"]


def test_a_terminal_is_asked(new_env, packages, tmp_path, monkeypatch, capsys):
    """The answer is the description."""
    env = new_env("env")
    edited(env)
    asked = []
    monkeypatch.setattr(terminal, "ask", lambda text: asked.append(text) or "because")
    words = ["--patches", str(tmp_path / "p"), "--python", env.python]
    assert main.main(["create", "pure/try", "--wheel", packages.wheel("pure"), *words]) == 0
    assert "Description: because\n" in (tmp_path / "p/pure/1.0-try.patch").read_text()
    assert len(asked) == 1
    assert capsys.readouterr().out.splitlines()[-1] == "%s: pure/try applied" % env.site
