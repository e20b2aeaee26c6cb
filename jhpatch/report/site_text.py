"""The text of the results of ``list``, ``status``, ``diff``, ``apply`` and ``revert``."""

import re
from typing import Iterator, List, Sequence

from jhpatch.errors import jhpatch_command
from jhpatch.report import states
from jhpatch.report.next_command import Runner
from jhpatch.report.result import PatchReport, Result, SiteReport
from jhpatch.report.text import WIDTH, Style, diff_text, painted, plain

_COLOURS = {
    "applied": "32",
    "pristine": "33",
    "unpatched": "33",
    "outdated": "33",
    "shadowed": "33",
    "superseded": "33",
    "overwritten": "33",
    "modified": "31",
    "unsupported": "31",
    "interrupted": "31",
    "busy": "31",
}
_TABLE_FROM = 3  # environments; from this number on, status is one table


def text(result: Result, style: Style, runner: Runner) -> str:
    """Return the text for standard output."""
    if result.command == "diff":
        return "".join(diff_text(site.diff or "", style) for site in result.sites)
    lines: List[str] = []
    if result.command == "status" and len(result.sites) >= _TABLE_FROM and not style.verbose:
        lines += _environment_table(result, style)
    else:
        for site in result.sites:
            lines.append(
                "%s%s" % (plain(site.site), " (%s)" % plain(site.owner) if site.owner else "")
            )
            lines += _patch_table(result, site, style)
            lines += ["  " + plain(note) for note in site.notes]
            lines += _restart_lines(site)
    lines += _summary(result, runner)
    return "".join(line + "\n" for line in lines)


def _patch_table(result: Result, site: SiteReport, style: Style) -> Iterator[str]:
    """Yield columns on a terminal; elsewhere a line for each patch, its fields tab-separated."""
    rows = [[plain(cell) for cell in _cells(result, patch)] for patch in site.patches]
    widths = [max((len(row[column]) for row in rows), default=0) for column in range(3)]
    for row, patch in zip(rows, site.patches):
        details = list(_file_details(patch)) if style.verbose else []
        if not style.width:
            yield "\t".join(row[:3] + ["; ".join([row[3]] * bool(row[3]) + details)])
            continue
        if patch.state == "not-needed" and not style.verbose and result.command != "list":
            row[3] = ""  # no change is needed
        cells = [cell.ljust(width) for cell, width in zip(row, widths)]
        cells[2] = painted(cells[2], _COLOURS.get(row[2].split(" ")[0]), style.colour)
        if result.command == "list":
            yield "  " + "  ".join(cells).rstrip()
            details = _wrap(row[3], style.width) + details
        elif sum(widths) + len(row[3]) + 8 <= style.width:
            yield "  " + "  ".join(cells + [row[3]]).rstrip()
        else:
            yield "  " + "  ".join(cells).rstrip()
            details = _wrap(row[3], style.width) + details
        for detail in details:
            yield "      " + detail


def _environment_table(result: Result, style: Style) -> Iterator[str]:
    """Yield one table of several environments: the patches of each and their states."""
    rows: List[List[str]] = []
    for site in result.sites:
        environment = plain(site.python or site.site)
        patches = [patch for patch in site.patches if patch.state != "absent"]
        rows += [
            [_label(patch), patch.version or "-", patch.patch, environment] for patch in patches
        ]
        if not patches:
            rows.append(["failed" if site.error else "nothing", "-", "-", environment])
    widths = [max(map(len, column)) for column in zip(*rows)]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row[:3], widths)]
        if style.terminal:
            cells[0] = painted(cells[0], _COLOURS.get(row[0].split(" ")[0]), style.colour)
        yield "  ".join(cells + row[3:]) if style.terminal else "\t".join(row)
    for site in result.sites:
        for line in _restart_lines(site):
            yield "%s:%s" % (plain(site.python or site.site), line)


def _cells(result: Result, patch: PatchReport) -> Sequence[str]:
    marks = " (record removed)" if _is_dropped(patch) else " (changed)"
    state = _label(patch) + (marks if patch.changed else "")
    if result.command == "list":
        return (patch.patch, _release_span(patch.versions or ""), state, patch.description or "")
    return (patch.patch, patch.version or "-", state, patch.reason or "")


def _label(patch: PatchReport) -> str:
    """Return the state of a patch as text."""
    return states.LABELS.get(patch.state, patch.state)


def _release_span(versions: str) -> str:
    """Return the first and the last release; the JSON document has every range."""
    ends = re.findall(r"[0-9][^\s,|]*", versions)
    return (ends[0] if len(set(ends)) == 1 else "%s to %s" % (ends[0], ends[-1])) if ends else "-"


def _file_details(patch: PatchReport) -> Iterator[str]:
    for file in patch.files:
        yield plain("%s %s %s" % (file.path, file.state, file.found or "none"))


def _wrap(text: str, width: int) -> List[str]:
    import textwrap

    return textwrap.wrap(text, max(min(width, WIDTH) - 6, 20), break_on_hyphens=False)


def _restart_lines(site: SiteReport) -> Iterator[str]:
    if site.restart is None:
        yield "  restart: unknown, because %s" % site.restart_reason
    for process in site.restart or ():
        values = (process.pid, plain(process.command), plain(process.user or "?"), process.started)
        yield "  restart needed: pid %d %s of %s, running since %s" % values


def _summary(result: Result, runner: Runner) -> Iterator[str]:
    """Yield the last line: what was done, or the next command to type."""
    if result.command == "status" and result.exit_code == 3:
        found = {patch.state for site in result.sites for patch in site.patches}
        if "shadowed" in found and not found & _COLOURS.keys() - {"applied", "shadowed"}:
            yield "next: remove the copy that Python imports, or patch that copy"
        else:
            yield "next: " + runner.shown(jhpatch_command(*_next_arguments(result)))
    elif result.command in ("apply", "revert") and not result.exit_code:
        yield _outcome(result)


def _next_arguments(result: Result) -> List[str]:
    patches = [patch for site in result.sites for patch in site.patches]
    unclear = [patch.patch for patch in patches if patch.state in ("modified", "unsupported")]
    return ["diff"] + unclear if unclear else ["apply", *result.named]


def _is_dropped(patch: PatchReport) -> bool:
    """Return whether a change has removed only the record of a patch, and restored no file."""
    return patch.changed and patch.state in ("absent", "not-needed", "unsupported")


def _outcome(result: Result) -> str:
    changed = [patch for site in result.sites for patch in site.patches if patch.changed]
    dropped = sum(map(_is_dropped, changed))
    count = len(changed) - dropped
    if result.dry_run:
        would = any(site.would_change for site in result.sites)
        return "would change the files above" if would else "nothing to do"
    if not changed:
        return "done" if any(site.changed for site in result.sites) else "nothing to do"
    participle = "applied" if result.command == "apply" else "reverted"
    parts = []
    if count:
        parts.append("%d %s %s" % (count, "patch" if count == 1 else "patches", participle))
    if dropped:
        parts.append("%d %s removed" % (dropped, "record" if dropped == 1 else "records"))
    message = ", ".join(parts)
    if any(site.restart for site in result.sites):
        return message + "; the processes above run the previous code until you restart them"
    return message
