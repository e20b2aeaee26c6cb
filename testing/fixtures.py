"""The fixtures that all tests share."""

import json
import os
import shutil
import signal
from typing import Any, Callable, Iterable, Iterator, List, Tuple

import pytest

from testing.commands import Answer
from testing.sites import Environment, make_environment
from testing.wheels import fetched_wheel


@pytest.fixture(scope="session", autouse=True)
def handled_interrupt() -> None:
    """Handle Ctrl-C as in a terminal, also where a shell runs the tests in the background.

    There it is ignored, and so it would be by each program that a test starts: a hub stops its
    servers by that signal, and ``ticket --watch`` ends by it.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def unsynced(request: Any) -> Iterator[None]:
    """Let fsync(2) return at once in a run without the slow tests.

    It takes most of a change's time, and only a power cut tells whether it was called: a
    process that is killed loses nothing that it wrote. ``integration/faults`` cuts the power.
    """
    if request.config.option.markexpr != "not slow":
        yield
        return
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(os, "fsync", lambda fd: None)
        yield


@pytest.fixture
def jhpatch(capsys: Any) -> Callable[..., Answer]:
    """Run a command on an environment: ``jhpatch(env, "apply", "--dry-run")``, an Answer."""

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
    """Make a fresh environment into which pip installed real wheels.

    ``make_site(tmp_path, [("jupyterhub", "6.1.1"), ("notebook", "7.6.5")])`` gives an
    ``Environment`` in the new directory ``tmp_path/"env"``: ``.site`` is its site-packages
    (``lib/python3.X``, X of the Python that runs the tests, whatever the wheels ask
    for), ``.python`` an interpreter that works, ``.prefix`` the root. Without
    distributions it is an empty venv. Wheels come without their dependencies.

    ``slim=True`` has only those files of a package that a patch changes, and its metadata;
    RECORD still lists all. It saves the time of copying some hundred or thousand files.

    ``name="other"`` makes a second environment in the same ``tmp_path``.
    ``compiled=True`` has pip compile every module, as it does by default: there are
    ``__pycache__`` directories then and rows ``….pyc,,`` in RECORD.

    RECORD, INSTALLER, REQUESTED and the scripts in ``bin`` are pip's own. Each row of RECORD
    is true, but for ``bin/jupyterhub*`` of JupyterHub 0.9 on Python 3.6: pip 21 puts the
    interpreter into a script's first line and keeps the wheel's hash. Every file under
    ``lib`` and ``bin`` is a copy of its own, yours to change; files under ``share`` are hard
    links into the cache: read them only. The environment is removed after the test.
    """
    made: List[str] = []

    def make(
        directory: object,
        distributions: Iterable[Tuple[str, str]] = (),
        name: str = "env",
        compiled: bool = False,
        slim: bool = False,
    ) -> Environment:
        prefix = os.path.join(str(directory), name)
        os.makedirs(prefix)
        made.append(prefix)
        return make_environment(prefix, distributions, compiled, slim)

    yield make
    for prefix in made:
        shutil.rmtree(prefix, ignore_errors=True)
