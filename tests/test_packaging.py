"""What pip gets: the sdist, the wheel, and the requirements of the ``jupyter`` extra."""

import glob
import json
import os
import re
import subprocess
import sys
import tarfile
import zipfile
from typing import Dict, Iterator, List, NamedTuple, Set

import pytest
from packaging.requirements import Requirement

from jhpatch import __version__
from jhpatch.patchset import catalog
from jhpatch.patchset.edition import normalized
from testing import ROOT, checkout

PATCHES = os.path.join(ROOT, "patches")


class Built(NamedTuple):
    """The two files that a release consists of."""

    sdist: str
    wheel: str


@pytest.fixture(scope="session")
def built(tmp_path_factory) -> Built:
    """An sdist of the checkout, and the wheel that is built from that sdist."""
    folder = str(tmp_path_factory.mktemp("build"))
    source, out = checkout.copy(os.path.join(folder, "source")), os.path.join(folder, "out")
    _run(sys.executable, "-m", "build", "--outdir", out, source, cwd=folder)
    (sdist,), (wheel,) = glob.glob(out + "/*.tar.gz"), glob.glob(out + "/*.whl")
    return Built(sdist, wheel)


@pytest.mark.slow
def test_wheel_holds_the_modules_and_the_patches(built):
    """A wheel that went through an sdist has each module and patch, byte for byte."""
    expected = {"jhpatch/" + name for name in _files(os.path.join(ROOT, "jhpatch"), ".py")}
    expected |= {"jhpatch/" + name for name in _files(os.path.join(ROOT, "jhpatch"), ".png")}
    expected |= {"jhpatch/completions/jhpatch." + shell for shell in ("bash", "zsh", "fish")}
    expected |= {"jhpatch/patches/" + name for name in _files(PATCHES, ".patch", ".md")}
    assert any(name.endswith(".patch") for name in expected)
    with zipfile.ZipFile(built.wheel) as wheel:
        shipped = {name for name in wheel.namelist() if ".dist-info/" not in name}
        assert shipped == expected
        for name in shipped:
            source = name[len("jhpatch/") :] if name.startswith("jhpatch/patches/") else name
            with open(os.path.join(ROOT, source), "rb") as file:
                assert wheel.read(name) == file.read(), name
        licences = [name for name in wheel.namelist() if name.endswith("LICENSE")]
        assert len(licences) == 1


@pytest.mark.slow
def test_sdist_holds_what_the_tests_need(built):
    """With the sdist alone the tests can be run and the pages read."""
    with tarfile.open(built.sdist) as sdist:
        names = {name.partition("/")[2] for name in sdist.getnames()}
    expected = {
        "%s/%s" % (top, name)
        for top in ("tests", "testing", "integration")
        for name in _files(os.path.join(ROOT, top), ".py", ".jsonl", ".conf", ".json")
    }
    expected |= {"patches/" + name for name in _files(PATCHES, ".patch", ".md")}
    recipes = (".yml", ".md", ".py", "Containerfile", ".conf", "upgrade", "update")
    expected |= {"deploy/" + name for name in _files(os.path.join(ROOT, "deploy"), *recipes)}
    expected |= {"docs/" + name for name in _files(os.path.join(ROOT, "docs"), ".md", ".json")}
    expected |= {
        ".ci/run",
        "tests/run",
        "tox.ini",
        "ruff.toml",
        "mypy.ini",
        "pyproject.toml",
        "setup.py",
    }
    expected |= {"LICENSE", "README.md", "CONTRIBUTING.md", "CHANGELOG.md"}
    assert expected <= names


@pytest.mark.slow
@pytest.mark.parametrize("kind", Built._fields)
def test_works_installed_outside_the_checkout(built, tmp_path, kind):
    """From the wheel as from the sdist, both commands list every patch of the checkout."""
    venv = str(tmp_path / "venv")
    _run(sys.executable, "-m", "venv", venv, cwd=str(tmp_path))
    python, script = (os.path.join(venv, "bin", name) for name in ("python", "jhpatch"))
    _run(python, "-m", "pip", "install", "--quiet", getattr(built, kind), cwd=str(tmp_path))
    listed = _run(python, "-m", "jhpatch", "list", "--json", cwd=str(tmp_path))
    assert json.loads(listed)["exit_code"] == 0
    table = _run(script, "list", cwd=str(tmp_path))
    for edition in catalog.editions([PATCHES]):
        assert edition.patch in listed
        assert edition.patch in table
    if not glob.glob(venv + "/lib/*/site-packages/jhpatch-*.dist-info"):
        return  # pip without wheel makes an egg-info of an sdist: no RECORD
    _run(script, "lint", "--installed", cwd=str(tmp_path))
    (patch,) = glob.glob(venv + "/lib/*/site-packages/jhpatch/patches/jupyterhub/6.1.0-*.patch")
    with open(patch, "ab") as file:
        file.write(b"\n")
    done = subprocess.run([script, "lint", "--installed"], stdout=subprocess.PIPE)
    assert done.returncode == 3 and patch in done.stdout.decode()


