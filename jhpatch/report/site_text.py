"""Results → text for people. JSON is ``result.document``."""

import re
from typing import Iterator, List, Optional, Sequence

from jhpatch.report.result import KEEPERS, Error, PatchReport, Release, Result, SiteReport

_COLOURS = {
    "applied": "32",
    "pristine": "33",
    "outdated": "33",
    "superseded": "33",
    "modified": "31",
    "unsupported": "31",
    "interrupted": "31",
    "busy": "31",
}
_DIFF_COLOURS = {"+": "32", "-": "31", "@": "36"}
# But for newline and tab; and what turns the rest of a line around.
_CONTROL = "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]"
_WIDTH = 88
_SEVERAL = 3  # environments from which on status is one table


def text(result: Result, terminal: bool, colour: bool, verbose: bool, width: int = _WIDTH) -> str:
    """What goes to standard output; ``width``: the terminal's, in columns."""
    if result.command == "diff":
        return "".join(_diff(site.diff or "", terminal, colour) for site in result.sites)
    if result.command in KEEPERS:
        return _for_keepers(result, terminal, colour, verbose)
    lines: List[str] = []
    if result.command == "status" and len(result.sites) >= _SEVERAL and not verbose:
        lines += _side_by_side(result, terminal, colour)
        return "".join(line + "\n" for line in lines + list(_summary(result)))
    for site in result.sites:
        lines.append("%s%s" % (plain(site.site), " (%s)" % site.owner if site.owner else ""))
        lines += _table(result, site, terminal and width, colour, verbose)
        lines += ["  " + plain(note) for note in site.notes]
        lines += _restart(site)
    lines += _summary(result)
    return "".join(line + "\n" for line in lines)


def talk(result: Result) -> str:
    """What goes to standard error: the errors, each with what to do next."""
    errors = [result.error] + [site.error for site in result.sites]
    unique: List[Error] = []
    for error in errors:
        if error and error not in unique:
            unique.append(error)
    return "".join(error_text(error) for error in unique)


def error_text(error: Error) -> str:
    """An error, with the file, what was expected, what was found, and the next command."""
    lines = ["jhpatch: %s" % plain(error.message)] + list(_rows(error, "path"))
    return "".join(line + "\n" for line in lines)


def _rows(error: Error, *first: str) -> Iterator[str]:
    for name in (*first, "expected", "found", "next"):
        value = getattr(error, name)
        if value:
            yield "  %-9s %s" % (name + ":", plain(value))


def _for_keepers(result: Result, terminal: bool, colour: bool, verbose: bool) -> str:
    """What ``lint``, ``rebase`` and ``survey`` found."""
    text = _diff(result.candidate.diff, terminal, colour) if result.candidate else ""
    lines: List[str] = []
    for error in result.findings or ():
        lines.append("%s: %s" % (plain(error.path or ""), plain(error.message)))
        lines += _rows(error)
    lines += _releases(result.releases or (), verbose)
    lines += [plain(note) for note in result.notes]
    lines += ["next: " + plain(result.next)] if result.next else []
    return text + "".join(line + "\n" for line in lines)


def _releases(releases: Sequence[Release], verbose: bool) -> Iterator[str]:
    """Those that ask for something; all of them with ``-v``."""
    for one in releases:
        if verbose or one.state in ("identical", "new"):
            words = [one.distribution, one.version, one.state]
            words += [", ".join(one.editions)] if one.editions else []
            yield plain(" ".join(words + ["(%s)" % one.reason] * bool(one.reason)))


def plain(words: str) -> str:
    """Words on one line: a path or a version may hold what a terminal would obey, or what turns
    the rest of a line around."""
    if words.isprintable():
        return words
    return "".join(one if one.isprintable() else _escaped(one) for one in words)


def _escaped(one: str) -> str:
    return one.encode("unicode_escape").decode("ascii")


def _diff(diff: str, terminal: bool, colour: bool) -> str:
    """The exact text; on a terminal without what it would obey, such as CR."""
    if not terminal:
        return diff
    lines = re.sub(_CONTROL, lambda match: _escaped(match.group()), diff).split("\n")
    return "\n".join(painted(line, _DIFF_COLOURS.get(line[:1]), colour) for line in lines)


def painted(words: str, code: Optional[str], colour: bool) -> str:
    """Words in a colour (ECMA-48, SGR), where that is wanted."""
    return "\033[%sm%s\033[0m" % (code, words) if colour and code else words


