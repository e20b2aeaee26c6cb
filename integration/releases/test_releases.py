"""Each release that the patches are for: its real wheel, patched, looked at and given back."""

import os
import re
from typing import NamedTuple, Tuple

import pytest

from integration.releases import places, wrappers
from integration.releases.compilers import PYTHONS, supported
from integration.releases.layout import laid_out
from integration.releases.table import KNOWN_BYTES, OUTSIDE, PATCHES, RELEASES
from jhpatch.patchset import catalog
from jhpatch.system.sha256 import sha256
from testing.trees import tree
from testing.wheels import fetched_wheel

EDITIONS = catalog.editions([catalog.own_patch_dir()])


def each(table):
    """A test for each release of a table, as ``jupyterhub-5.4.2``."""
    rows = [(name, version) for name, versions in table.items() for version in versions]
    return pytest.mark.parametrize("name, version", rows, ids=["%s-%s" % row for row in rows])


class Change(NamedTuple):
    """A module without and with its patch, and the helper that came along."""

    patch: str
    path: str
    before: bytes
    after: bytes
    helper: str
    added: Tuple[str, ...]


@each(RELEASES)
def test_release(name, version, jhpatch, compilers, tmp_path):
    """A release takes its patches as the editions declare them, each at its place and
    nowhere else, compiles with the Pythons that it supports, and gets every byte back.
    """
    laid = laid_out(fetched_wheel(name, version), str(tmp_path / "site"))
    pristine = tree(laid.site)
    editions = [one for one in EDITIONS if one.distribution == name and one.fits(version)]
    assert [edition.patch for edition in editions] == PATCHES[name]
    unpatched = {one.path: laid.read(one.path) for each in editions for one in each.changes}

    assert_done(jhpatch(None, "apply", "--site", laid.site), name, "applied")
    for edition in editions:
        for addition in edition.adds:
            with open(addition.source, "rb") as file:
                assert laid.read(addition.path) == file.read()
        for one in edition.changes:
            assert sha256(unpatched[one.path]) == one.before
            after = laid.read(one.path)
            assert sha256(after) == one.after
            added = tuple(addition.path for addition in edition.adds)
            helper = added[-1]
            change = Change(edition.patch, one.path, unpatched[one.path], after, helper, added)
            assert_placed(change, laid.read(helper))
            assert_compiles(change, laid, compilers)

    assert_done(jhpatch(None, "status", "--site", laid.site), name, "applied")
    assert_done(jhpatch(None, "revert", "--site", laid.site), name, "pristine")
    assert tree(laid.site) == pristine
    assert not os.path.exists(laid.path(".jhpatch"))


def assert_done(answer, name, state):
    """The command ended well, and each patch of the distribution is in this state."""
    assert answer.code == 0, answer.error or answer.states
    assert answer.states == {patch: state for patch in PATCHES[name]}


def assert_placed(change, helper):
    """The import, the decorators and the call stand where they must, and the wrappers take
    upstream's arguments; the rest is upstream's.
    """
    found = places.found(change.after, change.path)
    assert found.imported == change.helper[: -len("/__init__.py")].replace("/", ".")
    assert found.earlier == (), "the own package is imported above the helper"
    assert found.follower.startswith(change.path.split("/")[0] + ".")
    assert places.exported(helper).issuperset(found.names)
    decorated = {one.method: one for one in found.decorators}
    assert len(decorated) == len(found.decorators)
    PLACED[change.patch](found, decorated)
    for one in found.decorators:
        wrappers.assert_passed_on(one.name, one.arguments)
    assert found.rest == places.upstream(change.before, change.path)


def placed_login(found, decorated):
    """jupyterhub: outside of run_on_executor and gen.coroutine."""
    assert found.names == ("on_login", "on_spawn", "on_start", "on_stop")
    outermost = {
        "PAMAuthenticator.authenticate": "on_login",
        "PAMAuthenticator.pre_spawn_start": "on_spawn",
        "PAMAuthenticator.post_spawn_stop": "on_stop",
    }
    assert {method: one.name for method, one in decorated.items()} == outermost
    assert all(one.above == () for one in decorated.values())
    assert found.last_calls == ("PAMAuthenticator.__init__: on_start(self)",)


