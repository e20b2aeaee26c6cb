"""Tickets, findings, kernels and the site file as text."""

import time

import pytest

from jhpatch.errors import jhpatch_command
from jhpatch.report.host_text import text
from jhpatch.report.next_command import Runner
from jhpatch.report.result import (
    Finding,
    Findings,
    KernelReport,
    Kernels,
    OtherTicket,
    RenderedSite,
    Result,
    SiteFile,
    TicketReport,
    Tickets,
)
from jhpatch.report.text import Style
from jhpatch.system import timestamps
from testing.results import error

RUNNER = Runner("py")
PIPE, TERMINAL = Style(), Style(terminal=True, width=80)
TICKET = TicketReport(
    *(7, "valid", "alice@EXAMPLE.TEST", "FILE:/tmp/cc", "/k", True),
    *("2026-01-01T00:00:00Z", "2026-01-01T10:00:00Z", None, None, None),
)
KERNEL = KernelReport("pyspark", "/k", "Spark", True, "/py", "/spark", "3.5.1", None, True, "{\n}")


def shown(content, style=PIPE, **fields):
    """The lines of a result with that content."""
    return text(content, Result("x", content, **fields), style, RUNNER).splitlines()


def test_a_ticket_is_a_line_with_tabs_in_a_pipe():
    """pid, state, principal and the other fields; an absent one is a dash."""
    line = "7\tvalid\talice@EXAMPLE.TEST\tFILE:/tmp/cc\t/k\t2026-01-01T00:00:00Z"
    line += "\t2026-01-01T10:00:00Z\t-\t-\t-"
    assert shown(Tickets((TICKET,))) == [line]
    assert shown(Tickets((TICKET._replace(error="a\tb\n"),)))[0].endswith("\ta\\tb\\n")


def test_a_terminal_has_the_reason_the_other_caches_and_the_advice():
    """What to do comes last; without a server the error is the reason."""
    other = OtherTicket("FILE:/tmp/krb5cc_7_x", "alice@EXAMPLE.TEST", "2026-01-01T10:00:00Z")
    absent = TICKET._replace(pid=None, state="absent", error="it is empty", others=(other,))
    lines = shown(Tickets((absent._replace(advice="run kinit"),)), TERMINAL)
    assert lines[1].split() == ["renewed", "by", "-"]
    assert lines[-3].split() == ["reason", "it", "is", "empty"]
    assert lines[-2].split()[2:4] == ["FILE:/tmp/krb5cc_7_x", "alice@EXAMPLE.TEST,"]
    assert lines[-1].split() == ["next", "run", "kinit"]
    assert "last error" in shown(Tickets((absent._replace(pid=7),)), TERMINAL)[-2]


@pytest.mark.parametrize(
    "minutes, words", [(119, "1 h 58 min left"), (30, "29 min left"), (-5, "0 min left")]
)
def test_a_terminal_has_the_time_that_is_left(minutes, words):
    """Hours and minutes until a ticket expires, rounded down."""
    end = timestamps.iso(time.time() + minutes * 60 - 1)
    lines = shown(Tickets((TICKET._replace(end=end),)), TERMINAL)
    assert lines[0] == "alice@EXAMPLE.TEST  valid, " + words
    assert "server, pid 7" in lines[1] and any("(the hub's)" in line for line in lines)


def test_a_finding_says_where_why_and_next():
    """A note is one line, unless -v asks for all of it; errors are coloured on a terminal."""
    step = jhpatch_command("apply")
    finding = Finding("keytab-missing", "error", "no file\n", "/k", "no ticket", step)
    assert shown(Findings((finding,))) == [
        "error    keytab-missing  no file\\n",
        "         where: /k",
        "         why:   no ticket",
        "         next:  py -m jhpatch apply",
    ]
    note = finding._replace(severity="note")
    assert len(shown(Findings((note,)))) == 2
    assert len(shown(Findings((note,)), Style(verbose=True))) == 4
    assert "\033[31merror" in shown(Findings((finding,)), TERMINAL._replace(colour=True))[0]


def test_a_kernel_is_a_line_and_in_a_dry_run_its_file():
    """Name, Spark, master, lazy, whose it is and where; kernel.json follows in a dry run."""
    kernels = Kernels((KERNEL, KERNEL._replace(ours=False, lazy=False)))
    assert shown(kernels) == [
        "pyspark\t3.5.1\t-\tlazy\tjhpatch\t/k",
        "pyspark\t3.5.1\t-\t-\tother\t/k",
    ]
    assert shown(Kernels((KERNEL,)), dry_run=True)[1:] == ["{", "}"]


def test_a_site_file_is_the_text_itself_where_it_has_no_place():
    """``nginx render`` without --output prints the file; with it the diff and the notes."""
    bare = RenderedSite(SiteFile(None, "server {\n}\n", ""))
    assert text(bare, Result("nginx", bare), PIPE, RUNNER) == "server {\n}\n"
    placed = RenderedSite(SiteFile("/etc/x", "server {\n}\n", "--- a\n+\x1b\n"))
    assert shown(placed, notes=("written",)) == ["written"]
    assert shown(placed, dry_run=True) == ["--- a", "+\x1b"]
    assert shown(placed, TERMINAL, error=error()) == ["--- a", "+\\x1b"]
