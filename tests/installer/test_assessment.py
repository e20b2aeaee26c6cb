"""The state of a patch, from the bytes of a site, its record and the catalog: values alone."""

import pytest

from jhpatch.installer import assessment, record
from jhpatch.patchset import catalog
from jhpatch.system.rooted_files import UnsafePath
from jhpatch.system.sha256 import sha256
from testing.patch_files import PATH, UPSTREAM, patch_text, put
from tests.installer.small_app import HELPER, INFO, PATCHED, recorded, snapshot


def assessed(view, *editions):
    """The one status."""
    (status,) = assessment.assess(view, editions)
    return status


def reason(status):
    """Its reason's text."""
    return status.reason and status.reason.text


def test_unpatched(edition):
    """The release's bytes without a record are pristine; each file has both hashes."""
    status = assessed(snapshot({PATH: UPSTREAM}), edition)
    assert (status.state, reason(status), status.version) == ("pristine", None, "1.0")
    module, added = status.files
    assert module == (PATH, "before", sha256(UPSTREAM), sha256(UPSTREAM))
    assert (added.path, added.state, added.found) == (HELPER, "missing", None)


def test_applied(edition, helper):
    """Our bytes are applied, with a record and without one."""
    files = {PATH: PATCHED, HELPER: helper}
    status = assessed(snapshot(files, state=recorded(edition, helper)), edition)
    assert (status.state, reason(status)) == ("applied", None)
    status = assessed(snapshot(files), edition)
    assert (status.state, reason(status)) == ("applied", "unrecorded")


def test_outdated(edition, helper):
    """Another patch file than the one that was applied, or a mix of known bytes."""
    state = recorded(edition, helper, digest="f" * 64)
    files = {PATH: PATCHED, HELPER: helper}
    assert assessed(snapshot(files, state=state), edition).state == "outdated"
    assert assessed(snapshot({PATH: PATCHED}), edition).state == "outdated"
    state = recorded(edition, b"an older helper")
    files = {PATH: PATCHED, HELPER: b"an older helper"}
    assert assessed(snapshot(files), edition).state == "modified"
    assert assessed(snapshot({**files, PATH: UPSTREAM}, state=state), edition).state != "modified"


def test_overwritten_by_a_reinstallation(edition, helper):
    """The release's bytes over a record are superseded; a helper left behind is named."""
    state = recorded(edition, helper)
    for files, stale in (({PATH: UPSTREAM}, []), ({PATH: UPSTREAM, HELPER: helper}, [HELPER])):
        status = assessed(snapshot(files, state=state), edition)
        assert status.state == "superseded"
        assert [file.path for file in status.leftovers] == stale


@pytest.mark.parametrize("module", [UPSTREAM + b"#", None], ids=["edited", "missing"])
def test_modified(edition, module):
    """Bytes that no patch knows, or none, are modified; the reason names the file."""
    status = assessed(snapshot({PATH: module}), edition)
    assert status.state == "modified" and reason(status).startswith(PATH)
    assert status.files[0].state == "other" and status.files[0].expected == sha256(UPSTREAM)


def test_another_version_of_a_shared_file(edition, helper):
    """Added by an older version of another patch: this one is pristine, not another build."""
    state = recorded(edition, helper, patch="app/other")
    applied = state.distributions[0].applied[0]
    files = tuple(
        file._replace(after=sha256(b"older")) if file.path == HELPER else file
        for file in applied.files
    )
    entry = state.distributions[0]._replace(applied=(applied._replace(files=files),))
    view = snapshot(
        {PATH: UPSTREAM, HELPER: b"older"}, state=state._replace(distributions=(entry,))
    )
    statuses = {status.patch: status for status in assessment.assess(view, [edition])}
    assert statuses["app/hooks"].state == "pristine"
    assert statuses["app/hooks"].added == {HELPER}
    unrecorded = assessed(snapshot({PATH: UPSTREAM, HELPER: b"older"}), edition)
    assert unrecorded.state == "modified"


