"""``jhpatch revert``: the release comes back byte for byte, from every state."""

import os

import pytest

from testing.notebook_site import (
    HELPER,
    OPEN,
    PAGE,
    RECORD,
    SAVE,
    append,
    data,
    die_during_apply,
    path,
    reinstall,
    rename_release,
    unchanged,
)
from testing.trees import tree


def test_outdated(env, jhpatch, other_jhpatch):
    """An older patch is reverted without the catalog that it came from."""
    before = tree(env.site)
    other_jhpatch("0.1.0", "apply", "--python", env.python)
    assert jhpatch(env, "revert").code == 0
    assert tree(env.site) == before


def test_a_modified_file(env, jhpatch):
    """An edit on top of the patch is refused; --force restores the release and keeps the edit."""
    before = tree(env.site)
    jhpatch(env, "apply")
    append(env, PAGE)
    answer = unchanged(jhpatch, env, (3, "status"), (5, "apply"), (5, "revert"), (5, "diff"))
    assert answer.states == {OPEN: "modified", SAVE: "applied"}
    assert answer.document["sites"][0]["diff"].splitlines()[-1] == "+# edited"
    assert answer.error["path"].endswith(PAGE)
    assert answer.error["expected"] != answer.error["found"]
    edited = data(env, PAGE)
    answer = jhpatch(env, "revert", "--force")
    assert answer.code == 0
    after = tree(env.site)
    (kept,) = [name for name in after if name.startswith(".jhpatch/forced/")]
    assert data(env, kept) == edited
    note = "saved the changed file as " + path(env, kept)
    assert note in answer.document["sites"][0]["notes"]
    assert {k: v for k, v in after.items() if not k.startswith(".jhpatch")} == before


def test_force_keeps_an_edited_helper_too(env, jhpatch):
    """--force keeps what was written into the added file before it removes the file."""
    jhpatch(env, "apply")
    append(env, HELPER)
    edited = data(env, HELPER)
    answer = unchanged(jhpatch, env, (5, "revert"), (5, "apply"))
    assert answer.states == {OPEN: "modified", SAVE: "modified"}
    assert jhpatch(env, "revert", "--force").code == 0
    (kept,) = os.listdir(path(env, ".jhpatch/forced"))
    assert data(env, ".jhpatch/forced/" + kept) == edited
    assert not os.path.exists(path(env, HELPER))


def test_force_never_overwrites_another_release(env, jhpatch, make_site, tmp_path):
    """--force overwrites an edited file, not one of another release."""
    jhpatch(env, "apply")
    reinstall(env, make_site, tmp_path, version="5.7.16")
    append(env, PAGE)
    answer = unchanged(jhpatch, env, (5, "revert", "--force"))
    assert answer.states[OPEN] == "modified"


def test_an_unknown_release_over_a_record(env, jhpatch, make_site, tmp_path):
    """Upgraded to an unknown release: revert removes the record and what conda left."""
    jhpatch(env, "apply")
    reinstall(env, make_site, tmp_path, helper_stays=True, version="5.7.16")
    rename_release(env, "5.99.0", "5.7.16")
    answer = unchanged(jhpatch, env, (3, "status"), (5, "apply"))
    assert answer.states == {OPEN: "unsupported", SAVE: "unsupported"}
    assert jhpatch(env, "revert").code == 0
    assert not os.path.exists(path(env, HELPER))
    assert not os.path.exists(path(env, ".jhpatch"))


def test_after_a_run_that_died(env, jhpatch):
    """revert after a run that died gives what pip had installed."""
    before = tree(env.site)
    die_during_apply(env)
    assert jhpatch(env, "revert").code == 0
    assert tree(env.site) == before


RECORDS = {
    "LF": lambda data: data.replace(b"\r\n", b"\n"),
    "no final newline": lambda data: data.rstrip(b"\r\n"),
    "twice": lambda data: data + data,
    "a name with a comma": lambda data: b'"a,b.py",,\r\n' + data,
    "no hashes": lambda data: b"".join(
        line.split(b",")[0] + b",,\n" for line in data.splitlines()
    ),
    "empty": lambda data: b"",
}


@pytest.mark.parametrize("kind", sorted(RECORDS))
def test_any_record_comes_back(env, jhpatch, kind):
    """Whatever form RECORD has, revert restores its bytes."""
    odd = RECORDS[kind](data(env, RECORD))
    with open(path(env, RECORD), "wb") as file:
        file.write(odd)
    before = tree(env.site)
    assert jhpatch(env, "apply").code == 0
    assert b"_jhpatch_kerberos/__init__.py" in data(env, RECORD)
    assert jhpatch(env, "revert").code == 0
    assert tree(env.site) == before


def test_a_record_that_others_changed_keeps_their_rows(env, jhpatch):
    """A row that somebody else has added since stays in RECORD."""
    original = data(env, RECORD)
    jhpatch(env, "apply")
    append(env, RECORD, b"theirs.py,,\r\n")
    assert jhpatch(env, "revert").code == 0
    assert data(env, RECORD) == original + b"theirs.py,,\r\n"
