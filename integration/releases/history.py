"""``rebase`` over history: each edition carried to the release of the next one.

``python -m integration.releases.history`` prints the table that docs/rebase.md has.
"""

import functools
import itertools
import os
from typing import Dict, Iterator, List, NamedTuple

from integration.releases import table
from jhpatch.errors import Refused
from jhpatch.maintenance import rebase, wheels
from jhpatch.patchset import catalog
from jhpatch.patchset.edition import Edition
from testing import ROOT
from testing.wheels import CACHE

PATCHES = sorted(patch for patches in table.PATCHES.values() for patch in patches)
PAGE = os.path.join(ROOT, "docs", "rebase.md")


class Row(NamedTuple):
    """One step. ``outcome`` is ``identical``, ``refused`` or ``wrong``."""

    patch: str
    older: str
    newer: str
    outcome: str
    why: str = ""


def rows() -> Iterator[Row]:
    """Each two neighbouring editions of each patch."""
    editions = [one for one in catalog.editions([catalog.own_patch_dir()]) if one.changes]
    for older, newer in zip(editions, editions[1:]):
        if older.patch == newer.patch:
            yield _row(older, newer)


def every_pair(patch: str, step: int = 1) -> Iterator[Row]:
    """Each edition of a patch carried to the release of each other one, older ones too.

    ``step``: 4 for every fourth of these pairs.
    """
    editions = [one for one in catalog.editions([catalog.own_patch_dir()]) if one.changes]
    ours = [one for one in editions if one.patch == patch]
    for one, other in list(itertools.permutations(ours, 2))[::step]:
        yield _row(one, other)


def _row(older: Edition, newer: Edition) -> Row:
    names = older.patch, older.name.partition("-")[0], newer.name.partition("-")[0]
    version = newer.ranges[0].low
    try:
        text = rebase.port(older, unpatched(older), unpatched(newer), version)
    except Refused as error:
        why = "%s: %s" % (error.path, error.message)
        return Row(*names + ("refused", why))
    return Row(*names + ("identical" if _essence(text) == _essence_of(newer) else "wrong",))


@functools.lru_cache(maxsize=None)
def unpatched(edition: Edition) -> Dict[str, bytes]:
    """The files that an edition changes, as its first release has them."""
    wheel = wheels.fetch(edition.package, edition.ranges[0].low, CACHE)
    return wheels.read_files(wheel, [change.path for change in edition.changes])


def _essence_of(edition: Edition) -> List[str]:
    with open(edition.file, encoding="utf-8", newline="") as file:
        return _essence(file.read())


def _essence(text: str) -> List[str]:
    """What counts: hashes, what is added, the diff. Prose and the range of releases do not."""
    head, _, diff = text.partition("\n---\n")
    counts = ("Package:", "Before:", "After:", "Adds:")
    return [line for line in head.split("\n") if line.startswith(counts)] + [diff]


def page(found: List[Row]) -> str:
    """The rows as a table of Markdown, and how many there are of each outcome."""
    lines = ["| patch | from | to | outcome |", "|---|---|---|---|"]
    lines += ["| %s | %s | %s | %s |" % row[:4] for row in found]
    lines += [""] + ["- %s to %s: %s" % (row[1:3] + row[4:]) for row in found if row.why]
    return "\n".join(lines + ["", summary(found)])


def summary(found: List[Row]) -> str:
    """``N steps: A identical (B %), C refused, D wrong``."""
    outcomes = [one.outcome for one in found]
    identical = outcomes.count("identical")
    return "%d steps: %d identical (%d %%), %d refused, %d wrong" % (
        len(found),
        identical,
        round(100 * identical / max(1, len(found))),
        outcomes.count("refused"),
        outcomes.count("wrong"),
    )


if __name__ == "__main__":
    print(page(list(rows())))
    pairs = [row for patch in PATCHES for row in every_pair(patch)]
    print("every pair: " + summary(pairs))
