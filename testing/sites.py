"""Real wheels and real sites for the tests.

Both come from pip and are kept in one cache for all environments: the folder that
``JHPATCH_WHEELS`` names, else ``.tox/wheels`` in the checkout.
"""

import glob
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from typing import Any, Callable, Dict, Iterable, List, NamedTuple, Tuple

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
CACHE = os.path.abspath(os.environ.get("JHPATCH_WHEELS") or os.path.join(ROOT, ".tox", "wheels"))
PYTHON = "python%d.%d" % sys.version_info[:2]

# A shell's background job has Ctrl-C ignored, and so would all that the tests start: a hub
# stops servers by it, and `ticket --watch` ends by it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# The checkout that the tests belong to, before any other jhpatch that is installed.
if ROOT not in sys.path:
    sys.path.insert(0, ROOT)


class Environment(NamedTuple):
    """An environment as ``python -m venv`` and pip leave it. All paths are strings."""

    prefix: str
    """Its root: ``pyvenv.cfg``, ``bin``, ``lib``, ``share``."""
    site: str
    """Its site-packages, a site in jhpatch's sense."""
    python: str
    """Its interpreter, the one that runs the tests, with the environment's ``sys.prefix``."""


class Answer(NamedTuple):
    """What a command gave: its exit code, its JSON document, and what it said on stderr."""

    code: int
    document: Dict[str, Any]
    talk: str

    @property
    def states(self) -> Dict[str, str]:
        """The state of each patch whose distribution is there, of all sites together."""
        return {patch: state for patch, state in self.all_states.items() if state != "absent"}

    @property
    def all_states(self) -> Dict[str, str]:
        """The state of each patch, of all sites together."""
        sites = self.document["sites"]
        return {patch["patch"]: patch["state"] for site in sites for patch in site["patches"]}

    @property
    def reasons(self) -> Dict[str, str]:
        """Why each patch is in its state."""
        sites = self.document["sites"]
        return {patch["patch"]: patch["reason"] for site in sites for patch in site["patches"]}

    @property
    def error(self) -> Dict[str, Any]:
        """The first error, of the command or of a site."""
        errors = [self.document["error"]] + [site["error"] for site in self.document["sites"]]
        return next((error for error in errors if error), {})

    @property
    def next(self) -> str:
        """What to type next, without the Python that runs it and the options that say where."""
        return re.sub(r"\S+/python\S* (?=-)| --(python|site|patches) \S+", "", self.error["next"])


@pytest.fixture
def jhpatch(capsys: Any) -> Callable[..., Answer]:
    """Runs a command on an environment: ``jhpatch(env, "apply", "--dry-run")`` gives an Answer."""

    def call(env: Any, command: str, *arguments: str) -> Answer:
        from jhpatch.cli.main import main

        where = ["--python", env.python] if isinstance(env, Environment) else []
        code = main([command] + list(arguments) + ["--json"] + where)
        out, talk = capsys.readouterr()
        document = json.loads(out)
        assert document["exit_code"] == code
        return Answer(code, document, talk)

    return call


@pytest.fixture(scope="session")
def wheel() -> Callable[[str, str], str]:
    """The real wheel of a release: ``wheel("jupyterhub", "6.1.1")`` gives its path.

    Pure wheels only, of any release whatever Python it asks for: it is downloaded, not
    run. The file is shared with all other tests; copy it before you change it.
    """
    return fetched_wheel


@pytest.fixture
def make_site() -> Iterable[Callable[..., Environment]]:
    """A fresh environment into which pip installed real wheels.

    ``make_site(tmp_path, [("jupyterhub", "6.1.1"), ("notebook", "7.6.5")])`` gives an
    ``Environment`` in the new folder ``tmp_path/"env"``: ``.site`` is its site-packages
    (``lib/python3.X``, X of the Python that runs the tests, whatever the wheels ask
    for), ``.python`` an interpreter that works, ``.prefix`` the root. Without
    distributions it is an empty venv. Wheels come without their dependencies.

    ``slim=True`` leaves out the thousands of files of the front ends (``share``, ``static``),
    which no patch touches; RECORD still lists them.

    ``name="other"`` makes a second environment in the same ``tmp_path``.
    ``compiled=True`` has pip compile every module, as it does by default: there are
    ``__pycache__`` folders then and rows ``….pyc,,`` in RECORD.

    RECORD, INSTALLER, REQUESTED and the scripts in ``bin`` are pip's own. Each row of RECORD
    is true, but for ``bin/jupyterhub*`` of JupyterHub 0.9 on Python 3.6: pip 21 puts the
    interpreter into a script's first line and keeps the wheel's hash. Every file under
    ``lib`` and ``bin`` is a copy of its own, yours to change; files under ``share`` are hard
    links into the cache: read them only. The environment is taken away after the test.
    """
    made = []  # type: List[str]

    def make(
        folder: object,
        distributions: Iterable[Tuple[str, str]] = (),
        name: str = "env",
        compiled: bool = False,
        slim: bool = False,
    ) -> Environment:
        prefix = os.path.join(str(folder), name)
        os.makedirs(prefix)
        made.append(prefix)
        return _environment(prefix, list(distributions), compiled, slim)

    yield make
    for prefix in made:
        shutil.rmtree(prefix, ignore_errors=True)


