"""Who reinstalls a distribution: the environment that has it, and the tool that owns it."""

import ast
import json
import os
import subprocess
import sys

import pytest

from jhpatch.installer import environment as environments
from jhpatch.installer import reinstall_advice
from jhpatch.installer.distribution import Distribution
from jhpatch.installer.environment import Environment, Site
from jhpatch.report.next_command import Runner
from testing import ROOT
from testing.notebook_site import PAGE, append
from testing.users import ROOT_ONLY
from testing.wheels import CACHE

INFO = "jupyterhub-6.1.1.dist-info"
PIP = "{prefix}/bin/python -I -m pip install --force-reinstall --no-deps jupyterhub==6.1.1"
WORDS = "reinstall jupyterhub==6.1.1 in {site} with "


def tree(prefix, **files):
    """An environment's directories and files."""
    site = prefix / "lib/python3.11/site-packages"
    site.mkdir(parents=True)
    for name, text in files.items():
        path = prefix / name.replace("__", "/").replace("0", "-")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return site


def conda(prefix):
    """What conda records of jupyterhub-base, which has the files of jupyterhub."""
    (prefix / "conda-meta").mkdir()
    row = {"name": "jupyterhub-base", "version": "6.1.1", "build": "pyh_0", "subdir": "noarch"}
    row["channel"] = "https://conda.anaconda.org/conda-forge/noarch"
    row["files"] = ["lib/python3.11/site-packages/%s/METADATA" % INFO]
    path = prefix / "conda-meta/jupyterhub-base-6.1.1-pyh_0.json"
    path.write_text(json.dumps(row))


def has_pip(prefix):
    """pip in the environment."""
    (prefix / "lib/python3.11/site-packages/pip").mkdir()


def managed(prefix):
    """An environment that pip must not change by itself (PEP 668)."""
    has_pip(prefix)
    (prefix / "lib/python3.11/EXTERNALLY-MANAGED").write_text("[externally-managed]\n")


def pipx(prefix):
    """A pipx environment; pipx shares one pip by a .pth file."""
    has_pip(prefix)
    (prefix / "pipx_metadata.json").write_text("{}")


def pixi(prefix):
    """An environment of pixi, which conda does not change."""
    conda(prefix)
    (prefix / "conda-meta/pixi").write_text("{}")


UV = (
    "uv pip install --python {prefix}/bin/python --no-cache --link-mode copy --reinstall --no-deps"
    " jupyterhub==6.1.1"
)
TABLE = [
    ("pip", has_pip, PIP),
    ("pip", None, WORDS + "pip"),
    (None, has_pip, PIP),
    (None, None, WORDS + "the tool that installed it"),
    ("uv", None, UV),
    ("uv", has_pip, UV),
    ("uv", managed, UV.replace("--reinstall", "--break-system-packages --reinstall")),
    ("pip", managed, PIP.replace("--force", "--break-system-packages --force")),
    ("Poetry 1.8.3", has_pip, PIP),
    ("Poetry 1.8.3", None, WORDS + "Poetry 1.8.3"),
    (
        "pip",
        pipx,
        "env PIPX_HOME={above} pipx runpip hub install --force-reinstall --no-deps"
        " jupyterhub==6.1.1",
    ),
    ("uv", pipx, UV),
    (
        "conda",
        conda,
        "conda install --prefix {prefix} --force-reinstall --no-deps"
        " conda-forge::jupyterhub-base=6.1.1=pyh_0",
    ),
    (
        None,
        conda,
        "conda install --prefix {prefix} --force-reinstall --no-deps"
        " conda-forge::jupyterhub-base=6.1.1=pyh_0",
    ),
    ("conda", None, WORDS + "conda"),
    ("conda", pixi, WORDS + "conda"),
    ("rpm", None, "reinstall the RPM package that contains {site}/" + INFO),
]


