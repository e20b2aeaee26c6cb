"""Results → text for people. JSON is ``result.document``."""

from typing import Iterator, List, Optional, Sequence, Tuple

from jhpatch.result import Error, PatchReport, Result, SiteReport

_COLOURS = {
    "applied": "32",
    "pristine": "33",
    "outdated": "33",
    "superseded": "33",
    "modified": "31",
    "unsupported": "31",
    "interrupted": "31",
}


def text(result: Result, terminal: bool, colour: bool, verbose: bool) -> str:
    """What goes to standard output."""
    lines: List[str] = []
    for site in result.sites:
        if result.command == "diff":
            lines += (site.diff or "").splitlines()
            continue
        lines.append("%s%s" % (site.site, " (%s)" % site.owner if site.owner else ""))
        rows = [_row(result, site, patch, verbose) for patch in site.patches]
        lines += _table(rows, terminal, colour)
        lines += ["  " + note for note in site.notes]
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
    lines = ["jhpatch: %s" % error.message]
    for name in ("path", "expected", "found", "next"):
        value = getattr(error, name)
        if value:
            lines.append("  %-9s %s" % (name + ":", value))
    return "".join(line + "\n" for line in lines)


def _row(result: Result, site: SiteReport, patch: PatchReport, verbose: bool) -> Sequence[str]:
    state = patch.state + (" (changed)" if patch.changed else "")
    if result.command == "list":
        return (patch.patch, patch.versions or "-", state, patch.description or "")
    reason = patch.reason or ""
    if verbose:
        files = ("%s %s %s" % (f.path, f.state, f.found or "none") for f in patch.files)
        reason = "; ".join([reason] * bool(reason) + list(files))
    return (patch.patch, patch.version or "-", state, reason)


def _table(rows: List[Sequence[str]], terminal: bool, colour: bool) -> Iterator[str]:
    """Columns on a terminal; elsewhere fields with a tab between them."""
    if not terminal:
        return ("\t".join(row) for row in rows)
    widths = [max((len(row[column]) for row in rows), default=0) for column in range(3)]
    return ("  " + _cells(row, widths, colour).rstrip() for row in rows)


def _cells(row: Sequence[str], widths: List[int], colour: bool) -> str:
    cells = [cell.ljust(width) for cell, width in zip(row, widths)]
    code = _COLOURS.get(row[2].split(" ")[0])
    if colour and code:
        cells[2] = "\033[%sm%s\033[0m" % (code, cells[2])
    return "  ".join(cells + [row[3]])


def _restart(site: SiteReport) -> Iterator[str]:
    if site.restart is None:
        yield "  restart: cannot tell: %s" % site.restart_reason
    for process in site.restart or ():
        yield "  restart needed: pid %d %s, running since %s" % process


def _summary(result: Result) -> Tuple[str, ...]:
    """The last line of a command that changes something."""
    if result.command not in ("apply", "revert") or result.exit_code:
        return ()
    count = sum(patch.changed for site in result.sites for patch in site.patches)
    if result.dry_run:
        would = any(site.would_change for site in result.sites)
        return ("would change the files above" if would else "nothing to do",)
    if not count:
        changed = any(site.changed for site in result.sites)
        return ("done" if changed else "nothing to do",)
    word = _word(result.command)
    return ("%d %s %s" % (count, "patch" if count == 1 else "patches", word),)


def _word(command: Optional[str]) -> str:
    return "applied" if command == "apply" else "reverted"
