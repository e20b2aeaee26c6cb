"""What earlier runs left in ``.jhpatch``: read only where nobody else can have written it."""

import os
import stat
from typing import Optional

from jhpatch import journal as journals
from jhpatch.beneath import Found, NotPlain, Root
from jhpatch.engine import sha256 as _sha256
from jhpatch.errors import Untrusted
from jhpatch.journal import Journal

FOLDER = ".jhpatch"
JOURNAL = FOLDER + "/journal.json"
ORIGINALS = FOLDER + "/originals"


def journal_of(root: Root) -> Optional[Journal]:
    """The journal that lies in a site; None where none does. Raises Untrusted, OSError."""
    found = _trusted(root, JOURNAL)
    return None if found is None else journals.parse(found.data, os.path.join(root.path, JOURNAL))


def original(root: Root, sha256: str) -> bytes:
    """A saved original, proved by its hash. Raises Untrusted, OSError."""
    path = "%s/%s" % (ORIGINALS, sha256)
    found = _trusted(root, path)
    if found is None or _sha256(found.data) != sha256:
        raise Untrusted(
            "a saved original is missing or damaged",
            path=os.path.join(root.path, path),
            expected="sha256:" + sha256,
            found="nothing" if found is None else "sha256:" + _sha256(found.data),
        )
    return found.data


def _trusted(root: Root, path: str) -> Optional[Found]:
    """A file of .jhpatch, if nobody else can have written it. Raises Untrusted, OSError."""
    try:
        folder = root.folder(FOLDER)
    except FileNotFoundError:
        return None
    except NotPlain:
        raise not_ours(os.path.join(root.path, FOLDER), "a symlink or a file")
    with folder:
        refuse_others(root, os.fstat(folder.fd), os.path.join(root.path, FOLDER))
    try:
        found = root.read(path)
    except NotPlain as error:
        raise not_ours(os.path.join(root.path, path), str(error.strerror))
    if found is not None:
        refuse_others(root, found.stat, os.path.join(root.path, path))
    return found


def saved(root: Root, name: str) -> Optional[bytes]:
    """A file of .jhpatch that nobody else can have written; None where there is none.

    Raises Untrusted where it is a symlink, too large, or another user's.
    """
    found = _trusted(root, "%s/%s" % (FOLDER, name))
    return None if found is None else found.data


def refuse_others(root: Root, found: os.stat_result, path: str) -> None:
    """Saved files must be of one who may write the site anyway: root, its owner, or ourselves.

    Root reads a user's own state so, and writes there only after becoming that user.
    Raises Untrusted.
    """
    with root.folder("") as top:
        site = os.fstat(top.fd)
    writers = {0, site.st_uid, os.geteuid()}
    if found.st_uid not in writers or found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise not_ours(path, "uid %d, mode %o" % (found.st_uid, stat.S_IMODE(found.st_mode)))


def not_ours(path: str, found: str) -> Untrusted:
    return Untrusted(
        "a saved file that somebody else can write",
        path=path,
        expected="a plain file or folder that only its owner can write",
        found=found,
    )
