"""What goes wrong in a transaction, as errors that a person can read."""

import os
from typing import Optional

from jhpatch.errors import Failed, jhpatch_command
from jhpatch.system.files import FileContent
from jhpatch.system.sha256 import sha256
from jhpatch.transaction.store import STATE_DIR


def may_be_lost(site: str, error: OSError) -> Failed:
    """The unlink of the journal may not be on the disk."""
    return Failed(
        "the change was made, but may not outlast a power cut: %s" % message_of(error),
        path=os.path.join(site, STATE_DIR),
        next=jhpatch_command("status"),
    )


def cleanup_failed(site: str, error: OSError) -> Failed:
    """What is no longer needed stays in .jhpatch."""
    return Failed(
        "all is done, but what is no longer needed could not be taken away: %s"
        % message_of(error),
        path=os.path.join(site, STATE_DIR),
        next="run the same command again: it tidies up",
    )


def changed_meanwhile(path: str, before: Optional[bytes], found: Optional[FileContent]) -> Failed:
    """A file no longer holds the bytes that the plan was made for."""
    return Failed(
        "a file has changed since it was looked at; nothing was changed",
        path=path,
        expected=_of_data(before),
        found=_of_data(found.data if found else None),
        next="run the same command again",
    )


def _of_data(data: Optional[bytes]) -> str:
    return shown(None if data is None else sha256(data))


def message_of(error: BaseException) -> str:
    """What an error says, or what it is."""
    return str(getattr(error, "strerror", None) or error or type(error).__name__)


def shown(digest: Optional[str]) -> str:
    """A SHA-256 of ``staging.hash_of`` for a person."""
    if not digest:
        return "no file" if digest is None else "no plain file"
    return "sha256:" + digest
