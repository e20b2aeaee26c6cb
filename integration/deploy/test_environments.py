"""Environments that real tools make, and the command that reinstalls an edited distribution.

uv, pipx, Poetry and virtualenv come from the package index, once, and stay beside the wheels.
conda and dpkg are not run: ``tests/installer/test_reinstall_advice.py`` has their layouts.
"""

import json
import os
import subprocess
import sys

import pytest

from testing.commands import typed
from testing.index import made_wheel
from testing.packages import KINDS, put_patch
from testing.wheels import CACHE

NAME = "with_script"
PATH = NAME + "/__init__.py"


@pytest.fixture(scope="session")
def tools():
    """The directory with the programs of the tools."""
    version = "%d.%d" % sys.version_info[:2]
    top = os.path.join(CACHE, "tools", "environments-" + version)
    if not os.path.exists(os.path.join(top, "done")):
        subprocess.run([sys.executable, "-m", "venv", "--clear", top], check=True)
        pip = [top + "/bin/python", "-m", "pip", "install", "--quiet"]
        # pipx shares the newest pip between its environments.
        download = [*pip[:3], "download", "--quiet", "--no-deps", "--dest", top + "/wheels", "pip"]
        for argv in (pip + ["uv", "virtualenv", "pipx", "poetry"], download):
            if subprocess.run(argv).returncode:
                pytest.skip("pip cannot bring the tools")
        open(os.path.join(top, "done"), "w").close()
    return os.path.join(top, "bin")


class World:
    """Wheels, and a shell that has the tools and no index."""

    def __init__(self, tools, top):
        self.top, self.wheels = str(top), str(top / "wheels")
        self.wheel = made_wheel(self.wheels, NAME, "1.0", KINDS[NAME])
        self.environ = {
            "PATH": tools + ":" + os.defpath,
            "HOME": self.top,
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": "%s %s/../wheels" % (self.wheels, tools),
            "UV_OFFLINE": "1",
            "UV_FIND_LINKS": self.wheels,
            "UV_PYTHON_DOWNLOADS": "never",
            "POETRY_VIRTUALENVS_IN_PROJECT": "true",
        }

    def run(self, line, directory="/", **environ):
        """Type a line into a shell."""
        done = subprocess.run(
            line,
            shell=True,
            cwd=directory,
            env=dict(self.environ, **environ),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        assert done.returncode == 0, done.stdout.decode()


def virtualenv(world, name):
    """virtualenv brings pip."""
    prefix = "%s/%s" % (world.top, name)
    world.run("virtualenv --quiet --python %s %s" % (sys.executable, prefix))
    world.run("%s/bin/python -m pip install %s" % (prefix, NAME))
    return prefix


def uv(world, name):
    """uv makes environments without pip."""
    prefix = "%s/%s" % (world.top, name)
    world.run("uv venv --python %s %s" % (sys.executable, prefix))
    world.run("uv pip install --python %s/bin/python %s" % (prefix, NAME))
    return prefix


def pipx_with(backend):
    """pipx shares one pip between its environments, or has uv."""

    def make(world, name):
        home = "%s/%s" % (world.top, name)
        environ = {"PIPX_HOME": home, "PIPX_BIN_DIR": home + "-bin"}
        environ["PIPX_DEFAULT_BACKEND"] = backend
        world.run("pipx install --python %s %s" % (sys.executable, NAME), **environ)
        return "%s/venvs/%s" % (home, NAME.replace("_", "-"))

    return make


def poetry(world, name):
    """Poetry installs by itself, into ``.venv`` of a project."""
    project = os.path.join(world.top, name)
    os.makedirs(project)
    with open(project + "/pyproject.toml", "w") as file:
        file.write('[project]\nname = "p"\nversion = "1"\n')
        file.write('requires-python = "==%d.%d.*"\n' % sys.version_info[:2])
        file.write('dependencies = ["%s @ file://%s"]\n' % (NAME, world.wheel))
        file.write("[tool.poetry]\npackage-mode = false\n")
    world.run("poetry install", project)
    return project + "/.venv"


TOOLS = {
    "virtualenv": (virtualenv, "pip", "/bin/python -I -m pip install --force-reinstall"),
    "uv": (uv, "uv", "uv pip install --python "),
    "pipx with pip": (pipx_with("pip"), "pip", " pipx runpip with-script install "),
    "pipx with uv": (pipx_with("uv"), "uv", "uv pip install --python "),
    "poetry": (poetry, "Poetry", "/bin/python -I -m pip install --force-reinstall"),
}


@pytest.mark.parametrize("name", sorted(TOOLS))
def test_the_command_repairs_its_environment_alone(tools, tmp_path, name):
    """By the tool that owns the environment; another one of the same tool stays as it is.

    The edit was made in place: of uv, the file in its cache has it, too.
    """
    make, installer, command = TOOLS[name]
    world = World(tools, tmp_path)
    one, two = make(world, "one"), make(world, "two")
    library = "lib/python%d.%d/site-packages/" % sys.version_info[:2]
    with open("%s/%s%s-1.0.dist-info/INSTALLER" % (one, library, NAME)) as file:
        assert file.read().startswith(installer)
    released = KINDS[NAME][PATH]
    edited = released + b"# edited\n"
    for prefix in (one, two):
        with open("%s/%s%s" % (prefix, library, PATH), "wb") as file:
            file.write(edited)
    patches = str(tmp_path / "patches")
    put_patch(patches, NAME + "/x", {PATH: (released, b"# patched\n" + released)})
    words = ["--only-patches", "--patches", patches, "--json", "--python", one + "/bin/python"]
    done = typed("apply", *words)
    assert done.returncode == 5
    line = json.loads(done.stdout.decode())["sites"][0]["error"]["next"].split("; then ")[1]
    assert command in line and str(tmp_path / "one") in line
    assert str(tmp_path / "two") not in line and sys.executable not in line
    world.run(line)
    assert typed("apply", *words).returncode == 0
    with open("%s/%s%s" % (two, library, PATH), "rb") as file:
        assert file.read() == edited