def _table(
    result: Result, site: SiteReport, terminal: int, colour: bool, verbose: bool
) -> Iterator[str]:
    """Columns on a terminal of that width; elsewhere (0) a line a patch, its fields with a tab
    between them."""
    rows = [[plain(cell) for cell in _row(result, patch)] for patch in site.patches]
    widths = [max((len(row[column]) for row in rows), default=0) for column in range(3)]
    for row, patch in zip(rows, site.patches):
        details = list(_details(patch)) if verbose else []
        if not terminal:
            yield "\t".join(row[:3] + ["; ".join([row[3]] * bool(row[3]) + details)])
            continue
        if patch.state == "not-needed" and not verbose and result.command != "list":
            row[3] = ""  # all is as it should be
        cells = [cell.ljust(width) for cell, width in zip(row, widths)]
        cells[2] = painted(cells[2], _COLOURS.get(row[2].split(" ")[0]), colour)
        if result.command == "list":
            yield "  " + "  ".join(cells).rstrip()
            details = _wrapped(row[3], terminal) + details
        elif sum(widths) + len(row[3]) + 8 <= terminal:
            yield "  " + "  ".join(cells + [row[3]]).rstrip()
        else:
            yield "  " + "  ".join(cells).rstrip()
            details = _wrapped(row[3], terminal) + details
        for detail in details:
            yield "      " + detail


def _side_by_side(result: Result, terminal: bool, colour: bool) -> Iterator[str]:
    """Many environments in one table: what is there in each, and what is to be done."""
    rows: List[List[str]] = []
    for site in result.sites:
        where = plain(site.python or site.site)
        here = [patch for patch in site.patches if patch.state != "absent"]
        rows += [[patch.state, patch.version or "-", patch.patch, where] for patch in here]
        if not here:
            rows.append(["failed" if site.error else "nothing", "-", "-", where])
    widths = [max(map(len, column)) for column in zip(*rows)]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row[:3], widths)]
        if terminal:
            cells[0] = painted(cells[0], _COLOURS.get(row[0]), colour)
        yield "  ".join(cells + row[3:]) if terminal else "\t".join(row)
    for site in result.sites:
        for line in _restart(site):
            yield "%s:%s" % (plain(site.python or site.site), line)


def _row(result: Result, patch: PatchReport) -> Sequence[str]:
    state = patch.state + (" (changed)" if patch.changed else "")
    if result.command == "list":
        return (patch.patch, _span(patch.versions or ""), state, patch.description or "")
    return (patch.patch, patch.version or "-", state, patch.reason or "")


def _span(versions: str) -> str:
    """From which release to which; the JSON document has every range."""
    ends = re.findall(r"[0-9][^\s,|]*", versions)
    return (ends[0] if len(set(ends)) == 1 else "%s to %s" % (ends[0], ends[-1])) if ends else "-"


def _details(patch: PatchReport) -> Iterator[str]:
    for file in patch.files:
        yield plain("%s %s %s" % (file.path, file.state, file.found or "none"))


def _wrapped(words: str, width: int) -> List[str]:
    import textwrap

    return textwrap.wrap(words, max(min(width, _WIDTH) - 6, 20), break_on_hyphens=False)


def _restart(site: SiteReport) -> Iterator[str]:
    if site.restart is None:
        yield "  restart: cannot tell: %s" % site.restart_reason
    for one in site.restart or ():
        words = (one.pid, plain(one.command), plain(one.user or "?"), one.started)
        yield "  restart needed: pid %d %s of %s, running since %s" % words


def _summary(result: Result) -> Iterator[str]:
    """The last line: what was done, or what to type next."""
    if result.command == "status" and result.exit_code == 3:
        yield "next: %s -m jhpatch %s" % (result.python, _after_status(result))
    elif result.command in ("apply", "revert") and not result.exit_code:
        yield _done(result)


def _after_status(result: Result) -> str:
    patches = [patch for site in result.sites for patch in site.patches]
    odd = [patch.patch for patch in patches if patch.state in ("modified", "unsupported")]
    if odd:
        return "diff%s %s" % (result.options, " ".join(odd))
    return "apply" + result.options


def _done(result: Result) -> str:
    count = sum(patch.changed for site in result.sites for patch in site.patches)
    if result.dry_run:
        would = any(site.would_change for site in result.sites)
        return "would change the files above" if would else "nothing to do"
    if not count:
        return "done" if any(site.changed for site in result.sites) else "nothing to do"
    word = "applied" if result.command == "apply" else "reverted"
    done = "%d %s %s" % (count, "patch" if count == 1 else "patches", word)
    if any(site.restart for site in result.sites):
        return done + "; the processes above run the old code until they are restarted"
    return done
