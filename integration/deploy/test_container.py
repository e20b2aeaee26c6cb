"""The Containerfile: linted, and its lines run in a folder that stands for the image.

No container engine: the instructions are read as one reads them, RUN's lines run by the same
shell, and ``/opt/jhpatch`` lies in the folder. What a real image has besides is not tested.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from typing import Dict, List, Tuple

import pytest

from integration.deploy.recipes import DEPLOY, beside, ran
from testing.pages import commands
from testing.trees import tree
from testing.wheels import CACHE, fetched_wheel

FILE = os.path.join(DEPLOY, "container", "Containerfile")
SERVER = ("jupyter_server", "2.21.1")
HANDLERS = "jupyter_server/services/contents/handlers.py"


def instructions() -> List[Tuple[str, str]]:
    """Each instruction of the file and its words, with lines that are continued made one."""
    with open(FILE) as file:
        text = re.sub("^#.*\n", "", file.read(), flags=re.MULTILINE).replace("\\\n", " ")
    lines = [line.split(None, 1) for line in text.splitlines() if line.strip()]
    return [(name, words) for name, words in lines]


def built(root: str, wheels: str, **arguments: str) -> Tuple[int, str]:
    """Builds into ``root``, with ``--build-arg``s; gives the first exit code that is not 0."""
    values: Dict[str, str] = {}
    text = ""
    for name, words in instructions():
        if name == "ARG":
            key, _, default = words.partition("=")
            values[key] = arguments.get(key, default)
        elif name == "COPY":
            assert words == "wheels/ /opt/jhpatch/wheels/"
            shutil.copytree(wheels, root + "/opt/jhpatch/wheels")
        elif name == "RUN":
            line = words.replace("/opt/jhpatch", root + "/opt/jhpatch")
            done = subprocess.run(
                ["/bin/sh", "-c", line],
                cwd=root,
                env=dict(values, PATH=os.defpath, HOME=root),
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
            )
            text += done.stdout.decode()
            if done.returncode:
                return done.returncode, text
        else:
            assert name in ("FROM", "USER"), name
    return 0, text


@pytest.fixture
def image(tmp_path, make_site):
    """An image's folder with pip and a notebook server."""
    return make_site(tmp_path, [SERVER, ("pip", "24.0")], name="image", slim=True)


def test_a_build_leaves_a_patched_server_and_no_jhpatch(image, wheelhouse, jhpatch_at):
    """After the build the patch is applied, and the tool and its wheels are gone."""
    before = set(os.listdir(image.site))
    code, text = built(image.prefix, wheelhouse, PYTHON=image.python)
    assert code == 0, text
    assert set(os.listdir(image.site)) - before == {".jhpatch"}
    assert os.listdir(image.prefix + "/opt") == []
    assert "applied" in jhpatch_at(image, "status")


def test_a_build_stops_where_a_file_was_edited(image, wheelhouse):
    """Exit code 5 ends the build with the reason, and nothing is changed."""
    with open(os.path.join(image.site, HANDLERS), "a") as file:
        file.write("# edited\n")
    before = tree(image.site)
    code, text = built(image.prefix, wheelhouse, PYTHON=image.python)
    assert code == 5 and HANDLERS in text, text
    assert tree(image.site) == before


def test_the_user_at_the_end_is_not_root():
    """The last USER is who the container runs as, by default 1000."""
    users = [words for name, words in instructions() if name == "USER"]
    assert users == ["0", "${RUN_AS}"]
    assert ("ARG", "RUN_AS=1000") in instructions()


def test_the_file_is_in_the_form_that_hadolint_wants():
    """hadolint has nothing to say."""
    assert ran(beside("hadolint"), "--no-color", FILE) == ""


def test_an_image_is_patched_and_reverted_from_outside(tmp_path, runner):
    """The page's ``--site`` line on a folder that ``pip install --root`` has filled."""
    fetched_wheel(*SERVER)
    image = str(tmp_path / "image")
    where = ["--no-index", "--find-links", CACHE, "--no-deps", "--ignore-installed"]
    place = ["--root", image, "--prefix", "/opt/conda", "--no-compile", "--ignore-requires-python"]
    ran(sys.executable, "-m", "pip", "install", "-q", *where, *place, "%s==%s" % SERVER)
    minor = "python%d.%d" % sys.version_info[:2]
    site = "%s/opt/conda/lib/%s/site-packages" % (image, minor)
    before = tree(site)
    lines = [line for line in commands("docs/deploy/container.md") if "--site" in line]
    lines = [line.replace("python3.12", minor).partition("python ")[2] for line in lines]
    apply, revert = ('image="$1"; "$2" -I ' + line for line in lines)
    ran("/bin/sh", "-c", apply, "sh", image, runner.python)
    status = [runner.python, "-I", "-m", "jhpatch", "status", "--json", "--site", site]
    (found,) = json.loads(ran(*status))["sites"]
    states = {one["patch"]: one["state"] for one in found["patches"]}
    assert states["jupyter_server/kerberos-contents"] == "applied"
    ran("/bin/sh", "-c", revert, "sh", image, runner.python)
    assert tree(site) == before
