"""What ``ticket``, ``doctor``, ``kernelspec`` and ``nginx`` have to say → text for people."""

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
    """What goes to standard output."""
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


def _kernel(result: Result, one: KernelReport, terminal: bool) -> Iterator[str]:
    """A kernel on a line; where it was, or would be, written: kernel.json as it is."""
    cells = [one.name, one.spark or "-", one.master or "-", "lazy" if one.lazy else "-"]
    cells += ["jhpatch" if one.ours else "another's", one.path]
    yield ("  " if terminal else "\t").join(plain(cell) for cell in cells)
    if one.text and result.dry_run:
        yield from (plain(line) for line in one.text.splitlines())


def _site_file(result: Result, one: SiteFile, style: Style, runner: Runner) -> str:
    """The file itself; where it has a place, what is new in it, and what was done."""
    if one.path is None:
        return one.text
    shown = one.diff if result.dry_run or result.error else ""
    lines = shown.splitlines()
    lines = [plain(line) for line in lines] if style.terminal else lines
    lines += ending(result, runner)
    return "".join(line + "\n" for line in lines)


def _fields(ticket: TicketReport) -> str:
    """A line, with a tab between its fields: it changes when something has changed."""
    cells = [str(ticket.pid or "-"), ticket.state, ticket.principal or "-"]
    cells += [getattr(ticket, name) or "-" for name in _FIELDS]
    return "\t".join(plain(cell) for cell in cells)


def _ticket(ticket: TicketReport, colour: bool) -> Iterator[str]:
    state = painted(ticket.state, _COLOURS[ticket.state], colour)
    left = _left(ticket.end) if ticket.state in ("valid", "expiring") else ""
    yield "%s  %s%s" % (plain(ticket.principal or "no principal"), state, left)
    yield "  %-17s%s" % ("kept by", "server, pid %d" % ticket.pid if ticket.pid else "nobody")
    for name in _FIELDS:
        value = getattr(ticket, name)
        if value and name in ("start", "end", "renew_till", "next"):
            value = _local(value)
        if name == "keytab" and ticket.central:
            value = "%s (the hub's)" % (value or "")
        if value:
            yield "  %-17s%s" % (_LABELS.get(name, name), plain(value))


def _left(end: Optional[str]) -> str:
    minutes = int((timestamps.seconds_of(end or "") - time.time()) // 60)
    if minutes < 60:
        return ", %d min left" % max(minutes, 0)
    return ", %d h %d min left" % divmod(minutes, 60)


def _local(stamp: str) -> str:
    seconds = timestamps.seconds_of(stamp)
    return time.strftime("%Y-%m-%d %H:%M:%S %Z", time.localtime(seconds))


def _finding(one: Finding, style: Style, runner: Runner) -> Iterator[str]:
    """What was found; why it matters and the next step, where it is more than a note."""
    severity = painted("%-7s" % one.severity, _COLOURS.get(one.severity), style.colour)
    yield "%s  %s  %s" % (severity, one.code, plain(one.message))
    if one.path:
        yield "         where: " + plain(one.path)
    if one.severity != "note" or style.verbose:
        yield "         why:   " + plain(one.why)
        if one.next:
            yield "         next:  " + plain(runner.shown(one.next))
