"""docs/deploy/: a page for each recipe, and in each page what an administrator asks."""

import glob
import os
import re

import pytest

from integration.deploy.recipes import DEPLOY
from testing import ROOT

PAGES = sorted(glob.glob(os.path.join(ROOT, "docs", "deploy", "*.md")))


def text(path):
    """A file's text."""
    with open(path, encoding="utf-8") as file:
        return file.read()


def test_each_recipe_has_a_page_and_each_page_a_recipe():
    """``docs/deploy/NAME.md`` is about ``deploy/NAME``, and the README links to it."""
    names = {os.path.basename(page)[: -len(".md")] for page in PAGES}
    assert names == set(os.listdir(DEPLOY))
    readme = text(os.path.join(ROOT, "README.md"))
    assert names == set(re.findall(r"\(docs/deploy/(\w+)\.md\)", readme))


@pytest.mark.parametrize("page", PAGES, ids=os.path.basename)
def test_a_page_says_what_which_how_what_to_see_and_how_to_undo(page):
    """The five headings in this order; every link leads somewhere."""
    headings = re.findall("^## (.+)$", text(page), re.MULTILINE)
    assert [heading.replace("files", "file") for heading in headings] == [
        "What it does",
        "The file",
        "The commands",
        "Expected result",
        "How to undo",
    ]
    for link in re.findall(r"\]\(([^)#]+)", text(page)):
        assert os.path.exists(os.path.join(os.path.dirname(page), link)), link


def test_the_roles_readme_has_each_variable_with_its_default():
    """The table and ``defaults/main.yml`` name the same variables, and the same defaults."""
    role = os.path.join(DEPLOY, "ansible", "roles", "jhpatch")
    defaults = dict(re.findall(r"^(jhpatch_\w+): (.*)$", text(role + "/defaults/main.yml"), re.M))
    table = {}
    for names, values in re.findall(
        r"^\| (`[^|]*) \| ([^|]*) \|", text(role + "/README.md"), re.M
    ):
        found = re.findall(r"`(jhpatch_\w+)`", names)
        table.update(zip(found, re.findall(r"`([^`]*)`", values) + [""] * len(found)))
    assert set(table) == set(defaults)
    for name in set(table) - {"jhpatch_pythons", "jhpatch_runner"}:
        assert table[name] == defaults[name], name
