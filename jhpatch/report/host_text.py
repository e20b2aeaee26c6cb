"""The text of the results of ``ticket``, ``doctor``, ``kernelspec`` and ``nginx``."""

import time
from typing import Iterator, List, Optional

from jhpatch.report.next_command import Runner
from jhpatch.report.result import (
    Content,
    Finding,
    Findings,
    KernelReport,
    Kernels,
    RenderedSite,
    Result,
    SiteFile,
    TicketReport,
    Tickets,
)
from jhpatch.report.text import Style, ending, painted, plain
from jhpatch.system import timestamps

_COLOURS = {
    "valid": "32",
    "expiring": "33",
    "expired": "31",
    "absent": "31",
    "error": "31",
    "warning": "33",
}
_FIELDS = ("ccache", "keytab", "start", "end", "renew_till", "next", "error")
_LABELS = {
    "ccache": "cache",
    "end": "expires",
    "renew_till": "renewable until",
    "next": "next refresh",
    "error": "last error",
}


def text(content: Content, result: Result, style: Style, runner: Runner) -> str:
    """Return the text for standard output."""
    if isinstance(content, RenderedSite):
        return _site_file(result, content.file, style, runner)
    lines: List[str] = []
    if isinstance(content, Tickets):
        for ticket in content.tickets:
            lines += _ticket(ticket, style.colour) if style.terminal else [_fields(ticket)]
        lines += ending(result, runner) if style.verbose else []
    elif isinstance(content, Kernels):
        for kernel in content.kernels:
            lines += _kernel(result, kernel, style.terminal)
    elif isinstance(content, Findings):
        for finding in content.findings:
            lines += _finding(finding, style, runner)
    if not isinstance(content, Tickets):
        lines += ending(result, runner)
    return "".join(line + "\n" for line in lines)


def _kernel(result: Result, kernel: KernelReport, terminal: bool) -> Iterator[str]:
    """Yield a line for a kernel; in a dry run of ``install``, kernel.json too."""
    cells = [
        kernel.name,
        kernel.spark or "-",
        kernel.master or "-",
        "lazy" if kernel.lazy else "-",
    ]
    cells += ["jhpatch" if kernel.ours else "other", kernel.path]
    yield ("  " if terminal else "\t").join(plain(cell) for cell in cells)
    if kernel.text and result.dry_run:
        yield from (plain(line) for line in kernel.text.splitlines())


def _site_file(result: Result, file: SiteFile, style: Style, runner: Runner) -> str:
    """Return the file; if it has a path, the diff (in a dry run or with an error) and notes."""
    if file.path is None:
        return file.text
    diff = file.diff if result.dry_run or result.error else ""
    lines = diff.splitlines()
    lines = [plain(line) for line in lines] if style.terminal else lines
    lines += ending(result, runner)
    return "".join(line + "\n" for line in lines)


def _fields(ticket: TicketReport) -> str:
    """Return a line of fields separated by tabs, which ``--watch`` compares."""
    cells = [str(ticket.pid or "-"), ticket.state, ticket.principal or "-"]
    cells += [getattr(ticket, name) or "-" for name in _FIELDS]
    return "\t".join(plain(cell) for cell in cells)


def _ticket(ticket: TicketReport, colour: bool) -> Iterator[str]:
    state = painted(ticket.state, _COLOURS[ticket.state], colour)
    left = _remaining(ticket.end) if ticket.state in ("valid", "expiring") else ""
    yield "%s  %s%s" % (plain(ticket.principal or "no principal"), state, left)
    yield "  %-17s%s" % ("renewed by", "server, pid %d" % ticket.pid if ticket.pid else "-")
    for name in _FIELDS:
        value = getattr(ticket, name)
        if value and name in ("start", "end", "renew_till", "next"):
            value = _local_time(value)
        if name == "keytab" and ticket.central:
            value = "%s (the hub's)" % (value or "")
        if value:
            is_reason = name == "error" and ticket.pid is None
            label = "reason" if is_reason else _LABELS.get(name, name)
            yield "  %-17s%s" % (label, plain(value))
    for other in ticket.others:
        fields = plain(other.ccache), plain(other.principal), _local_time(other.end)
        yield "  %-17s%s  %s, expires %s" % ("other cache", *fields)
    if ticket.advice:
        yield "  %-17s%s" % ("next", plain(ticket.advice))


def _remaining(end: Optional[str]) -> str:
    minutes = int((timestamps.seconds_of(end or "") - time.time()) // 60)
    if minutes < 60:
        return ", %d min left" % max(minutes, 0)
    return ", %d h %d min left" % divmod(minutes, 60)


def _local_time(text: str) -> str:
    seconds = timestamps.seconds_of(text)
    return time.strftime("%Y-%m-%d %H:%M:%S %Z", time.localtime(seconds))


def _finding(finding: Finding, style: Style, runner: Runner) -> Iterator[str]:
    """Yield the finding; unless it is a note, also why it matters and the next step."""
    severity = painted("%-7s" % finding.severity, _COLOURS.get(finding.severity), style.colour)
    yield "%s  %s  %s" % (severity, finding.code, plain(finding.message))
    if finding.path:
        yield "         where: " + plain(finding.path)
    if finding.severity != "note" or style.verbose:
        yield "         why:   " + plain(finding.why)
        if finding.next:
            yield "         next:  " + plain(runner.shown(finding.next))
