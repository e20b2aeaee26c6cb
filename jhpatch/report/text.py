"""The parts of the text output of every command."""

import re
from typing import Iterator, List, Optional

from jhpatch.namedtuple import NamedTuple
from jhpatch.report.next_command import Runner
from jhpatch.report.result import Error, Result

WIDTH = 88  # columns
_DIFF_COLOURS = {"+": "32", "-": "31", "@": "36"}
# Control characters except newline and tab, and those that change the direction of text.
_CONTROL = "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]"


class Style(NamedTuple):
    """The style of text; ``width`` is the terminal's columns, 0 without a terminal."""

    terminal: bool = False
    colour: bool = False
    verbose: bool = False
    width: int = 0


def errors_text(result: Result, runner: Runner) -> str:
    """Return the text for standard error: the errors, each with the next step."""
    errors = [error_text(error, runner) for error in _together(result)]
    errors += [error_text(site.error, runner) for site in result.sites if site.error]
    return "".join(dict.fromkeys(errors))


def _together(result: Result) -> List[Error]:
    """Return the error and those that are reported with it; the last has the next step."""
    if result.error is None:
        return []
    errors = [error._replace(next=None) for error in (result.error, *result.further)]
    return errors[:-1] + [errors[-1]._replace(next=result.error.next)]


def error_text(error: Error, runner: Runner) -> str:
    """Return an error with its path, the expected and the found value, and the next command."""
    lines = ["jhpatch: %s" % plain(error.message)]
    lines += error_rows(error, runner, "path")
    return "".join(line + "\n" for line in lines)


def error_rows(error: Error, runner: Runner, *first: str) -> Iterator[str]:
    """Yield a line for each field that an error has."""
    for name in (*first, "expected", "found"):
        if getattr(error, name):
            yield "  %-9s %s" % (name + ":", plain(getattr(error, name)))
    if error.next:
        yield "  %-9s %s" % ("next:", plain(runner.shown(error.next)))


def ending(result: Result, runner: Runner) -> List[str]:
    """Return the last lines of a result: its notes and the next step."""
    lines = [plain(note) for note in result.notes]
    return lines + (["next: " + plain(runner.shown(result.next))] if result.next else [])


def plain(text: str) -> str:
    """Escape what a terminal interprets in a path or a version: control characters, line ends,
    and characters that change the direction of text."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else _escape(char) for char in text)


def _escape(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")


def diff_text(diff: str, style: Style) -> str:
    """Return the exact diff; for a terminal, with control characters such as CR escaped."""
    if not style.terminal:
        return diff
    lines = re.sub(_CONTROL, lambda match: _escape(match.group()), diff).split("\n")
    return "\n".join(painted(line, _DIFF_COLOURS.get(line[:1]), style.colour) for line in lines)


def painted(text: str, code: Optional[str], colour: bool) -> str:
    """Return a text in a colour (ECMA-48, SGR) if ``colour`` is set."""
    return "\033[%sm%s\033[0m" % (code, text) if colour and code else text


def shown(text: str) -> str:
    """Return a text with each byte that is not UTF-8 (a surrogate, PEP 383) escaped."""
    return encoded(text).decode("utf-8", "backslashreplace")


def encoded(text: str) -> bytes:
    """Return the bytes of a text (PEP 383)."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # a surrogate of no byte, from the JSON of another program
        return text.encode("utf-8", "backslashreplace")
