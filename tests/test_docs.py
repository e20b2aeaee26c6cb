"""The pages: each command on them exists, each link leads somewhere."""

import importlib.util
import os
import re
import shlex
import sys

import pytest

from jhpatch.cli import main
from testing import ROOT
from testing.layering import ARROWS
from testing.pages import PAGES, code, text_of

_COMMAND = re.compile(r"(?:(?:^|\s)\S*python\S* (?:-I )?-m|^) ?jhpatch +([^|;&#`]*)")


@pytest.mark.parametrize("page", PAGES)
def test_each_command_on_a_page_is_one(page):
    """The parser takes each command with its options."""
    for line in code(page):
        if line.startswith(("usage:", "jhpatch:", "#")):
            continue
        for match in _COMMAND.finditer(line.partition("  #")[0]):
            words = match.group(1).strip()
            if not words or re.search(r"[…<>\[\]=]|\.\.\.|NAME|PYTHON", words):
                continue  # not to be typed as it stands
            arguments = shlex.split(words)
            if arguments[0] in ("--version", "--help"):
                continue
            assert main.parser(arguments[0]).parse_args(arguments).command == arguments[0], line


@pytest.mark.parametrize("page", PAGES)
def test_each_link_between_pages_leads_somewhere(page):
    """The target of a link is a file of the checkout."""
    for target in re.findall(r"\]\(([^)#: ]+)[^):]*\)", text_of(page)):
        here = os.path.dirname(os.path.join(ROOT, page))
        assert os.path.exists(os.path.join(here, target)), (page, target)


@pytest.mark.skipif(
    sys.version_info[:2] not in ((3, 11), (3, 12)), reason="argparse of others has other words"
)
def test_the_reference_is_the_programs_own_help():
    """docs/commands.md, made again by tools/commands.py, is the same."""
    path = os.path.join(ROOT, "tools", "commands.py")
    spec = importlib.util.spec_from_file_location("commands", path)
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    assert text_of("docs/commands.md") == tool.made()


ARCHITECTURE = "docs/architecture.md"
PACKAGE = os.path.join(ROOT, "jhpatch")


def _floors():
    """The rows of the diagram: the floor of each directory, and what it may import."""
    diagram = text_of(ARCHITECTURE).split("```")[1]
    rows = re.sub(r",\n +", ", ", diagram).strip().splitlines()
    floor, floors, arrows = "", {}, {}
    for row in rows:
        number, directory, targets = re.match(r"(\d?) +(\w+) +→ (.*)$", row).groups()
        floor = number or floor
        floors[directory] = int(floor)
        arrows[directory] = set(targets.split(", ")) - {"nothing"}
    return floors, arrows


def test_the_diagram_has_the_arrows_of_the_code():
    """docs/architecture.md draws what testing/layering.py allows, on at most six floors."""
    floors, arrows = _floors()
    assert arrows == ARROWS
    assert set(floors.values()) <= {1, 2, 3, 4, 5, 6}
    upward = [
        (directory, target)
        for directory, targets in arrows.items()
        for target in targets
        if floors[target] <= floors[directory]
    ]
    assert not upward


def test_each_directory_is_described():
    """docs/architecture.md has a line for each directory of jhpatch/."""
    rows = re.findall(r"^\| (`.*?`) \|", text_of(ARCHITECTURE), re.M)
    described = {name for row in rows for name in re.findall(r"`(\w+)/`", row)}
    assert described == set(ARROWS)


def test_each_module_on_the_page_exists():
    """docs/architecture.md names files of jhpatch/ as they are called."""
    named = set(re.findall(r"`(\w[\w/]*\.py)`", text_of(ARCHITECTURE)))
    named = {name for name in named if not name.startswith("tests/")}
    assert len(named) > 20
    assert not {name for name in named if not os.path.isfile(os.path.join(PACKAGE, name))}


def test_each_path_of_the_checkout_exists():
    """A page that names a file or directory of the repository names one that is there."""
    tops = "benchmarks|docs|integration|jhpatch|patches|testing|tests|tools"
    missing = []
    for page in PAGES:
        for path in re.findall(r"`((?:%s)/[\w./-]*)`" % tops, text_of(page)):
            if not os.path.exists(os.path.join(ROOT, path)):
                missing.append((page, path))
    assert not missing


def test_the_translation_is_in_step():
    """README.zh-CN.md has the same commands, links, sections and rows as README.md."""
    pages = [text_of(page) for page in ("README.md", "README.zh-CN.md")]
    shapes = []
    for page, text in zip(("README.md", "README.zh-CN.md"), pages):
        commands = [line.partition("  #")[0].rstrip() for line in code(page)]
        links = sorted(set(re.findall(r"\]\(([^)]+)\)", text)) - {"README.md", "README.zh-CN.md"})
        rows = [line.count("|") for line in text.splitlines() if line.startswith("|")]
        bold = len(re.findall(r"^\*\*", text, re.M))
        shapes.append((commands, links, len(re.findall(r"^## ", text, re.M)), rows, bold))
    assert shapes[0] == shapes[1]