@pytest.mark.slow
def test_version_is_the_modules(built):
    """The wheel has the version of jhpatch/__init__.py."""
    assert os.path.basename(built.wheel) == "jhpatch-%s-py3-none-any.whl" % __version__


@pytest.mark.slow
@pytest.mark.parametrize("python", ["3.6", "3.11", "3.13"])
def test_jupyter_extra_stays_within_the_patches(built, python):
    """pip picks a release that the patches know, up to the newest of them.

    The same edition of each patch fits the floor and the cap: no release in between is left
    out.
    """
    editions = catalog.editions([PATCHES])
    extra = _extra(built.wheel, "jupyter", python)
    bounds = {
        name: (_bound(one, ">="), _bound(one, "<="))
        for name, one in extra.items()
        if name in {edition.distribution for edition in editions}
    }
    assert {"jupyterhub", "notebook"} <= set(bounds)
    for name, (floor, cap) in bounds.items():
        of_name = [edition for edition in editions if edition.distribution == name]
        for patch in {edition.patch for edition in of_name}:
            fitting = [one for one in of_name if one.patch == patch and one.fits(cap)]
            assert len(fitting) == 1, "no edition of %s fits %s" % (patch, cap)
            assert fitting[0].fits(floor), "%s does not fit %s" % (fitting[0].name, floor)
    if python != "3.6":
        for edition in editions:
            for newest in (one.high for one in edition.ranges if one.high):
                cap = bounds[edition.distribution][1]
                assert _key(newest) <= _key(cap), "%s is capped below %s" % (cap, newest)


@pytest.mark.slow
@pytest.mark.parametrize("python", ["3.6", "3.11", "3.13"])
def test_jupyter_extra_caps_every_front_end(built, python):
    """JupyterLab, which has no patch, is capped as the servers are."""
    extra = _extra(built.wheel, "jupyter", python)
    for name in ("jupyterhub", "notebook", "jupyterlab"):
        assert _bound(extra[name], "<=")


def test_ci_runs_what_the_readme_says():
    """The last line of .ci/run stands in README.md as a line of its own."""
    with open(os.path.join(ROOT, ".ci", "run"), encoding="utf-8") as file:
        command = file.read().splitlines()[-1]
    with open(os.path.join(ROOT, "README.md"), encoding="utf-8") as file:
        assert command in [line.strip() for line in file]


def _files(root: str, *endings: str) -> Set[str]:
    return {
        os.path.relpath(os.path.join(folder, name), root)
        for folder, _, names in os.walk(root)
        for name in names
        if name.endswith(endings)
    }


def _run(*command: str, cwd: str) -> str:
    done = subprocess.run(command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    out, err = done.stdout.decode(), done.stderr.decode()
    assert done.returncode == 0, "%s\n%s\n%s" % (" ".join(command), out, err)
    return out


def _extra(wheel: str, extra: str, python: str) -> Dict[str, Requirement]:
    """What an extra asks for on a Python, by name as the catalog compares names."""
    environment = {"extra": extra, "python_version": python, "python_full_version": python + ".0"}
    found = list(_requirements(wheel, environment))
    names = [normalized(one.name) for one in found]
    assert len(set(names)) == len(names)
    return dict(zip(names, found))


def _requirements(wheel: str, environment: Dict[str, str]) -> Iterator[Requirement]:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        metadata = archive.read(name).decode("utf-8")
    for line in re.findall("^Requires-Dist: (.*)$", metadata, re.MULTILINE):
        one = Requirement(line)
        if "extra" in str(one.marker) and one.marker.evaluate(environment):
            yield one


def _bound(requirement: Requirement, operator: str) -> str:
    bounds = [one.version for one in requirement.specifier if one.operator == operator]
    assert len(bounds) == 1, "%s has not one %s" % (requirement, operator)
    return bounds[0]


def _key(version: str) -> List[int]:
    return [int(number) for number in version.split(".")]
