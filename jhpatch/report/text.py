"""Text for people: what every command's output is made of."""

import re
from typing import Iterator, List, Optional

from jhpatch.namedtuple import NamedTuple
from jhpatch.report.next_command import Runner
from jhpatch.report.result import Error, Result

WIDTH = 88  # columns
_DIFF_COLOURS = {"+": "32", "-": "31", "@": "36"}
# But for newline and tab; and what turns the rest of a line around.
_CONTROL = "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]"


class Style(NamedTuple):
    """How text is written; ``width``: the terminal's columns, 0 for no terminal."""

    terminal: bool = False
    colour: bool = False
    verbose: bool = False
    width: int = 0


def talk(result: Result, runner: Runner) -> str:
    """What goes to standard error: the errors, each with what to do next."""
    errors = [error_text(result.error, runner)] if result.error else []
    errors += [error_text(site.error, runner, site.python) for site in result.sites if site.error]
    return "".join(dict.fromkeys(errors))


def error_text(error: Error, runner: Runner, site_python: Optional[str] = None) -> str:
    """An error, with the file, what was expected, what was found, and the next command."""
    lines = ["jhpatch: %s" % plain(error.message)]
    lines += error_rows(error, runner, "path", site_python=site_python)
    return "".join(line + "\n" for line in lines)


def error_rows(
    error: Error, runner: Runner, *first: str, site_python: Optional[str] = None
) -> Iterator[str]:
    """A line for each field that an error has."""
    for name in (*first, "expected", "found"):
        if getattr(error, name):
            yield "  %-9s %s" % (name + ":", plain(getattr(error, name)))
    if error.next:
        yield "  %-9s %s" % ("next:", plain(runner.shown(error.next, site_python)))


def ending(result: Result, runner: Runner) -> List[str]:
    """The last lines of a result: its notes, and the next step."""
    lines = [plain(note) for note in result.notes]
    return lines + (["next: " + plain(runner.shown(result.next))] if result.next else [])


def plain(words: str) -> str:
    """Words on one line: a path or a version may hold what a terminal would obey, or what turns
    the rest of a line around."""
    if words.isprintable():
        return words
    return "".join(one if one.isprintable() else _escaped(one) for one in words)


def _escaped(one: str) -> str:
    return one.encode("unicode_escape").decode("ascii")


def diff_text(diff: str, style: Style) -> str:
    """The exact text; on a terminal without what it would obey, such as CR."""
    if not style.terminal:
        return diff
    lines = re.sub(_CONTROL, lambda match: _escaped(match.group()), diff).split("\n")
    return "\n".join(painted(line, _DIFF_COLOURS.get(line[:1]), style.colour) for line in lines)


def painted(words: str, code: Optional[str], colour: bool) -> str:
    """Words in a colour (ECMA-48, SGR), where that is wanted."""
    return "\033[%sm%s\033[0m" % (code, words) if colour and code else words


def shown(text: str) -> str:
    """Text with every byte that is not UTF-8 (a surrogate, PEP 383) as a backslash escape."""
    return encoded(text).decode("utf-8", "backslashreplace")


def encoded(text: str) -> bytes:
    """Text as the bytes that it stands for (PEP 383)."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # a surrogate that stands for no byte: from somebody's JSON
        return text.encode("utf-8", "backslashreplace")
