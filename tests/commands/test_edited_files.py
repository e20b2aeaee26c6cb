"""What ``create`` takes: the distribution that is meant, and the change of a diff."""

import os
import subprocess

import pytest

from testing.packages import EDITED, LONG, edit, put_patch, write
from testing.trees import tree


@pytest.fixture
def diff(tmp_path):
    """``diff -ru`` of ``pure/a.py``, and a file that the release does not have."""
    for top, data in (("one", LONG), ("two", EDITED)):
        for name in ("pure/a.py", "docs/a.rst"):
            path = tmp_path / top / name
            path.parent.mkdir(parents=True)
            path.write_bytes(data)
    argv = ["diff", "-ru", "one", "two"]
    done = subprocess.run(argv, cwd=str(tmp_path), stdout=subprocess.PIPE)
    (tmp_path / "x.diff").write_bytes(done.stdout)
    return "--from=" + str(tmp_path / "x.diff")


def test_a_record_without_the_row_of_a_file(create, new_env, tmp_path):
    """The wheel has it: an edit of it is not taken for a new file, which a revert removes."""
    env = new_env("env")
    write(env, "pure/a.py", EDITED)
    path = os.path.join(env.site, "pure-1.0.dist-info/RECORD")
    with open(path) as file:
        rows = [line for line in file if not line.startswith("pure/a.py,")]
    with open(path, "w") as file:
        file.writelines(rows)
    answer = create(env)
    assert (answer.code, answer.error["path"]) == (5, env.site + "/pure/a.py"), answer
    assert "reinstall" in answer.error["next"] and not os.path.exists(str(tmp_path / "p"))


def test_a_script_is_left_out_with_a_note(jhpatch, new_env, packages, tmp_path):
    """Beside another edit, and alone."""
    env = new_env("env")
    edit(env, "../../../bin/ws", b"import sys", b"import sys, os")
    words = ("--patches", str(tmp_path / "p"), "--description", "d")
    words += ("--wheel", packages.wheel("with_script"))
    answer = jhpatch(env, "create", "with_script/try", *words)
    assert (answer.code, "bin/ws" in answer.error["found"]) == (5, True)
    edit(env, "with_script/__init__.py", b"before", b"after")
    answer = jhpatch(env, "create", "with_script/try", *words)
    assert answer.code == 0 and "bin/ws" in answer.document["notes"][1]


def test_how_a_file_is_named(create, new_env, diff):
    """From the site, or by an absolute path; what is no file of the distribution is said."""
    env = new_env("env")
    write(env, "pure/a.py", EDITED)
    for name in ("./pure/a.py", os.path.join(env.site, "pure/a.py"), "pure//a.py"):
        answer = create(env, "--file", name, "--dry-run")
        assert (answer.code, answer.document["notes"][0]) == (0, "changes pure/a.py"), answer
    for name, reason in (
        ("pure/b.py", "identical to the file of the release"),
        ("single.py", "pure has no file with this path"),
        ("a.py", "pure has no file with this path"),
    ):
        answer = create(env, "--file", name)
        assert answer.code == 5 and reason in answer.error["message"]
        assert answer.error["next"].startswith("name an edited file")
    answer = create(env, diff, "--file=./pure/a.py", "--file=pure/b.py")
    assert answer.code == 5 and "the diff does not change it" in answer.error["message"]
    assert create(env, diff, "--file=./pure/a.py").code == 0


def test_from_a_diff_the_site_stays_as_it_is(create, jhpatch, new_env, diff, tmp_path):
    """The patch is written, the site is not changed, and the next step applies it."""
    env = new_env("env")
    before = tree(env.prefix)
    answer = create(env, diff)
    assert (answer.code, answer.states["pure/try"]) == (0, "pristine"), answer
    assert (
        "not in the patch: two/docs/a.rst: the release has no such file"
        in (answer.document["notes"])
    )
    assert tree(env.prefix) == before
    patches = ("--patches", str(tmp_path / "p"))
    assert jhpatch(env, "apply", *patches, "pure/try").code == 0
    with open(os.path.join(env.site, "pure/a.py"), "rb") as file:
        assert file.read() == EDITED


@pytest.mark.parametrize("kind", ["--file", "--from"])
def test_the_other_files_of_a_patch_stay(create, jhpatch, new_env, diff, kind):
    """A second run for some files keeps the others; a revert restores the release."""
    env = new_env("env")
    before = tree(env.site)
    write(env, "pure/__init__.py", b"A = 1\n")
    edit(env, "pure/b.py", b"line_9 = 9\n", b"")
    write(env, "pure/new.py", b"A = 1\n")
    assert create(env).states["pure/try"] == "applied"
    write(env, "pure/a.py", EDITED)
    answer = create(env, "--file=pure/a.py" if kind == "--file" else diff)
    assert (answer.code, answer.states["pure/try"]) == (0, "applied"), answer
    for path in ("pure/__init__.py", "pure/b.py", "pure/new.py"):
        assert "stays in the patch: " + path in answer.document["notes"]
    assert "+A = 1" in answer.document["candidate"]["text"]
    assert jhpatch(env, "revert").code == 0 and tree(env.site) == before


def test_another_description_alone(create, new_env):
    """The site has the files: it has the new version, too."""
    env = new_env("env")
    write(env, "pure/a.py", EDITED)
    create(env)
    answer = create(env, "--description", "another")
    assert (answer.code, answer.states["pure/try"]) == (0, "applied"), answer
    assert answer.document["changed"] is True


