"""The header of a patch file: ``python fuzz/header.py CORPUS -max_total_time=60``.

Any bytes are an edition that keeps the rules, or BadPatch.
"""

import os
import sys

if __name__ == "__main__":
    sys.path[0] = os.path.abspath(os.path.join(os.path.dirname(__file__), *[os.pardir] * 3))

from integration.faults.fuzz import driver

VERSIONS = ("1.0", "1", "2.0rc1", "0.9.9", "1.0+local", "x", "")


def target():
    """Gives the check."""
    from jhpatch.errors import BadPatch
    from jhpatch.patchset import catalog
    from jhpatch.patchset.edition import edition_of
    from jhpatch.system.rooted_files import is_relative, is_sha256

    def check(data):
        try:
            edition = edition_of("/tree/app/1.0-slug.patch", data)
        except BadPatch as error:
            assert error.path == "/tree/app/1.0-slug.patch"
            return
        assert edition.distribution == "app" and edition.ranges and edition.description
        assert bool(edition.changes) == (edition.not_needed is None)
        paths = [one.path for one in edition.changes] + [one.path for one in edition.adds]
        assert len(set(paths)) == len(paths)
        for path in paths:
            assert is_relative(path) and not path.startswith(".jhpatch") and path.isprintable()
        for change in edition.changes:
            assert is_sha256(change.before) and is_sha256(change.after)
        for addition in edition.adds:
            assert ".." not in addition.source.split("/")
        for version in VERSIONS:
            edition.fits(version)
        assert edition.meets(edition)
        list(catalog.overlaps([edition, edition]))

    return check


if __name__ == "__main__":
    driver.fuzz(target, ["jhpatch.patchset.edition", "jhpatch.patchset.versions"])
