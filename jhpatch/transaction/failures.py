"""The failures of a transaction, as errors for the user."""

import os
from typing import Optional

from jhpatch.errors import Failed, jhpatch_command
from jhpatch.system.files import FileContent
from jhpatch.system.sha256 import sha256
from jhpatch.transaction.store import STATE_DIR


def may_be_lost(site: str, error: OSError) -> Failed:
    """Return the error for a journal whose unlink may not be on the disk."""
    return Failed(
        "the change was made, but can be lost in a power failure: %s" % message_of(error),
        path=os.path.join(site, STATE_DIR),
        next=jhpatch_command("status"),
    )


def cleanup_failed(site: str, error: OSError) -> Failed:
    """Return the error for unneeded files in .jhpatch that could not be removed."""
    return Failed(
        "all changes are complete, but stale files could not be removed: %s" % message_of(error),
        path=os.path.join(site, STATE_DIR),
        next="run the same command again to remove them",
    )


def changed_meanwhile(
    path: str, before: Optional[bytes], content: Optional[FileContent]
) -> Failed:
    """Return the error for a file that no longer has the bytes that the plan expects."""
    return Failed(
        "a file was changed after jhpatch inspected it",
        path=path,
        expected=_shown_data(before),
        found=_shown_data(content.data if content else None),
        next="run the same command again",
    )


def unchanged(error: Failed) -> Failed:
    """Return an error of a run after which the site is as before."""
    error.message += "; nothing was changed"
    return error


def _shown_data(data: Optional[bytes]) -> str:
    return shown(None if data is None else sha256(data))


def message_of(error: BaseException) -> str:
    """Return the message of an error, or the name of its class."""
    return str(getattr(error, "strerror", None) or str(error) or type(error).__name__)


def shown(digest: Optional[str]) -> str:
    """Return the text of a result of ``staging.hash_of``, for a message."""
    if not digest:
        return "no file" if digest is None else "not a regular file"
    return "sha256:" + digest
