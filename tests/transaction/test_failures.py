"""A failed transaction's error: the file, what was expected and found, and what to do next."""

import errno
import os

import pytest

from jhpatch.errors import NextStep, jhpatch_command
from jhpatch.system.files import FileContent
from jhpatch.system.sha256 import sha256
from jhpatch.transaction import failures

NO_SPACE = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_change_that_may_be_lost_is_to_be_checked():
    """The error has the system's message and the site's .jhpatch; ``status`` comes next."""
    error = failures.may_be_lost("/site", NO_SPACE)
    assert error.message.endswith(os.strerror(errno.ENOSPC))
    assert (error.path, error.next) == ("/site/.jhpatch", jhpatch_command("status"))


def test_a_failed_cleanup_is_repeated_by_the_same_command():
    """Nothing is lost: the same command removes the files."""
    error = failures.cleanup_failed("/site", NO_SPACE)
    assert error.message.endswith(os.strerror(errno.ENOSPC))
    assert error.path == "/site/.jhpatch"
    assert error.next == NextStep("run the same command again to remove them")


@pytest.mark.parametrize("before", [b"old", None])
@pytest.mark.parametrize("found", [b"new", None])
def test_a_file_that_changed_has_both_hashes(before, found):
    """What the plan expects and what the file is, each as a hash, or as no file."""
    content = None if found is None else FileContent(found, os.stat("/"))
    error = failures.changed_meanwhile("/site/app/a.py", before, content)
    assert error.path == "/site/app/a.py"
    assert (error.expected, error.found) == (_shown(before), _shown(found))
    assert error.next == NextStep("run the same command again")


def _shown(data):
    return "no file" if data is None else "sha256:" + sha256(data)


@pytest.mark.parametrize(
    "digest, text", [(None, "no file"), ("", "not a regular file"), ("12", "sha256:12")]
)
def test_what_is_shown_of_a_hash(digest, text):
    """No file and a file of another kind are told apart."""
    assert failures.shown(digest) == text


@pytest.mark.parametrize(
    "error, text",
    [
        (OSError(errno.EIO, "I/O error"), "I/O error"),
        (ValueError("odd"), "odd"),
        (ValueError(), "ValueError"),
    ],
)
def test_the_message_of_an_error(error, text):
    """The system's message without its number, the error's own, or its class."""
    assert failures.message_of(error) == text
