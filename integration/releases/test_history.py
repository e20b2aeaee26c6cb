"""``rebase`` over history: it may refuse, and it is never wrong."""

import os

import pytest

from integration.releases import history


@pytest.fixture(scope="module")
def steps():
    """Each edition carried to the release of the next one."""
    return list(history.rows())


def test_no_step_is_wrong(steps):
    """Each carried edition is the one in the tree, or a person was asked."""
    assert [row for row in steps if row.outcome == "wrong"] == []
    assert len(steps) > 50


def test_four_of_five_steps_need_nobody(steps):
    """Most releases are a matter of minutes."""
    identical = sum(row.outcome == "identical" for row in steps)
    assert identical >= 0.8 * len(steps), history.summary(steps)


@pytest.mark.parametrize("patch", history.PATCHES)
def test_no_pair_is_wrong(patch):
    """Nor backwards, nor from the oldest release to the newest: every eighth pair, or all."""
    found = list(history.every_pair(patch, 1 if os.environ.get("JHPATCH_LONG") else 8))
    assert [row for row in found if row.outcome == "wrong"] == []
    assert len(found) >= 3


def test_the_table_in_the_docs_is_true(steps):
    """docs/rebase.md has what the code says today."""
    with open(history.PAGE, encoding="utf-8") as file:
        assert file.read().endswith(history.page(steps) + "\n")