def test_another_build(edition):
    """Bytes that RECORD states are another build of the release, not an edit."""
    odd = UPSTREAM + b"# of a distributor\n"
    row = record.changed(
        b"%s,sha256=x,1\n" % PATH.encode(), {}, {PATH: record.Entry(sha256(odd), len(odd))}
    ).splitlines(True)[-1]
    status = assessed(snapshot({PATH: odd, INFO + "/RECORD": row}), edition)
    assert status.state == "unsupported" and "another build" in reason(status)


def test_an_unknown_release(edition, helper):
    """A release that no edition names is unsupported; known bytes can be accepted."""
    status = assessed(snapshot({PATH: UPSTREAM}, "1.3"), edition)
    assert status.state == "unsupported" and status.unlisted == edition
    assert "1.3 is untested" in reason(status) and "--allow-unlisted" in reason(status)
    for state in (None, recorded(edition, helper)):
        status = assessed(snapshot({PATH: b"other"}, "1.3", state), edition)
        assert status.state == "unsupported" and status.unlisted is None


@pytest.mark.parametrize("layout", ["an editable install", "an egg"])
def test_a_layout_that_cannot_be_patched(edition, layout):
    """An editable install or an egg is unsupported, whatever its bytes are."""
    status = assessed(snapshot({PATH: UPSTREAM}, layout=layout), edition)
    assert (status.state, reason(status)) == ("unsupported", "layout: " + layout)


def test_two_of_a_distribution(edition):
    """Two entries, as an upgrade leaves them that died, are unsupported with both names."""
    view = snapshot({PATH: UPSTREAM})
    (first,) = view.distributions["app"]
    second = first._replace(info="app-1.1.dist-info")
    status = assessed(view._replace(distributions={"app": [first, second]}), edition)
    assert status.state == "unsupported" and "app-1.1.dist-info" in reason(status)


def test_a_file_that_is_no_plain_file(edition):
    """A symlink in the place of a module is an unsupported layout."""

    def read(path):
        raise UnsafePath(40, "not a regular file", path)

    status = assessed(snapshot({})._replace(read=read), edition)
    assert status.state == "unsupported" and PATH in reason(status)


def test_a_release_that_needs_no_patch(edition, helper, tmp_path):
    """``Not-Needed`` fits: not-needed with its reason; a helper left behind is named."""
    text = "Package: app\nVersions: 3.*\nDescription: d\nNot-Needed: it is built in\n---\n"
    put(str(tmp_path), text, "3.0-hooks.patch")
    (bare,) = catalog.editions([str(tmp_path)])
    files = {HELPER: helper}
    status = assessed(snapshot(files, "3.1", recorded(edition, helper)), edition, bare)
    assert (status.state, reason(status)) == ("not-needed", "it is built in")
    assert [file.path for file in status.leftovers] == [HELPER]


def test_a_distribution_that_is_not_installed(edition, helper):
    """Absent; with a record the files that are left of it are named."""
    assert assessed(snapshot({}, None), edition).state == "absent"
    status = assessed(snapshot({HELPER: helper}, None, recorded(edition, helper)), edition)
    assert status.state == "absent" and [file.path for file in status.leftovers] == [HELPER]
    assert assessment.absent("app/hooks") == assessed(snapshot({}, None), edition)


def test_a_patch_that_the_catalog_no_longer_has(edition, helper):
    """What was applied is known by its record alone: applied, or modified by an edit."""
    state = recorded(edition, helper)
    files = {PATH: PATCHED, HELPER: helper}
    status = assessed(snapshot(files, state=state))
    assert status.state == "applied" and "no patch directory" in reason(status)
    assert assessed(snapshot({**files, PATH: b"edit"}, state=state)).state == "modified"


def test_a_file_of_the_release_where_a_patch_adds_one(edition, tmp_path):
    """A release that has the added file itself is unsupported, unless it is our helper."""
    put(str(tmp_path), patch_text(Adds="app/_helper.py < app/_helper.py"))
    put(str(tmp_path), "x = 1\n", "_helper.py")
    (other,) = catalog.editions([str(tmp_path)])
    row = HELPER.encode() + b",,\n"
    files = {PATH: UPSTREAM, HELPER: b"x = 1\n", INFO + "/RECORD": row}
    status = assessed(snapshot(files), other)
    assert (status.state, reason(status)) == (
        "unsupported",
        "the release itself contains %s" % HELPER,
    )
