"""Small packages of several kinds, as wheels, and environments into which pip installed them."""

import os
import shutil
from typing import Any, Callable, Dict, Iterator, NamedTuple

import pytest

from testing.index import made_wheel
from testing.sites import Environment, make_environment
from testing.wheels import run_pip

LONG = b"".join(b"line_%d = %d\n" % (number, number) for number in range(40))
EDITED = LONG.replace(b"line_9 = 9\n", b"line_9 = 99\n")
KINDS: Dict[str, Dict[str, bytes]] = {
    "pure": {"pure/__init__.py": b"", "pure/a.py": LONG, "pure/b.py": LONG},
    "name_space": {"spaces/one/__init__.py": b"", "spaces/one/a.py": LONG},
    "single": {"single.py": LONG},
    "with_data": {
        "with_data/__init__.py": b"",
        "with_data/a.py": LONG,
        "with_data/templates/page.html": b"<html>\nhello\n</html>\n",
        "with_data-1.0.data/data/share/with_data/login.html": b"<h1>\n",
        "with_data-1.0.data/purelib/with_data/more.py": LONG,
    },
    "with_script": {
        "with_script/__init__.py": b"def main():\n    print('before')\n",
        "with_script-1.0.dist-info/entry_points.txt": (
            b"[console_scripts]\nws = with_script:main\n"
        ),
    },
    "extension": {
        "extension/__init__.py": b"from extension import a\n",
        "extension/a.py": LONG,
        "extension/_fast.so": b"\x7fELF\0\0\0",
    },
    "awkward": {
        "awkward/__init__.py": b"VALUE = 1\n",
        "awkward/long.py": LONG,
        "awkward/crlf.py": LONG.replace(b"\n", b"\r\n"),
        "awkward/open.py": b"A = 1\nB = 2",
        "awkward/latin.py": b"# -*- coding: latin-1 -*-\nNAME = 'caf\xe9'\nA = 1\n",
        "awkward/gone.py": b"A = 1\n",
        "awkward/empty.txt": b"",
        "awkward/filled.txt": b"one\n",
        "awkward/data/my file.txt": b"one\ntwo\n",
        "awkward/caf\u00e9.txt": b"one\n",
    },
}
"""The files of release 1.0 of each distribution."""


class Packages(NamedTuple):
    """Environments with these distributions, and their wheels."""

    directory: str
    wheels: str

    def wheel(self, name: str, version: str = "1.0") -> str:
        """Return the path of a wheel."""
        return os.path.join(self.wheels, "%s-%s-py3-none-any.whl" % (name, version))


@pytest.fixture(scope="session")
def packages(tmp_path_factory: Any) -> Packages:
    """Wheels of ``KINDS``, installed by pip into one environment, once."""
    directory = str(tmp_path_factory.mktemp("packages"))
    wheels = os.path.join(directory, "wheels")
    for name, files in KINDS.items():
        made_wheel(wheels, name, "1.0", files)
    env = make_environment(os.path.join(directory, "env"))
    run_pip(
        *"install --no-index --no-deps --no-compile --no-warn-script-location".split(),
        *["--ignore-installed", "--prefix", env.prefix, "--find-links", wheels],
        *sorted(KINDS),
    )
    return Packages(directory, wheels)


@pytest.fixture
def new_env(packages: Packages, tmp_path: Any) -> Iterator[Callable[[str], Environment]]:
    """Copy that environment: ``new_env("one")``."""
    source = os.path.join(packages.directory, "env")

    def call(name: str) -> Environment:
        prefix = str(tmp_path / name)
        shutil.copytree(source, prefix, symlinks=True)
        site = os.path.join(prefix, "lib", os.listdir(os.path.join(prefix, "lib"))[0])
        return Environment(prefix, site + "/site-packages", os.path.join(prefix, "bin", "python"))

    yield call


@pytest.fixture
def create(jhpatch: Any, packages: Packages, tmp_path: Any) -> Callable[..., Any]:
    """Run ``create`` of ``pure/try``, with the release's wheel: ``create(env, …)``."""

    def call(env: Any, *arguments: str) -> Any:
        words = ["--patches", str(tmp_path / "p"), "--wheel", packages.wheel("pure")]
        return jhpatch(env, "create", "pure/try", "--description", "d", *words, *arguments)

    return call


def write(env: Environment, path: str, data: bytes) -> None:
    """Write a file of a site, in a new directory if it has none."""
    target = os.path.join(env.site, path)
    os.makedirs(os.path.dirname(target), exist_ok=True)
    with open(target, "wb") as file:
        file.write(data)


def edit(env: Environment, path: str, old: bytes, new: bytes) -> None:
    """Replace bytes in a file of a site, once."""
    with open(os.path.join(env.site, path), "rb") as file:
        data = file.read()
    assert data.count(old) == 1, (path, old)
    write(env, path, data.replace(old, new))


def put_patch(directory: Any, name: str, files: Dict[str, Any], adds: str = "") -> str:
    """Write a patch ``DISTRIBUTION/NAME`` for 1.0: ``{path: (before, after)}``, None: no file."""
    from jhpatch.maintenance.patch_writer import encoded, hash_row, text_of
    from jhpatch.patchset import unified_diff

    package, _, slug = name.partition("/")
    fields = [("Package", package), ("Versions", "==1.0"), ("Description", "d")]
    for path, (before, after) in sorted(files.items()):
        fields += [("Before", hash_row(path, before)), ("After", hash_row(path, after))]
    fields += [("Adds", adds)] * bool(adds)
    diffs = [unified_diff.diff(path, *pair) for path, pair in sorted(files.items())]
    target = os.path.join(str(directory), package, "1.0-%s.patch" % slug)
    os.makedirs(os.path.dirname(target), exist_ok=True)
    with open(target, "wb") as file:
        file.write(encoded(text_of(fields, "".join(diffs))))
    return target
