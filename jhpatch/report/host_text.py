"""What ``ticket``, ``doctor``, ``kernelspec`` and ``nginx`` have to say → text for people."""

import time
from typing import Iterator, List, Optional

from jhpatch.report.result import Finding, KernelReport, Result, SiteFile, TicketReport
from jhpatch.report.site_text import painted, plain
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


def text(result: Result, terminal: bool, colour: bool, verbose: bool) -> str:
    """What goes to standard output."""
    if result.site_file is not None:
        return _site_file(result, result.site_file, terminal)
    lines: List[str] = []
    for ticket in result.tickets or ():
        lines += _ticket(ticket, colour) if terminal else [_fields(ticket)]
    for kernel in result.kernels or ():
        lines += _kernel(result, kernel, terminal)
    for finding in result.diagnosis or ():
        lines += _finding(finding, colour, verbose)
    notes = result.notes if result.tickets is None or verbose else ()
    lines += [plain(note) for note in notes]
    lines += ["next: " + plain(result.next)] if result.next else []
    return "".join(line + "\n" for line in lines)


def _kernel(result: Result, one: KernelReport, terminal: bool) -> Iterator[str]:
    """A kernel on a line; where it was, or would be, written: kernel.json as it is."""
    cells = [one.name, one.spark or "-", one.master or "-", "lazy" if one.lazy else "-"]
    cells += ["jhpatch" if one.ours else "another's", one.path]
    yield ("  " if terminal else "\t").join(plain(cell) for cell in cells)
    if one.text and result.dry_run:
        yield from (plain(line) for line in one.text.splitlines())


def _site_file(result: Result, one: SiteFile, terminal: bool) -> str:
    """The file itself; where it has a place, what is new in it, and what was done."""
    if one.path is None:
        return one.text
    shown = one.diff if result.dry_run or result.error else ""
    lines = [plain(line) for line in shown.splitlines()] if terminal else shown.splitlines()
    lines += [plain(note) for note in result.notes]
    lines += ["next: " + plain(result.next)] if result.next else []
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


def _finding(one: Finding, colour: bool, verbose: bool) -> Iterator[str]:
    """What was found; why it matters and the next step, where it is more than a note."""
    severity = painted("%-7s" % one.severity, _COLOURS.get(one.severity), colour)
    yield "%s  %s  %s" % (severity, one.code, plain(one.message))
    if one.path:
        yield "         where: " + plain(one.path)
    if one.severity != "note" or verbose:
        yield "         why:   " + plain(one.why)
    if one.next and (one.severity != "note" or verbose):
        yield "         next:  " + plain(one.next)
