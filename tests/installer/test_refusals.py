"""Refusals, from values: the message, what was expected and found, and the next step."""

import os

from jhpatch.errors import NextStep, Refused, jhpatch_command
from jhpatch.installer import assessment, refusals
from jhpatch.installer.distribution import Distribution
from jhpatch.patchset import catalog
from jhpatch.system.sha256 import sha256
from testing.patch_files import PATH, UPSTREAM, patch_text, put
from tests.installer.small_app import HELPER, PATCHED, recorded, snapshot

EDITED = PATCHED + b"# edited\n"
DIFF = jhpatch_command("diff", "app/hooks") + "; then "


def apply(view, *editions, named=False, tool="0.1.0"):
    """The refusal of an apply of the one patch, or None."""
    (status,) = assessment.assess(view, editions)
    return refusals.of_apply(view, status, named, tool)


def revert(view, *editions, force=False):
    """The refusal of a revert of the one patch, or None."""
    (status,) = assessment.assess(view, editions)
    return refusals.of_revert(view, status, force)


def parts(error):
    """What a person reads of a refusal."""
    assert type(error) is Refused
    return error.path, error.expected, error.found, error.next


def directory_of(edition):
    """The patch directory of an edition; lint checks only what ``--patches`` names."""
    return os.path.dirname(os.path.dirname(edition.file))


def test_what_fits_is_not_refused(edition, helper):
    """A pristine, an applied and an absent patch; a revert of what is applied."""
    applied = snapshot({PATH: PATCHED, HELPER: helper}, state=recorded(edition, helper))
    assert apply(snapshot({PATH: UPSTREAM}), edition, named=True) is None
    assert apply(applied, edition, named=True) is None
    assert apply(snapshot({}, None), edition) is None
    assert revert(applied, edition) is None


def test_an_edited_file_is_shown_and_reinstalled(edition):
    """``diff`` shows the edit; pip of the site's own Python restores the release."""
    error = apply(snapshot({PATH: EDITED}), edition)
    assert error.message == "app/hooks: %s was modified" % PATH
    assert parts(error) == (
        "/site/" + PATH,
        "sha256:" + sha256(UPSTREAM),
        "sha256:" + sha256(EDITED),
        DIFF + "reinstall it",
    )


def test_a_missing_file_is_found_as_no_file(edition):
    """The message says that it is missing."""
    error = apply(snapshot({}), edition)
    assert error.message == "app/hooks: %s is missing" % PATH
    assert error.found == "no file"


def test_a_named_patch_of_nothing_installed(edition):
    """Refused by name alone; ``status`` shows what is there."""
    error = apply(snapshot({}, None), edition, named=True)
    assert error.message == "app/hooks: its distribution is not installed here"
    assert parts(error) == ("/site", "app", "nothing", jhpatch_command("status"))


def test_an_unknown_release(edition):
    """The known releases are expected; ``--allow-unlisted`` is offered for known bytes alone."""
    accepted = apply(snapshot({PATH: UPSTREAM}, "1.3"), edition)
    assert accepted.message.startswith("app/hooks does not fit: release 1.3 is untested")
    assert (accepted.path, accepted.found) == ("/site", "app 1.3")
    assert "1.2" in accepted.expected
    assert accepted.next == jhpatch_command("apply", "--allow-unlisted", "app/hooks")
    assert apply(snapshot({PATH: b"other"}, "1.3"), edition).next == jhpatch_command("list")


def test_a_patch_of_a_newer_jhpatch(edition, helper):
    """An older jhpatch does not apply its own version of it."""
    state = recorded(edition, helper, digest="f" * 64)._replace(tool="0.10.0")
    error = apply(snapshot({PATH: PATCHED, HELPER: helper}, state=state), edition, tool="0.9.0")
    assert error.message == "app/hooks: a newer jhpatch has changed this site"
    upgrade = "install jhpatch 0.10.0 or later from where you obtained this version of jhpatch"
    assert parts(error) == (
        *("/site", "jhpatch 0.9.0 or older", "jhpatch 0.10.0"),
        NextStep(upgrade),
    )


def test_a_revert_of_an_edited_file_needs_force(edition, helper):
    """``--force`` is the next step, and accepted for the release that was patched alone."""
    files = {PATH: EDITED, HELPER: helper}
    view = snapshot(files, state=recorded(edition, helper))
    error = revert(view, edition)
    assert parts(error) == (
        "/site/" + PATH,
        "sha256:" + sha256(PATCHED),
        "sha256:" + sha256(EDITED),
        DIFF + jhpatch_command("revert", "--force", "app/hooks"),
    )
    assert revert(view, edition, force=True) is None


def test_an_edited_file_of_another_release_than_the_patched_one(edition, helper):
    """``--force`` refuses it, so the release is reinstalled; no release has the added file."""
    state = recorded(edition, helper)
    other = snapshot({PATH: EDITED, HELPER: helper}, "1.1", state)
    for force in (False, True):
        assert revert(other, edition, force=force).next == DIFF + "reinstall it"
    added = snapshot({PATH: UPSTREAM, HELPER: b"edited\n"}, "1.1", state)
    step = "move this file to another directory; then " + jhpatch_command("revert", "app/hooks")
    assert (revert(added, edition).path, revert(added, edition).next) == ("/site/" + HELPER, step)
    moved = snapshot({PATH: UPSTREAM}, "1.1", state)
    assert revert(moved, edition) is None and apply(moved, edition) is None


