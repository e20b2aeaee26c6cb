"""The one line that a problem is."""

import pytest

from jhpatch.deployed.kerberos import errors
from jhpatch.deployed.kerberos.errors import Problem, Unresponsive, describe, printable


def test_nothing_from_a_cache_reaches_the_log_as_it_is():
    """Neither a line of its own, nor a terminal's escape, nor a hundred thousand characters."""
    text = str(Problem("x\n[I 2026] User logged in: admin\x1b[2J\u202e" + "A" * 300000))
    assert text.isprintable() and len(text) <= errors._LINE_CAP
    assert text.startswith("x\\n[I 2026] User logged in: admin\\x1b[2J\\u202e")


@pytest.mark.parametrize("text", ["", "alice's ticket of Zoë", "票据", "A" * 500])
def test_printable_text_stays_as_it_is(text):
    """Any language, up to the length of a line."""
    assert str(Problem(text)) == printable(text) == text


@pytest.mark.parametrize("character", ["\n", "\0", "\x1b", "\x85", "\u2028", "\ud800", "\udcff"])
def test_control_characters_are_written_out(character):
    """Also Unicode's line ends, and the surrogates that stand for undecodable bytes."""
    assert printable("a%sb" % character).isprintable()
    assert printable("a%sb" % character).startswith("a\\")


def test_a_long_line_is_cut_after_it_was_written_out():
    """Escapes make text longer: the cap is that of the result."""
    for text in ("\n" * 100000, "\U000e0001" * 400, "x" * 501):
        assert len(printable(text)) == 500 and printable(text).endswith("...")


def test_another_exception_is_described_with_its_type():
    """``KeyError: 'alice'`` says more than ``'alice'``."""
    assert describe(KeyError("alice\n")) == "KeyError: 'alice\\n'"
    assert describe(OSError(28, "No space left\n")) == "OSError: [Errno 28] No space left\\n"


def test_an_unresponsive_kdc_is_a_problem():
    """Whoever handles problems handles it."""
    assert issubclass(Unresponsive, Problem) and str(Unresponsive("a\nb")) == "a\\nb"
