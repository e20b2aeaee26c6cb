"""The diff of a patch file: ``python fuzz/diff.py CORPUS -max_total_time=60``.

Any bytes are hunks that stand at their lines, and that lead back, or BadPatch. Only the
declared bytes get through.
"""

import os
import sys

if __name__ == "__main__":
    sys.path[0] = os.path.abspath(os.path.join(os.path.dirname(__file__), *[os.pardir] * 3))

from integration.faults.fuzz import driver

BEFORE = b"".join(b"%d\n" % number for number in range(1, 13))
AFTER = BEFORE.replace(b"3\n", b"3\nx\n").replace(b"9\n", b"y\n", 1)


def target():
    """Gives the check."""
    import patch_ng  # noqa: F401

    from jhpatch.errors import BadPatch
    from jhpatch.patchset import engine
    from jhpatch.patchset.edition import Change, Edition
    from jhpatch.system import sha256

    def edition(before, after):
        changes = tuple(
            Change(path, sha256.sha256(before), engine.sha256(after)) for path in ("a.py", "b.py")
        )
        return Edition(
            *("app/slug", "1.0-slug", "app", "==1.0", (), "d", None),
            *(changes, (), "/tree/app/1.0-slug.patch", (), b""),
        )

    two = edition(BEFORE, AFTER)
    one = two._replace(changes=two.changes[:1])

    def check(data):
        for declared in (one, two):
            declared = declared._replace(data=b"\n---\n" + data)
            files = {change.path: BEFORE for change in declared.changes}
            try:
                made = engine.unchecked_after_of(declared, files)
            except BadPatch as error:
                assert error.path == declared.file
                continue
            right = all(after == AFTER for after in made.values())
            assert set(made) == set(files)
            back = declared._replace(
                changes=tuple(
                    Change(path, sha256.sha256(BEFORE), engine.sha256(after))
                    for path, after in made.items()
                )
            )
            assert engine.before_of(back, made) == files
            try:
                assert engine.after_of(declared, files) == made and right
            except BadPatch:
                assert not right

    return check


if __name__ == "__main__":
    driver.fuzz(target, ["jhpatch.patchset.engine", "patch_ng"])
