"""Each place that names the newest releases names those of the patch catalog."""

import re
import runpy
import sys
import types
from typing import Dict, List, Tuple

import pytest
from packaging.requirements import Requirement

from integration.e2e.stacks import STACKS
from integration.releases.table import RELEASES
from jhpatch.patchset import catalog, versions
from jhpatch.patchset.edition import normalized
from testing import ROOT
from testing.pages import commands, text_of

EDITIONS = catalog.editions([catalog.own_patch_dir()])


def newest(distribution: str) -> str:
    """The newest release of a distribution that a patch file is for."""
    highs = [
        row.high
        for edition in EDITIONS
        if edition.distribution == distribution and edition.changes
        for row in edition.ranges
    ]
    return max(highs, key=versions.key)


NEWEST = {name: newest(name) for name in RELEASES}
ON_PAGES = ("jupyterhub", "jupyter_server")
"""The distributions whose newest release is patched: notebook 7 needs no patch."""


def test_the_table_of_releases():
    """integration/releases/table.py ends with them."""
    assert {name: known[-1] for name, known in RELEASES.items()} == NEWEST


@pytest.mark.parametrize("name", ON_PAGES)
def test_the_newest_stack(name):
    """integration/e2e/stacks.py pins them in its last stack."""
    assert STACKS[-1].version(name) == NEWEST[name]


def test_the_newest_stack_is_what_pip_installs():
    """It pins the caps of the extra ``jupyter``."""
    extra = of_extra("3.11")
    names = ("jupyterhub", "jupyter_server", "notebook", "jupyterlab")
    assert {name: STACKS[-1].version(name) for name in names} == {
        name: bound(extra[name], "<=") for name in names
    }


@pytest.mark.parametrize("page, to", [("README.md", "to"), ("README.zh-CN.md", "到")])
@pytest.mark.parametrize("name", sorted(NEWEST))
def test_the_tables_of_the_readme(page, to, name):
    """A row names the first and the newest release."""
    row = "| %s | %s %s %s |" % (name, RELEASES[name][0], to, NEWEST[name])
    assert row in text_of(page)


@pytest.mark.parametrize("page", ["README.md", "README.zh-CN.md"])
def test_the_stacks_of_the_readme(page):
    """The sentence below the table names the oldest stack and the newest one."""
    text = text_of(page)
    (sentence,) = re.findall(r"JupyterHub 0\.8\.1.*?KDC", text, re.DOTALL)
    named = re.findall(r"JupyterHub ([\d.]+\d)|jupyter_server ([\d.]+\d)", sentence)
    last = tuple(hub or server for hub, server in named)[-2:]
    assert last == tuple(NEWEST[name] for name in ON_PAGES)


def test_the_limits_of_an_upgrade():
    """docs/upgrade.md has them in its commands for pip, but for a hub with Python 3.6."""
    lines = [line for line in commands("docs/upgrade.md") if "--python-version 3.6" not in line]
    limits = re.findall(r"'(\w+)<=([\d.]+)'", "\n".join(lines))
    assert dict(limits) == {name: NEWEST[name] for name in ON_PAGES}


def test_the_newest_row_of_the_stacks():
    """CONTRIBUTING.md's row of the newest stack has them."""
    (row,) = re.findall(r"^\| `\w+-%s` .*$" % STACKS[-1].name, text_of("CONTRIBUTING.md"), re.M)
    cells = [cell.strip() for cell in row.split("|")]
    assert cells[2:4] == [NEWEST["jupyterhub"], "jupyter_server " + NEWEST["jupyter_server"]]


# The extra ``jupyter``.


def extras_of_setup() -> Dict[str, List[str]]:
    """The extras that setup.py passes to setuptools, which does not run."""
    passed = {}
    stand_in = types.ModuleType("setuptools")
    stand_in.setup = passed.update
    stand_in.find_packages = lambda *arguments, **named: []
    with pytest.MonkeyPatch.context() as patched:
        patched.setitem(sys.modules, "setuptools", stand_in)
        runpy.run_path(ROOT + "/setup.py")
    return passed["extras_require"]


def of_extra(python: str) -> Dict[str, Requirement]:
    """What the extra asks for on a Python, by name as the catalog compares names."""
    rows = [Requirement(text) for text in extras_of_setup()["jupyter"]]
    fitting = [row for row in rows if row.marker.evaluate({"python_version": python})]
    by_name = {normalized(row.name): row for row in fitting}
    assert len(by_name) == len(fitting)
    return by_name


def bound(requirement: Requirement, operator: str) -> str:
    """The one version behind an operator."""
    bounds = [row.version for row in requirement.specifier if row.operator == operator]
    assert len(bounds) == 1, "%s has not one %s" % (requirement, operator)
    return bounds[0]


def bounds_of_extra(python: str) -> Dict[str, Tuple[str, str]]:
    """Floor and cap of each distribution that has patches."""
    names = {edition.distribution for edition in EDITIONS}
    return {
        name: (bound(row, ">="), bound(row, "<="))
        for name, row in of_extra(python).items()
        if name in names
    }


@pytest.mark.parametrize("python", ["3.6", "3.11", "3.13"])
def test_one_edition_fits_floor_and_cap(python):
    """Of each patch of a distribution: no release in between is left out."""
    bounds = bounds_of_extra(python)
    assert {"jupyterhub", "notebook"} <= set(bounds)
    for name, (floor, cap) in bounds.items():
        of_name = [edition for edition in EDITIONS if edition.distribution == name]
        for patch in {edition.patch for edition in of_name}:
            fitting = [row for row in of_name if row.patch == patch and row.fits(cap)]
            assert len(fitting) == 1, "no edition of %s fits %s" % (patch, cap)
            assert fitting[0].fits(floor), "%s does not fit %s" % (fitting[0].name, floor)


@pytest.mark.parametrize("python", ["3.11", "3.13"])
def test_the_caps_reach_the_newest_release(python):
    """pip picks a release that the patches know, up to the newest of them."""
    bounds = bounds_of_extra(python)
    for name, version in NEWEST.items():
        cap = bounds[name][1]
        assert versions.key(version) <= versions.key(cap), "%s is capped below %s" % (
            name,
            version,
        )
