"""The pages: each command on them exists, each link leads somewhere."""

import importlib.util
import os
import re
import shlex
import sys

import pytest

from jhpatch.cli import main
from testing import ROOT
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