@pytest.mark.parametrize("installer, prepare, line", TABLE)
def test_the_tool_of_the_environment(tmp_path, installer, prepare, line):
    """Each tool's own command for that environment; words where none can be given."""
    prefix = tmp_path / "venvs/hub"
    site = tree(prefix, bin__python="")
    if prepare:
        prepare(prefix)
    environment = environments.environment_of(str(prefix / "bin/python"))
    own = next(one for one in environment.sites if one.path == str(site))
    hub = Distribution("jupyterhub", "6.1.1", INFO, None, installer)
    step = reinstall_advice.advice(environment, own, [hub])
    wanted = line.format(prefix=prefix, site=site, above=tmp_path)
    assert Runner("/another/python", ("--site", "x")).shown(step) == wanted


def advised(environment, site, installer="pip", **how):
    """The text of the advice for jupyterhub 6.1.1."""
    hub = Distribution("jupyterhub", "6.1.1", INFO, None, installer)
    return Runner("/host").shown(reinstall_advice.advice(environment, site, [hub], **how))


def test_a_site_without_its_python_has_words():
    """--site names no interpreter: that of the host is another environment's."""
    site = Site("/image/site-packages", True)
    alone = Environment(None, site.path, (site,), False)
    assert advised(alone, site) == (
        "reinstall jupyterhub==6.1.1 in /image/site-packages with the tool that installed it (pip)"
    )


def test_a_site_outside_of_the_environment_has_words(tmp_path):
    """Its own Python is not known: a .pth file or a base names only the directory."""
    outside, own = Site(str(tmp_path), False), Site("/env/site-packages", True)
    environment = Environment("/env/bin/python", "/env", (own, outside), False)
    assert advised(environment, outside).startswith("reinstall jupyterhub==6.1.1 in ")


DIGEST = "1" * 64
URLS = [
    (
        {"url": "https://x/j-6.1.1.whl", "archive_info": {"hashes": {"sha256": DIGEST}}},
        "https://x/j-6.1.1.whl#sha256=" + DIGEST,
    ),
    ({"url": "file:///etc/passwd", "archive_info": {}}, "file:///etc/passwd"),
    ({"url": "file:///gone/j.whl", "archive_info": {}}, None),
    (
        {"url": "https://g/j.git", "vcs_info": {"vcs": "git", "commit_id": "abc"}},
        "git+https://g/j.git@abc",
    ),
    ({"url": "file:///src/j", "dir_info": {}}, None),
    ({"url": "https://x/\n; rm", "archive_info": {}}, None),
    ({"url": 7, "archive_info": {}}, None),
    ([], None),
]


@pytest.mark.parametrize("row, where", URLS)
def test_a_distribution_that_was_installed_by_its_url(tmp_path, row, where):
    """It is reinstalled from there (PEP 610): the index can have other bytes of this release."""
    site = tree(tmp_path, bin__python="")
    has_pip(tmp_path)
    (site / INFO).mkdir()
    (site / INFO / "direct_url.json").write_text(json.dumps(row))
    environment = environments.environment_of(str(tmp_path / "bin/python"))
    line = advised(environment, Site(str(site), True))
    wanted = "'jupyterhub @ %s'" % where if where else "jupyterhub==6.1.1"
    assert line.endswith(" --force-reinstall --no-deps " + wanted)


def test_a_user_site(tmp_path):
    """pip installs there with --user, and without -I, which has no user site."""
    (tmp_path / "pip").mkdir()
    site = Site(str(tmp_path), False, is_users=True)
    environment = Environment("/usr/bin/python3", "/usr", (site,), False)
    line = advised(environment, site)
    assert line.startswith("/usr/bin/python3 -m pip install --user ")


def test_copies_in_place_of_symlinks(tmp_path):
    """conda copies the files, so that the next apply changes no cache."""
    site = tree(tmp_path, bin__python="")
    conda(tmp_path)
    environment = environments.environment_of(str(tmp_path / "bin/python"))
    line = advised(environment, Site(str(site), True), "conda", copies=True)
    assert " --no-deps --copy conda-forge::jupyterhub-base" in line


