"""notebook 5.7.9 in a site: what its patches change, and what others do to it."""

import os
import shutil
import subprocess
import sys
from typing import Any, Callable, Dict

import pytest

from jhpatch.patchset.additions import SETS
from testing import ROOT
from testing.commands import Answer, die_between_modules
from testing.sites import Environment
from testing.trees import times

RELEASE = ("notebook", "5.7.9")
OPEN, SAVE = "notebook/kerberos-open", "notebook/kerberos-save"
PAGE = "notebook/notebook/handlers.py"
CONTENTS = "notebook/services/contents/handlers.py"
HELPERS = ["notebook/_jhpatch_kerberos/" + name for name, _ in SETS["kerberos-server"]]
HELPER = HELPERS[-1]
INFO = "notebook-5.7.9.dist-info"
RECORD = INFO + "/RECORD"


@pytest.fixture
def env(tmp_path: Any, make_site: Callable[..., Environment]) -> Environment:
    """notebook 5.7.9, as pip installed it: two patches that share RECORD and the helper."""
    return make_site(tmp_path, [RELEASE], slim=True)


def path(env: Environment, name: str) -> str:
    """The path of a file of the site."""
    return os.path.join(env.site, name)


def data(env: Environment, name: str) -> bytes:
    """The bytes of a file of the site."""
    with open(path(env, name), "rb") as file:
        return file.read()


def append(env: Environment, name: str, text: bytes = b"# edited\n") -> None:
    """Add text to a file of the site."""
    with open(path(env, name), "ab") as file:
        file.write(text)


def reinstall(
    env: Environment,
    make_site: Callable[..., Environment],
    tmp_path: Any,
    helper_stays: bool = False,
    version: str = "5.7.9",
) -> None:
    """Install a release over the site, as a package manager does; conda leaves the helper."""
    fresh = make_site(tmp_path, [("notebook", version)], name="fresh-" + version, slim=True)
    for name in os.listdir(env.site):
        if name.startswith("notebook-"):
            shutil.rmtree(path(env, name))
    helper, kept = path(env, os.path.dirname(HELPER)), str(tmp_path / "kept")
    if helper_stays:
        shutil.copytree(helper, kept)
    shutil.rmtree(path(env, "notebook"))
    for name in os.listdir(fresh.site):
        if name.startswith("notebook"):
            shutil.copytree(os.path.join(fresh.site, name), path(env, name))
    if helper_stays:
        shutil.copytree(kept, helper)


def rename_release(env: Environment, version: str, installed: str = "5.7.9") -> None:
    """Give the installed bytes the number of another release."""
    info = path(env, "notebook-%s.dist-info" % installed)
    with open(os.path.join(info, "METADATA"), encoding="utf-8") as file:
        text = file.read()
    with open(os.path.join(info, "METADATA"), "w", encoding="utf-8") as file:
        file.write(text.replace("Version: " + installed, "Version: " + version, 1))
    os.rename(info, path(env, "notebook-%s.dist-info" % version))


@pytest.fixture(scope="session")
def other_jhpatch(tmp_path_factory: Any) -> Callable[..., None]:
    """Run a copy of jhpatch with an older helper: ``other_jhpatch("9.9.9", "apply", …)``.

    The copy has that version number; each is made once.
    """
    made: Dict[str, str] = {}

    def call(version: str, *arguments: str) -> None:
        if version not in made:
            made[version] = str(tmp_path_factory.mktemp("jhpatch-" + version))
            _copy_jhpatch(made[version], version)
        argv = [sys.executable, "-m", "jhpatch"] + list(arguments)
        subprocess.run(argv, cwd=made[version], check=True, stdout=subprocess.DEVNULL)

    return call


def _copy_jhpatch(directory: str, version: str) -> None:
    for name in ("jhpatch", "patches"):
        shutil.copytree(os.path.join(ROOT, name), os.path.join(directory, name))
    shutil.copy(os.path.join(ROOT, "setup.py"), directory)
    with open(os.path.join(directory, "jhpatch/deployed/kerberos/server_face.py"), "ab") as file:
        file.write(b"\n# an older helper\n")
    path = os.path.join(directory, "jhpatch/__init__.py")
    with open(path) as file:
        text = file.read()
    with open(path, "w") as file:
        file.write(text.replace("0.1.0", version))


def die_during_apply(env: Environment) -> None:
    """Leave the site as an apply leaves it that is killed between its two modules."""
    die_between_modules("apply", "--python", env.python)


def unchanged(jhpatch: Callable[..., Answer], env: Environment, *commands: Any) -> Answer:
    """Run ``(code, arguments…)``, which must change nothing; return the last answer."""
    before = times(env.site)
    for code, *arguments in commands:
        answer = jhpatch(env, *arguments)
        assert answer.code == code, (arguments, answer)
        if arguments == ["status"]:
            dry = jhpatch(env, "apply", "--dry-run")
            assert answer.document["would_change"] == dry.document["would_change"], dry
    assert times(env.site) == before
    return answer