def die_between_modules(*arguments: str) -> None:
    """Runs a command in a child that dies, as if by kill -9, ahead of its second module."""
    pid = os.fork()
    if pid == 0:
        try:
            _die_between_modules(list(arguments))
        finally:
            os._exit(1)
    assert os.WEXITSTATUS(os.waitpid(pid, 0)[1]) == 9


def _die_between_modules(arguments: List[str]) -> None:
    from jhpatch.cli.main import main
    from jhpatch.transaction import transaction

    put, seen = transaction._put, []  # type: Any, List[str]

    def dies(folder: Any, name: str, temp: Any) -> None:
        if name == "handlers.py" and seen:
            os._exit(9)
        seen.extend([name] * (name == "handlers.py"))
        put(folder, name, temp)

    transaction._put = dies
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    main(arguments)


def fetched_wheel(name: str, version: str) -> str:
    """The wheel of a release in the cache, downloaded by pip the first time."""
    # PEP 427 writes a distribution's name with _ for each run of -_. and keeps its case.
    stem = re.sub(r"[-_.]+", "_", name)
    wanted = os.path.join(CACHE, "%s-%s-*.whl" % (stem, version))
    found = glob.glob(wanted)
    if not found:
        os.makedirs(CACHE, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".download-", dir=CACHE) as folder:
            _pip(
                *"download --no-deps --only-binary :all: --ignore-requires-python".split(),
                *["--dest", folder, "%s==%s" % (name, version)],
            )
            for one in os.listdir(folder):
                # Two processes at once: both hold the same bytes, the last rename stays.
                os.replace(os.path.join(folder, one), os.path.join(CACHE, one))
        found = glob.glob(wanted)
    return found[0]


def _environment(
    prefix: str, distributions: List[Tuple[str, str]], compiled: bool, slim: bool
) -> Environment:
    base = os.path.join(sys.base_prefix, "bin", PYTHON)
    site = os.path.join(prefix, "lib", PYTHON, "site-packages")
    os.makedirs(site)
    os.makedirs(os.path.join(prefix, "bin"))
    with open(os.path.join(prefix, "pyvenv.cfg"), "w") as config:
        config.write("home = %s\n" % os.path.dirname(base))
        config.write("include-system-site-packages = false\n")
        config.write("version = %d.%d.%d\n" % sys.version_info[:3])
    for python, target in ((PYTHON, base), ("python3", PYTHON), ("python", PYTHON)):
        os.symlink(target, os.path.join(prefix, "bin", python))
    for name, version in distributions:
        tree = _installed(name, version, compiled)
        _copy(_slimmed(tree) if slim else tree, prefix)
    return Environment(prefix, site, os.path.join(prefix, "bin", "python"))


def _installed(name: str, version: str, compiled: bool) -> str:
    """A prefix in the cache with nothing but this distribution, installed by pip."""
    parts = ("installed", PYTHON + ("-compiled" if compiled else ""), "%s-%s" % (name, version))
    tree = os.path.join(CACHE, *parts)
    if os.path.isdir(tree):
        return tree
    fetched = fetched_wheel(name, version)
    os.makedirs(os.path.dirname(tree), exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".install-", dir=os.path.dirname(tree)) as folder:
        # By name and not by path: a path would leave a direct_url.json.
        _pip(
            *"install --no-deps --no-index --ignore-requires-python --ignore-installed".split(),
            *["--no-warn-script-location", "--compile" if compiled else "--no-compile"],
            *["--find-links", os.path.dirname(fetched), "--prefix", os.path.join(folder, "tree")],
            "%s==%s" % (name, version),
        )
        try:
            os.rename(os.path.join(folder, "tree"), tree)
        except OSError:
            if not os.path.isdir(tree):  # else another process was first
                raise
    return tree


def _slimmed(tree: str) -> str:
    """The same tree without its front ends."""
    slim = tree + "-slim"
    if not os.path.isdir(slim):
        with tempfile.TemporaryDirectory(prefix=".slim-", dir=os.path.dirname(tree)) as folder:
            made = os.path.join(folder, "tree")
            front_ends = ("share", "static", "nbextensions", "labextension", "tests", "i18n")
            shutil.copytree(tree, made, symlinks=True, ignore=shutil.ignore_patterns(*front_ends))
            try:
                os.rename(made, slim)
            except OSError:
                if not os.path.isdir(slim):  # else another process was first
                    raise
    return slim


def _copy(tree: str, prefix: str) -> None:
    """Merge a cached tree into an environment. cp takes a third of shutil's time."""
    for part in os.listdir(tree):
        source = os.path.join(tree, part)
        if part == "share" and not _ran("cp", "-al", source, prefix):
            shutil.rmtree(os.path.join(prefix, part), ignore_errors=True)
            _ran("cp", "-a", source, prefix, check=True)  # the cache is on another disk
        elif part != "share":
            _ran("cp", "-a", source, prefix, check=True)


def _ran(*command: str, check: bool = False) -> bool:
    quiet = None if check else subprocess.DEVNULL
    return subprocess.run(command, stderr=quiet, check=check).returncode == 0


def _pip(*arguments: str) -> None:
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    done = subprocess.run(
        command + list(arguments), stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    if done.returncode:
        raise RuntimeError(
            "pip %s\n%s" % (" ".join(arguments), done.stdout.decode(errors="replace"))
        )