def test_a_revert_of_an_egg(edition, helper):
    """Where nothing can be written, a recorded patch is not reverted either."""
    view = snapshot({PATH: PATCHED}, state=recorded(edition, helper), layout="an egg")
    error = revert(view, edition)
    assert error.message == "app/hooks does not fit this layout: an egg"
    assert error.path == "/site" and error.found == "an egg" and "app" in error.expected
    assert error.next == "install the release as unpacked files: " + NextStep("reinstall it")


def test_an_added_file_without_a_directory(edition):
    """jhpatch creates directories in a package that is there, and no package."""
    view = snapshot({PATH: UPSTREAM})
    statuses = list(assessment.assess(view, [edition]))
    assert refusals.of_additions(view, statuses) == []
    asked = []
    view = view._replace(has_directory_of=asked.append)
    ((patch, error),) = refusals.of_additions(view, statuses)
    assert patch == "app/hooks"
    lint = jhpatch_command("lint", "--patches", directory_of(edition))
    assert (error.path, error.found, error.next) == ("/site/" + HELPER, "none", lint)
    deep = edition.adds[0]._replace(path="app/new/deep/x.py")
    refusals.of_additions(view, [statuses[0]._replace(edition=edition._replace(adds=(deep,)))])
    assert asked == [HELPER, "app/new"]  # its parent is app


def test_two_patches_that_add_different_files(edition):
    """The second is refused with both names; the same bytes are no conflict."""
    view = snapshot({PATH: UPSTREAM})
    (status,) = assessment.assess(view, [edition])
    same = status._replace(patch="app/other")
    assert refusals.of_additions(view, [status, same]) == []
    added = edition.adds[0]._replace(content=b"other\n")
    other = same._replace(edition=edition._replace(adds=(added,), file="/q/app/1.0-other.patch"))
    ((patch, error),) = refusals.of_additions(view, [status, other])
    assert patch == "app/other"
    assert (
        error.message
        == "two patches add different versions of the same file: app/hooks and app/other"
    )
    lint = jhpatch_command("lint", "--patches", directory_of(edition), "--patches", "/q")
    assert (error.path, error.next) == ("/site/" + HELPER, lint)


def test_an_added_file_that_an_applied_patch_needs(edition, helper):
    """It must not change under a patch that cannot be updated; unchanged, it is no reason."""
    view = snapshot({PATH: PATCHED, HELPER: b"older\n"}, state=recorded(edition, helper))
    (sibling,) = assessment.assess(view, [edition])
    status = sibling._replace(patch="app/other")
    error = refusals.of_sibling(view, status, sibling, None)
    assert error.message.startswith("app/other changes a file that app/hooks needs")
    assert parts(error) == (
        "/site/" + HELPER,
        "sha256:" + sha256(helper),
        "sha256:" + sha256(b"older\n"),
        jhpatch_command("revert", "app/hooks"),
    )
    reason = Refused("edited", next="a command")
    error = refusals.of_sibling(view, status, sibling, reason)
    assert error.message.endswith(": edited") and error.next == reason.next
    for files in ({HELPER: helper}, {}):
        assert refusals.of_sibling(snapshot(files), status, sibling, reason) is None


def test_two_patches_of_one_file(edition, helper, tmp_path):
    """The second is refused with both names: beside the first, or after it was applied."""
    put(str(tmp_path), patch_text(), "1.0-other.patch")
    (other,) = catalog.editions([str(tmp_path)])
    view = snapshot({PATH: UPSTREAM})
    statuses = list(assessment.assess(view, [edition, other]))
    step = "apply only one of them: " + jhpatch_command("apply", "app/hooks")
    step += "; or " + jhpatch_command("revert", "app/hooks")
    step += " && " + jhpatch_command("apply", "app/other")
    recorded_view = view._replace(state=recorded(edition, helper))
    for site, asked in ((view, statuses), (recorded_view, statuses[1:])):
        ((patch, error),) = refusals.of_shared_files(site, asked)
        assert patch == "app/other"
        assert error.message == "two patches change the same file: app/hooks and app/other"
        assert (error.path, error.next) == ("/site/" + PATH, step)


def test_a_named_patch_whose_distribution_an_interrupted_pip_has_left():
    """What is left is named, and the distribution is installed again."""
    left = Distribution("app", "1.0", "~pp-1.0.dist-info", None, "pip")
    view = snapshot({}, None)._replace(abandoned=(left,))
    status = assessment.absent("app/hooks", view.abandoned)
    error = refusals.of_apply(view, status, True, "0.1.0")
    assert error.found == "an interrupted run of pip left ~pp-1.0.dist-info"
    assert error.next == NextStep("reinstall it")