def test_a_file_that_is_as_the_release_has_it_again(create, new_env):
    """It leaves the patch, and the output says so."""
    env = new_env("env")
    edit(env, "pure/b.py", b"line_9 = 9\n", b"")
    write(env, "pure/a.py", EDITED)
    create(env)
    write(env, "pure/b.py", LONG)
    answer = create(env)
    assert (answer.code, answer.states["pure/try"]) == (0, "applied"), answer
    assert "no longer in the patch: pure/b.py" in answer.document["notes"]


def test_from_a_diff_that_the_site_has_already(create, jhpatch, new_env, diff):
    """The site is adopted."""
    env = new_env("env")
    before = tree(env.site)
    write(env, "pure/a.py", EDITED)
    assert create(env, diff).states["pure/try"] == "applied"
    assert jhpatch(env, "revert").code == 0 and tree(env.site) == before


def test_a_diff_of_another_distribution(create, new_env, diff, tmp_path):
    """Nothing of it is a file of the release."""
    env = new_env("env")
    (tmp_path / "x.diff").write_text("--- a/other/x.py\n+++ b/other/x.py\n@@ -1 +1 @@\n-x\n+y\n")
    answer = create(env, diff)
    assert (answer.code, answer.error["found"]) == (5, "b/other/x.py")
    (tmp_path / "x.diff").write_text("--- b.py.orig\n+++ b.py\n@@ -1 +1 @@\n-x\n+y\n")
    answer = create(env, diff)  # made in the directory of the package
    assert (answer.code, answer.error["expected"]) == (5, "pure/b.py")
    assert answer.error["next"].endswith("so that it names pure/b.py")
    assert create(env, "--from=/nowhere").code == 1


def test_a_diff_that_does_not_fit(create, new_env, diff, tmp_path):
    """The next step is no lint of a patch directory that does not exist."""
    (tmp_path / "x.diff").write_text("--- /dev/null\n+++ b/pure/a.py\n@@ -0,0 +1 @@\n+y\n")
    answer = create(new_env("env"), diff)
    assert (answer.code, answer.error["path"]) == (1, str(tmp_path / "x.diff"))
    assert answer.error["message"].startswith("pure/a.py: ")
    assert answer.error["next"] == (
        "make the diff again with diff -u, against the files of this release"
    )


def test_from_a_patch_file(create, jhpatch, new_env, tmp_path):
    """As rebase advises for one that creates and removes files: its header is no part of it."""
    files = {
        "pure/a.py": (LONG, EDITED),
        "pure/b.py": (LONG, None),
        "pure/c.py": (None, b"A = 1\n"),
    }
    old = put_patch(tmp_path / "old", "pure/try", dict(files, **{"pure/d.py": (None, b"")}))
    answer = create(new_env("env"), "--from", old)
    assert answer.code == 0, answer
    with open(old) as first, open(answer.document["candidate"]["path"]) as second:
        assert first.read().partition("\n---\n")[2] == second.read().partition("\n---\n")[2]


def test_bytes_that_cannot_be_had(jhpatch, new_env, tmp_path, monkeypatch):
    """Each source is named, and the wheel is asked for."""
    monkeypatch.setenv("PIP_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    env = new_env("env")
    edit(env, "pure/a.py", b"line_9 = 9\n", b"")
    words = ["--patches", str(tmp_path / "p"), "--description", "d"]
    answer = jhpatch(env, "create", "pure/try", *words)
    assert (answer.code, answer.error["path"]) == (5, "pure/a.py")
    assert (
        "pip's cache has no wheel with the original; pip download failed" in answer.error["found"]
    )
    assert answer.error["next"].endswith("--wheel WHEEL")


def test_a_journal_comes_first(create, new_env):
    """A site in which a run was interrupted is not looked into."""
    env = new_env("env")
    os.makedirs(os.path.join(env.site, ".jhpatch"))
    with open(os.path.join(env.site, ".jhpatch/journal.json"), "w") as file:
        file.write("{}")
    assert create(env).code == 1


@pytest.mark.parametrize(
    "name", ["b/share/with_data/login.html", "w.data/data/share/with_data/login.html"]
)
def test_a_diff_of_a_data_file_outside_of_the_site(jhpatch, new_env, packages, tmp_path, name):
    """Refused with the reason, as its edit is; it is not left out of a whole change in silence."""
    env = new_env("env")
    data = "--- %s\n+++ %s\n@@ -1 +1 @@\n-<h1>\n+<h2>\n" % (name, name)
    page = "--- a/with_data/templates/page.html\n+++ b/with_data/templates/page.html\n"
    page += "@@ -1,3 +1,3 @@\n <html>\n-hello\n+goodbye\n </html>\n"
    (tmp_path / "x.diff").write_text(data + page)
    words = ["--patches", str(tmp_path / "p"), "--description", "d"]
    words += ["--wheel", packages.wheel("with_data"), "--from", str(tmp_path / "x.diff")]
    answer = jhpatch(env, "create", "with_data/try", *words)
    assert answer.code == 5 and "it is outside of the site" in answer.error["message"], answer
    assert answer.error["found"] == name and "--file" in answer.error["next"]
    answer = jhpatch(
        env, "create", "with_data/try", *words, "--file", "with_data/templates/page.html"
    )
    assert answer.code == 0 and "outside of the site" in " ".join(answer.document["notes"])
    (tmp_path / "x.diff").write_text(data)
    answer = jhpatch(env, "create", "with_data/try", *words)
    assert answer.code == 5 and "configuration or templates" in answer.error["next"]
