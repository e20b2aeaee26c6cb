"""Exceptions, their exit codes, and the next steps that they carry."""

import json

import pytest

from jhpatch import errors
from jhpatch.errors import (
    BadPatch,
    Command,
    Failed,
    JhpatchError,
    Locked,
    NextStep,
    Refused,
    Untrusted,
    Usage,
    jhpatch_command,
    reinstall_command,
    shell_command,
    worst,
)


@pytest.mark.parametrize(
    "kind, exit_code, code",
    [
        (Failed, 1, "failed"),
        (Untrusted, 1, "untrusted"),
        (BadPatch, 1, "bad-patch"),
        (Usage, 2, "usage"),
        (Locked, 4, "locked"),
        (Refused, 5, "refused"),
    ],
)
def test_each_exception_has_its_exit_code(kind, exit_code, code):
    """The codes are a contract: scripts and the JSON document rely on them."""
    assert issubclass(kind, JhpatchError)
    assert (kind.exit_code, kind.code) == (exit_code, code)
    assert kind.__name__ in errors.__doc__


def test_an_exception_has_what_a_person_needs():
    """Message, file, expected, found and next; words alone are a next step too."""
    error = Failed("no", "/p", "a", "b", next="look")
    assert (str(error), error.path, error.expected, error.found) == ("no", "/p", "a", "b")
    assert error.next == NextStep("look") and Failed("no").next is None


def test_steps_are_joined_in_their_order():
    """A step and words on both sides, or two steps, are one step."""
    step = "first " + jhpatch_command("list") + " then " + shell_command("ls")
    assert step.parts == ("first ", Command(("list",), "jhpatch"), " then ", Command(("ls",)))
    assert step != jhpatch_command("list") and step != "first"


def test_a_step_comes_back_from_json():
    """What a child hands over is the same step."""
    step = jhpatch_command("diff", "a b") + "; then " + reinstall_command("a==1")
    assert NextStep.unpacked(json.loads(json.dumps(step.packed()))) == step


@pytest.mark.parametrize("parts", [None, 7, [7], [["a"]], [[1, 2, 3, 4, 5]]])
def test_other_json_is_no_step(parts):
    """Anything else raises TypeError or ValueError."""
    with pytest.raises((TypeError, ValueError)):
        NextStep.unpacked(parts)


@pytest.mark.parametrize(
    "codes, expected", [([], 0), ([0, 3], 3), ([3, 5, 4], 4), ([0, 1, 2], 1), ([4, 2], 2)]
)
def test_the_worst_of_several_exit_codes(codes, expected):
    """1, 2, 4, 5, 3, 0: the first of them that any has."""
    assert worst(codes) == expected
