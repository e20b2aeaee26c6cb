"""Exceptions, their exit codes, and the next steps that they carry."""

import importlib
import importlib.util
import inspect
import json
import pkgutil
import sys
import sysconfig

import pytest

import jhpatch
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
    install_command,
    jhpatch_command,
    python_command,
    same_command,
    shell_command,
    worst,
)
from jhpatch.system.rooted_files import RootDir


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


@pytest.mark.parametrize("kind", ["pip", "no pip", "externally managed", "a venv of one"])
def test_a_package_for_the_environment_that_runs_jhpatch(tmp_path, monkeypatch, kind):
    """By its pip; words if there is none (uv), or if pip must not change it (PEP 668)."""
    if kind in ("externally managed", "a venv of one"):
        (tmp_path / "EXTERNALLY-MANAGED").write_text("")
    is_venv = kind == "a venv of one"
    found = None if kind == "no pip" else object()
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: found)
    monkeypatch.setattr(sysconfig, "get_path", lambda name: str(tmp_path))
    monkeypatch.setattr(sys, "base_prefix", "/usr" if is_venv else sys.prefix)
    step = install_command("patch-ng")
    if kind in ("pip", "a venv of one"):
        assert step == python_command("pip", "install", "patch-ng")
    else:
        assert step.parts[0].startswith("install patch-ng into %s with the tool" % sys.prefix)


def test_a_step_comes_back_from_json():
    """What a child hands over is the same step."""
    step = jhpatch_command("diff", "a b") + "; then " + same_command("sudo", "-H")
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


def with_del():
    """Each class of jhpatch that has a ``__del__``."""
    for _, name, _ in pkgutil.walk_packages(jhpatch.__path__, "jhpatch."):
        with open(importlib.util.find_spec(name).origin, encoding="utf-8") as file:
            has_one = "def __del__" in file.read()
        if has_one:
            for one in vars(importlib.import_module(name)).values():
                if inspect.isclass(one) and one.__module__ == name and hasattr(one, "__del__"):
                    yield one


def test_an_object_whose_init_did_not_begin_is_deleted_in_silence():
    """Ctrl-C can come before the first line of ``__init__``; a ``__del__`` prints a traceback."""
    classes = list(with_del())
    assert RootDir in classes
    for one in classes:
        one.__new__(one).__del__()
