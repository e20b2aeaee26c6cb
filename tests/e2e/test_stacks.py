"""The stacks' names, in the two files that have them."""

import configparser
import os

from tests.e2e.stacks import REPOSITORY, STACKS


def test_each_stack_has_an_environment_of_tox_that_runs_by_default() -> None:
    """tox.ini names each stack with the Python that suits it best, and no other stack."""
    tox = configparser.ConfigParser(interpolation=None)
    tox.read(os.path.join(REPOSITORY, "tox.ini"))
    names = {"py%s-%s" % (one.pythons[0].replace(".", ""), one.name) for one in STACKS}
    listed = {name for name in tox["tox"]["env_list"].split() if "-hub" in name}
    assert listed == names