def placed_open(found, decorated):
    """notebook: the page."""
    assert found.names == ("on_open",)
    assert set(decorated) == {"NotebookHandler.get"}
    assert_below_authentication(decorated["NotebookHandler.get"])
    assert found.last_calls == ()


def placed_contents(found, decorated):
    """notebook and jupyter_server: the contents API."""
    assert found.names == ("on_open", "on_save")
    assert set(decorated) == {"ContentsHandler.get", "ContentsHandler._save"}
    assert_below_authentication(decorated["ContentsHandler.get"])
    save = decorated["ContentsHandler._save"]
    assert (save.name, save.above) == ("on_save", ())
    assert found.last_calls == ()


PLACED = {
    "jupyterhub/kerberos-login": placed_login,
    "notebook/kerberos-open": placed_open,
    "notebook/kerberos-save": placed_contents,
    "jupyter_server/kerberos-contents": placed_contents,
}


def assert_below_authentication(one):
    """Who is not logged in, or may not read, gets nothing started."""
    assert one.name == "on_open"
    assert "web.authenticated" in one.above
    guard = "authorized" if "authorized" in one.above + one.below else "web.authenticated"
    assert one.above[-1] == guard
    assert set(one.below) <= {"gen.coroutine"}


def assert_compiles(change, laid, compilers):
    """With the oldest Python that the release supports, and the newest that takes upstream's."""
    runs = [one for one in supported(laid.requires_python) if one in compilers]
    assert runs, "no Python here for " + laid.requires_python
    fit = [one for one in runs if not compilers[one].error(change.path, change.before)]
    for python in {runs[0], (fit or runs)[-1]}:
        for path in (change.path, *change.added):
            error = compilers[python].error(path, laid.read(path))
            assert error is None, "Python %s: %s: %s" % (python, path, error)


def test_pythons(compilers):
    """What compiles with the oldest and the newest Python was compiled with all there are."""
    missing = sorted(set(PYTHONS) - set(compilers))
    if missing and os.environ.get("CI", "") in ("", "0", "false"):
        pytest.skip("not on this machine: " + ", ".join(missing))
    assert missing == []


@each(OUTSIDE)
def test_outside(name, version, jhpatch, tmp_path):
    """A release that no edition names is refused, with what was found and what is known, and
    not touched; where its bytes are those of an edition, the message says so, and
    --allow-unlisted accepts them.
    """
    laid = laid_out(fetched_wheel(name, version), str(tmp_path / "site"))
    pristine = tree(laid.site)
    known = KNOWN_BYTES.get((name, version), [])
    first, last = RELEASES[name][0], RELEASES[name][-1]

    refused = jhpatch(None, "apply", "--site", laid.site)
    assert refused.code == 5
    assert refused.error["found"] == "%s %s" % (name, version)
    assert refused.error["expected"].startswith("%s to %s (nearest: " % (first, last))
    status = jhpatch(None, "status", "--site", laid.site)
    assert status.code == 3
    assert status.states == dict.fromkeys(PATCHES[name], "unsupported")
    for answer in (refused, status):
        reasons = [answer.reasons[patch] for patch in PATCHES[name]]
        assert all("release %s is untested; tested releases: " % version in one for one in reasons)
        assert re.findall("; patch file ([^:]+) fits", "\n".join(reasons)) == known
    assert tree(laid.site) == pristine

    accepted = jhpatch(None, "apply", "--allow-unlisted", "--site", laid.site)
    assert accepted.code == (0 if known else 5)
    after = {
        one.path: one.after for each in EDITIONS if each.name in known for one in each.changes
    }
    for path, digest in after.items():
        assert sha256(laid.read(path)) == digest
    assert jhpatch(None, "revert", "--site", laid.site).code == 0
    assert tree(laid.site) == pristine
