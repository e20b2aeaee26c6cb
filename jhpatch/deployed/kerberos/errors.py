"""Why there is no ticket, in one line for the log."""

import time

_LINE_CAP = 500
"""Characters of a text from a cache or a child: any user may have written it."""


def printable(text: str) -> str:
    """Return ``text`` as one line of at most 500 characters, without control characters."""
    line = "".join(
        character if character.isprintable() else repr(character)[1:-1]
        for character in text[: 2 * _LINE_CAP]
    )
    return line if len(line) <= _LINE_CAP else line[: _LINE_CAP - 3] + "..."


def describe(error: BaseException) -> str:
    """Return the type and the text of an exception that is not a ``Problem``."""
    return printable("%s: %s" % (type(error).__name__, error))


def clock(seconds: float) -> str:
    """Return a time as local date and time."""
    try:
        return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))
    except (OverflowError, OSError, ValueError):
        return "%g s" % seconds


class Problem(Exception):
    """Why there is no ticket, or no new one; its text is one printable line."""

    setting = ""
    """The setting that is wrong for a user, if one is known to be."""

    def __init__(self, text: str) -> None:
        super().__init__(printable(text))


class HeldByAnother(Problem):
    """The cache contains a valid ticket of another principal, until ``until`` (epoch seconds)."""

    def __init__(self, text: str, until: float) -> None:
        super().__init__(text)
        self.until = until


class Unresponsive(Problem):
    """A child took too long, or kinit found no KDC that answers."""
