"""Sites as text for people: ``list``, ``status``, ``diff``, ``apply`` and ``revert``."""

import re
from typing import Iterator, List, Sequence

from jhpatch.errors import jhpatch_command
from jhpatch.report.next_command import Runner
from jhpatch.report.result import PatchReport, Result, SiteReport
from jhpatch.report.text import WIDTH, Style, diff_text, painted, plain

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
_SEVERAL = 3  # environments from which on status is one table


def text(result: Result, style: Style, runner: Runner) -> str:
    """What goes to standard output."""
    if result.command == "diff":
        return "".join(diff_text(site.diff or "", style) for site in result.sites)
    lines: List[str] = []
    if result.command == "status" and len(result.sites) >= _SEVERAL and not style.verbose:
        lines += _side_by_side(result, style)
    else:
        for site in result.sites:
            lines.append("%s%s" % (plain(site.site), " (%s)" % site.owner if site.owner else ""))
            lines += _table(result, site, style)
            lines += ["  " + plain(note) for note in site.notes]
            lines += _restart(site)
    lines += _summary(result, runner)
    return "".join(line + "\n" for line in lines)


def _table(result: Result, site: SiteReport, style: Style) -> Iterator[str]:
    """Columns on a terminal; elsewhere a line a patch, its fields separated by tabs."""
    rows = [[plain(cell) for cell in _row(result, patch)] for patch in site.patches]
    widths = [max((len(row[column]) for row in rows), default=0) for column in range(3)]
    for row, patch in zip(rows, site.patches):
        details = list(_details(patch)) if style.verbose else []
        if not style.width:
            yield "\t".join(row[:3] + ["; ".join([row[3]] * bool(row[3]) + details)])
            continue
        if patch.state == "not-needed" and not style.verbose and result.command != "list":
            row[3] = ""  # all is as it should be
        cells = [cell.ljust(width) for cell, width in zip(row, widths)]
        cells[2] = painted(cells[2], _COLOURS.get(row[2].split(" ")[0]), style.colour)
        if result.command == "list":
            yield "  " + "  ".join(cells).rstrip()
            details = _wrapped(row[3], style.width) + details
        elif sum(widths) + len(row[3]) + 8 <= style.width:
            yield "  " + "  ".join(cells + [row[3]]).rstrip()
        else:
            yield "  " + "  ".join(cells).rstrip()
            details = _wrapped(row[3], style.width) + details
        for detail in details:
            yield "      " + detail


def _side_by_side(result: Result, style: Style) -> Iterator[str]:
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
        if style.terminal:
            cells[0] = painted(cells[0], _COLOURS.get(row[0]), style.colour)
        yield "  ".join(cells + row[3:]) if style.terminal else "\t".join(row)
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

    return textwrap.wrap(words, max(min(width, WIDTH) - 6, 20), break_on_hyphens=False)


def _restart(site: SiteReport) -> Iterator[str]:
    if site.restart is None:
        yield "  restart: cannot tell: %s" % site.restart_reason
    for one in site.restart or ():
        words = (one.pid, plain(one.command), plain(one.user or "?"), one.started)
        yield "  restart needed: pid %d %s of %s, running since %s" % words


def _summary(result: Result, runner: Runner) -> Iterator[str]:
    """The last line: what was done, or what to type next."""
    if result.command == "status" and result.exit_code == 3:
        yield "next: " + runner.shown(jhpatch_command(*_after_status(result)))
    elif result.command in ("apply", "revert") and not result.exit_code:
        yield _done(result)


def _after_status(result: Result) -> List[str]:
    patches = [patch for site in result.sites for patch in site.patches]
    odd = [patch.patch for patch in patches if patch.state in ("modified", "unsupported")]
    return ["diff"] + odd if odd else ["apply"]


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
