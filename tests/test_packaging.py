"""What pip gets: the sdist, the wheel, and the caps of the ``jupyter`` extra."""

import configparser
import glob
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from typing import Dict, Iterator, NamedTuple, Set

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
def test_sdist_holds_what_a_developer_needs(built):
    """With the sdist alone you can run the tests, build the pages and set your editor up."""
    with tarfile.open(built.sdist) as sdist:
        names = {name.partition("/")[2] for name in sdist.getnames()}
    expected = {
        "%s/%s" % (directory, name)
        for directory in _DEVELOPERS
        for name in _files(os.path.join(ROOT, directory))
        if not name.endswith((".pyc", ".pyo", ".pyd"))
    }
    expected |= set(_DEVELOPERS_FILES)
    assert not expected - names


_DEVELOPERS = (
    *(".github", "benchmarks", "deploy", "docs", "integration", "jhpatch", "patches"),
    *("testing", "tests", "tools"),
)
_DEVELOPERS_FILES = (
    *(".ci/run", ".editorconfig", ".gitattributes", ".gitignore", ".pre-commit-config.yaml"),
    *(".readthedocs.yaml", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "README.md"),
    *("README.zh-CN.md", "SECURITY.md", "mypy.ini", "pyproject.toml", "ruff.toml", "setup.py"),
    "tox.ini",
)


@pytest.mark.slow
@pytest.mark.parametrize(
    "in_sdist, in_wheel",
    [("patches/", "jhpatch/patches/"), ("jhpatch/deployed/", "jhpatch/deployed/")],
)
def test_wheel_and_sdist_hold_the_same_files(built, in_sdist, in_wheel):
    """The patches and the deployed files are the same, byte for byte, in both."""
    from_sdist, from_wheel = {}, {}
    with tarfile.open(built.sdist) as sdist:
        for member in sdist.getmembers():
            name = member.name.partition("/")[2]
            if member.isfile() and name.startswith(in_sdist):
                from_sdist[name[len(in_sdist) :]] = sdist.extractfile(member).read()
    with zipfile.ZipFile(built.wheel) as wheel:
        for name in wheel.namelist():
            if name.startswith(in_wheel):
                from_wheel[name[len(in_wheel) :]] = wheel.read(name)
    assert from_wheel
    assert from_sdist == from_wheel


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
    """setup.py reads the version where the module has it."""
    assert os.path.basename(built.wheel) == "jhpatch-%s-py3-none-any.whl" % __version__


@pytest.mark.slow
@pytest.mark.parametrize("python", ["3.6", "3.11", "3.13"])
def test_jupyter_extra_caps_every_front_end(built, python):
    """In the wheel too: JupyterLab has no patch, but a new one may bring a server that nobody
    has seen. tests/test_newest_releases.py compares setup.py's numbers with the patches.
    """
    extra = _extra(built.wheel, "jupyter", python)
    for name in ("jupyterhub", "notebook", "jupyterlab"):
        assert _bound(extra[name], "<=")


def test_ci_runs_what_the_readme_says():
    """The last line of .ci/run stands in README.md as a line of its own."""
    with open(os.path.join(ROOT, ".ci", "run"), encoding="utf-8") as file:
        command = file.read().splitlines()[-1]
    with open(os.path.join(ROOT, "README.md"), encoding="utf-8") as file:
        assert command in [line.strip() for line in file]


def test_each_python_is_named_everywhere():
    """setup.py, tox and the workflow name the same releases of Python, 3.6 to 3.13."""
    pythons = ["3.%d" % minor for minor in range(6, 14)]
    classifiers = re.findall(r'"Programming Language :: Python :: (3\.\d+)"', _text("setup.py"))
    assert classifiers == pythons
    (row,) = re.findall(r"python: (\[.*\])", _workflow())
    assert json.loads(row) == pythons
    named = re.findall(r"^    py3(\d+)$", _text("tox.ini"), re.M)
    assert sorted("3." + minor for minor in named) == sorted(pythons)
    assert 'python_requires=">=3.6"' in _text("setup.py")


def test_the_workflow_runs_what_tox_runs():
    """Each check of the workflow is an environment of tox.ini, run by the same tox."""
    (row,) = re.findall(r"environment: \[(.*)\]", _workflow())
    environments = row.split(", ")
    tox = _tox()
    assert {"lint", "types", "docs", "release"} <= set(environments)
    assert {"testenv:" + name for name in environments} <= set(tox.sections())
    pins = [re.findall(r"tox>=[^']+", text) for text in (_workflow(), _text("tests/run"))]
    assert pins[0] == pins[1] != []


def test_the_workflow_only_reads():
    """Its token has one permission: to read the repository."""
    assert re.findall(r"^ *permissions:\n(?: +.*\n)+", _workflow(), re.M) == [
        "permissions:\n  contents: read\n"
    ]
    assert "persist-credentials: true" not in _workflow()
    assert _workflow().count("actions/checkout@") == _workflow().count(
        "persist-credentials: false"
    )


def test_pre_commit_runs_what_lint_runs():
    """The hooks are the commands of tox's lint, with the same release of ruff."""
    hooks = _text(".pre-commit-config.yaml")
    lint = _tox()["testenv:lint"]
    assert re.findall("entry: (.*)", hooks) == lint["commands"].split("\n")[1:]
    pins = set(re.findall(r"ruff==[\d.]+", hooks))
    assert pins == set(re.findall(r"ruff==[\d.]+", lint["deps"])) != set()


def test_the_pages_are_built_with_the_same_packages():
    """tox and Read the Docs install docs/requirements.txt."""
    assert _tox()["testenv:docs"]["deps"] == "-r docs/requirements.txt"
    assert "- requirements: docs/requirements.txt\n" in _text(".readthedocs.yaml")


@pytest.mark.slow
@pytest.mark.skipif(
    not shutil.which("git") or not os.path.exists(os.path.join(ROOT, ".git")),
    reason="takes git and a repository",
)
def test_a_clone_that_converts_line_ends_is_whole(tmp_path):
    """With core.autocrlf, as on Windows, each file has the bytes that were committed."""
    clone = str(tmp_path / "clone")
    _run("git", "clone", "-q", "-c", "core.autocrlf=true", ROOT, clone, cwd=str(tmp_path))
    ends = _run("git", "ls-files", "--eol", cwd=clone).splitlines()
    assert not [line for line in ends if "w/crlf" in line or "w/mixed" in line]
    _run(sys.executable, "-m", "jhpatch", "lint", cwd=clone)
    assert not _run("git", "status", "--porcelain", cwd=clone)


def _text(name: str) -> str:
    with open(os.path.join(ROOT, name), encoding="utf-8") as file:
        return file.read()


def _workflow() -> str:
    return _text(".github/workflows/tests.yml")


def _tox() -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_string(_text("tox.ini"))
    return parser


def _files(root: str, *endings: str) -> Set[str]:
    return {
        os.path.relpath(os.path.join(folder, name), root)
        for folder, _, names in os.walk(root)
        for name in names
        if name.endswith(endings or "")
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