@pytest.mark.parametrize("listed", [True, False])
def test_debians_package(tmp_path, monkeypatch, listed):
    """apt-get reinstalls the package in whose list the files are; else it is words."""
    monkeypatch.setattr(reinstall_advice, "DPKG_DATABASE", str(tmp_path))
    site = Site("/usr/lib/python3/dist-packages", True)
    info = "jupyter_server-2.21.1.dist-info"
    if listed:
        lines = f"/.\n{site.path}/{info}\n{site.path}/{info}/METADATA\n"
        (tmp_path / "python3-jupyter-server.list").write_text(lines)
    environment = Environment("/usr/bin/python3", "/usr", (site,), False)
    server = Distribution("jupyter_server", "2.21.1", info, None, None)
    line = Runner().shown(reinstall_advice.advice(environment, site, [server]))
    if listed:
        assert line.endswith("apt-get install --reinstall python3-jupyter-server")
        assert line.startswith("sudo ") == bool(os.geteuid())
    else:
        assert line.startswith("reinstall jupyter_server==2.21.1 in " + site.path)


@ROOT_ONLY
def test_root_runs_no_interpreter_of_another_user(tmp_path):
    """For a user's environment, root's command runs as that user, with their home."""
    site = tree(tmp_path / "env", bin__python="")
    has_pip(tmp_path / "env")
    subprocess.run(["chown", "-R", "nobody", str(tmp_path / "env")], check=True)
    environment = environments.environment_of(str(tmp_path / "env/bin/python"))
    line = advised(environment, Site(str(site), True))
    assert " runuser -u nobody -- %s/env/bin/python -I -m pip " % tmp_path in line
    assert line.startswith("env HOME=")
    subprocess.run(["chown", "-R", "4242424", str(tmp_path / "env")], check=True)
    assert advised(environment, Site(str(site), True)).startswith("reinstall ")


@pytest.mark.slow
@pytest.mark.skipif(sys.version_info < (3, 7), reason="pip 24.0 needs Python 3.7")
def test_the_command_of_pip_repairs_the_site(tmp_path, make_site, jhpatch):
    """Typed as printed, it gives an edited file its release's bytes; apply then succeeds."""
    env = make_site(tmp_path, [("notebook", "5.7.9"), ("pip", "24.0")])
    append(env, PAGE)
    line = jhpatch(env, "apply").error["next"].split("; then ")[1].partition(";")[0]
    assert line.startswith(env.python + " -I -m pip install ")
    environ = dict(os.environ, PIP_NO_INDEX="1", PIP_FIND_LINKS=CACHE)
    subprocess.run(line, shell=True, cwd="/", env=environ, check=True, stdout=subprocess.DEVNULL)
    assert jhpatch(env, "apply").code == 0


def test_an_edited_site_of_an_image_does_not_name_the_host(tmp_path, make_site, jhpatch):
    """The next step of a refusal for --site has no Python of this host."""
    env = make_site(tmp_path, [("notebook", "5.7.9")], slim=True)
    append(env, PAGE)
    answer = jhpatch(None, "apply", "--site", env.site)
    reinstall = answer.error["next"].split("; then ")[1]
    assert reinstall.startswith("reinstall notebook==5.7.9 in %s with " % env.site)
    assert "python" not in reinstall.partition(";")[0].replace(env.site, "")


def _text(node):
    """The value of a string literal: a Str until Python 3.7."""
    if type(node).__name__ == "Str":
        return node.s
    return node.value if type(node).__name__ == "Constant" else None


def test_no_other_module_builds_a_reinstallation():
    """The options of pip, uv, conda and apt that reinstall stand in one module alone."""
    options = {"--force-reinstall", "--reinstall"}
    found = set()
    for directory, _, names in os.walk(os.path.join(ROOT, "jhpatch")):
        for name in names:
            path = os.path.join(directory, name)
            if name.endswith(".py"):
                with open(path, encoding="utf-8") as file:
                    nodes = ast.walk(ast.parse(file.read()))
                texts = set(filter(None, map(_text, nodes)))
                if any(text in options for text in texts):
                    found.add(os.path.relpath(path, os.path.join(ROOT, "jhpatch")))
    assert found == {"installer/reinstall_advice.py"}
