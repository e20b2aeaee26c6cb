"""The stacks' names, in the two files that have them."""

import configparser
import os

from integration.e2e.stacks import REPOSITORY, STACKS


def test_each_stack_has_an_environment_of_tox_that_runs_by_default() -> None:
    """tox.ini names each stack with the Python that suits it best, and no other stack."""
    tox = configparser.ConfigParser(interpolation=None)
    tox.read(os.path.join(REPOSITORY, "tox.ini"))
    names = {"py%s-%s" % (one.pythons[0].replace(".", ""), one.name) for one in STACKS}
    listed = {name for name in tox["tox"]["env_list"].split() if "-hub" in name}
    assert listed == names


def test_the_pages_for_people_name_what_is_pinned() -> None:
    """CONTRIBUTING.md has a row for each environment, with the hub's and the servers' releases."""
    with open(os.path.join(REPOSITORY, "CONTRIBUTING.md"), encoding="utf-8") as file:
        rows = [line for line in file if line.startswith("| `py") and "-hub" in line]
    assert len(rows) == len(STACKS)
    for row, stack in zip(rows, STACKS):
        assert "-%s`" % stack.name in row
        for distribution in ("jupyterhub",) + stack.servers:
            assert stack.version(distribution) in row, (distribution, row)
