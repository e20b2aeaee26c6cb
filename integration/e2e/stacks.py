"""The upstream stacks that the whole job is run on: the one place with their pins.

Each is a virtual environment, built once with pip and kept; a marker, written last,
says what it was built from, so that a build that died is built anew.
"""

import contextlib
import fcntl
import glob
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from typing import IO, Iterator, List, NamedTuple, Optional, Tuple

from testing import checkout, pythons

REPOSITORY = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FOLDER = os.path.abspath(
    os.environ.get("JHPATCH_E2E_DIR") or os.path.join(REPOSITORY, ".tox", "e2e-stacks")
)
PROXY = "configurable-http-proxy@5.3.0"
BUILD_SECONDS = 600
"""How long one program that builds or downloads something may take."""


class Stack(NamedTuple):
    """What a stack is made of; ``pythons`` are the minor versions that it runs on, best first.

    What differs between stacks is asked of their pins.
    """

    name: str
    pythons: Tuple[str, ...]
    pip: str
    requirements: Tuple[str, ...]
    keep_seconds: int = 150
    """How long a ticket of 60 s must stay valid: more than two lives."""

    @property
    def venv(self) -> str:
        """The folder of its virtual environment."""
        return os.path.join(FOLDER, self.name)

    def version(self, distribution: str) -> str:
        """The release that is pinned; empty where the stack does not have it."""
        pins = dict(requirement.split("==") for requirement in self.requirements)
        return pins.get(distribution, "")

    def _major(self, distribution: str) -> int:
        return int(self.version(distribution).partition(".")[0] or -1)

    @property
    def serves_lab(self) -> bool:
        """Whether there are JupyterLab's pages."""
        return bool(self.version("jupyterlab"))

    @property
    def has_allow_all(self) -> bool:
        """Whether the hub lets nobody in but whom the configuration allows."""
        return self._major("jupyterhub") >= 5

    @property
    def servers(self) -> Tuple[str, ...]:
        """The distributions that a user's server can run on, the hub's own choice first."""
        found = ["jupyter_server"] if self.version("jupyter_server") else []
        if self._major("notebook") < 7:
            found.append("notebook")
        return tuple(found)


def _pins(text: str) -> Tuple[str, ...]:
    return tuple(text.split()) + ("patch-ng==1.18.1",)


# What upstream leaves open and has broken a release since, or would change what is tested.
# jsonschema from 4.25 on brings rfc3987-syntax, which builds a grammar at each start: 3 s.
STACKS = (
    Stack(
        "hub08-nb50",
        ("3.6",),
        "pip==21.3.1",
        _pins(
            """
            jupyterhub==0.8.1 notebook==5.0.0 tornado==4.5.3 traitlets==4.3.3
            sqlalchemy==1.2.19 alembic==1.4.3 jinja2==2.11.3 markupsafe==1.1.1
            pamela==1.2.0 python-oauth2==1.1.1
            ipykernel==4.10.1 ipython==7.16.3 jedi==0.17.2 jupyter_client==5.3.5
            jupyter_core==4.9.2 pyzmq==19.0.2 nbconvert==5.6.1 nbformat==5.1.3
            mistune==0.8.4 jsonschema==3.2.0 terminado==0.12.1
            packaging==21.3 importlib-metadata==4.8.3
            """
        ),
        keep_seconds=240,
    ),
    Stack(
        "hub09-nb57",
        ("3.6",),
        "pip==21.3.1",
        _pins(
            """
            jupyterhub==0.9.6 notebook==5.7.9 tornado==5.1.1 traitlets==4.3.3
            sqlalchemy==1.3.24 alembic==1.4.3 jinja2==2.11.3 markupsafe==1.1.1
            pamela==1.2.0 python-oauth2==1.1.1 async_generator==1.10
            ipykernel==5.5.6 ipython==7.16.3 jedi==0.17.2 jupyter_client==7.1.2
            jupyter_core==4.9.2 pyzmq==25.1.2 nbconvert==5.6.1 nbformat==5.1.3
            mistune==0.8.4 jsonschema==3.2.0 terminado==0.12.1
            packaging==21.3 importlib-metadata==4.8.3
            """
        ),
    ),
    Stack(
        "hub15-nb64",
        ("3.7", "3.8", "3.9"),
        "pip==24.0",
        _pins(
            """
            jupyterhub==1.5.1 notebook==6.4.13 tornado==6.2 traitlets==5.9.0
            sqlalchemy==1.4.54 alembic==1.12.1 jinja2==3.1.6 markupsafe==2.1.5
            pamela==1.2.0 oauthlib==3.2.2 certipy==0.2.3 jupyter-telemetry==0.1.0
            ipykernel==6.16.2 ipython==7.34.0 jupyter_client==7.4.9
            jupyter_core==4.12.0 pyzmq==26.2.1 nbconvert==7.6.0 nbformat==5.8.0
            nbclient==0.7.4 jsonschema==4.17.3 terminado==0.17.1
            packaging==24.0 importlib-metadata==6.7.0
            """
        ),
    ),
    Stack(
        "hub23-nb65",
        ("3.8", "3.9", "3.10"),
        "pip==25.0.1",
        _pins(
            """
            jupyterhub==2.3.1 notebook==6.5.7 jupyter_server==1.15.6 nbclassic==0.5.6
            tornado==6.4.2 traitlets==5.14.3
            sqlalchemy==1.4.54 alembic==1.14.1 jinja2==3.1.6 markupsafe==2.1.5
            pamela==1.2.0 oauthlib==3.2.2 certipy==0.2.3 jupyter-telemetry==0.1.0
            ipykernel==6.29.5 jupyter_client==7.4.9 jupyter_core==5.8.1 pyzmq==26.2.1
            notebook_shim==0.2.4 nbconvert==7.16.6 nbformat==5.10.4 nbclient==0.10.1
            anyio==3.7.1 jsonschema==4.23.0 terminado==0.18.1 packaging==25.0
            """
        ),
    ),
    Stack(
        "hub31-js124",
        ("3.9", "3.10", "3.11"),
        "pip==25.0.1",
        _pins(
            """
            jupyterhub==3.1.1 jupyter_server==1.24.0 jupyterlab==3.6.8 notebook==6.5.7
            nbclassic==0.5.6 tornado==6.4.2 traitlets==5.14.3
            sqlalchemy==1.4.54 alembic==1.14.1 jinja2==3.1.6 markupsafe==2.1.5
            pamela==1.2.0 oauthlib==3.2.2 certipy==0.2.3 jupyter-telemetry==0.1.0
            ipykernel==6.29.5 jupyter_client==7.4.9 jupyter_core==5.8.1 pyzmq==26.2.1
            jupyterlab_server==2.28.0 jupyter_ydoc==0.2.5 jupyter_server_ydoc==0.8.0
            notebook_shim==0.2.4 nbconvert==7.16.6 nbformat==5.10.4 nbclient==0.10.2
            anyio==3.7.1 jsonschema==4.23.0 terminado==0.18.1 packaging==25.0
            """
        ),
    ),
    Stack(
        "hub41-js212",
        ("3.10", "3.11", "3.12"),
        "pip==25.0.1",
        _pins(
            """
            jupyterhub==4.1.6 jupyter_server==2.12.5 notebook==7.1.3 jupyterlab==4.1.8
            tornado==6.4.2 traitlets==5.14.3
            sqlalchemy==2.0.51 alembic==1.14.1 jinja2==3.1.6 markupsafe==3.0.2
            pamela==1.2.0 oauthlib==3.2.2 certipy==0.2.3 jupyter-telemetry==0.1.0
            ipykernel==6.29.5 jupyter_client==8.6.3 jupyter_core==5.8.1 pyzmq==26.2.1
            jupyterlab_server==2.28.0 jupyter_events==0.12.0 jupyter-lsp==2.2.5
            notebook_shim==0.2.4 nbconvert==7.16.6 nbformat==5.10.4 nbclient==0.10.2
            anyio==4.9.0 jsonschema==4.23.0 terminado==0.18.1 packaging==25.0
            """
        ),
    ),
    Stack(
        "hub55-js218",
        ("3.12", "3.11", "3.13"),
        "pip==25.0.1",
        _pins(
            """
            jupyterhub==5.5.4 jupyter_server==2.18.2 notebook==7.5.8 jupyterlab==4.5.11
            tornado==6.5.10 traitlets==5.14.3
            sqlalchemy==2.0.51 alembic==1.16.5 jinja2==3.1.6 markupsafe==3.0.2
            pamela==1.2.0 oauthlib==3.3.1 certipy==0.2.3
            ipykernel==6.29.5 jupyter_client==8.6.3 jupyter_core==5.8.1 pyzmq==27.1.0
            jupyterlab_server==2.28.1 jupyter_events==0.12.1 jupyter-lsp==2.3.1
            notebook_shim==0.2.4 nbconvert==7.17.2 nbformat==5.10.4 nbclient==0.10.2
            anyio==4.12.0 jsonschema==4.23.0 terminado==0.18.1 packaging==25.0
            """
        ),
    ),
    Stack(
        "hub61-js221",
        ("3.11", "3.12", "3.13"),
        "pip==25.0.1",
        _pins(
            """
            jupyterhub==6.1.1 jupyter_server==2.21.1 notebook==7.6.5 jupyterlab==4.6.6
            nbclassic==1.3.3 tornado==6.6.1 traitlets==5.16.1
            sqlalchemy==2.1.9 alembic==1.20.1 jinja2==3.1.6 markupsafe==3.0.4
            pamela==1.2.0 oauthlib==4.0.1 certipy==0.2.3 pydantic==2.14.4
            ipykernel==7.4.0 jupyter_client==8.10.0 jupyter_core==5.9.1 pyzmq==27.3.0
            jupyterlab_server==2.28.1 jupyter_events==0.12.1 jupyter-lsp==2.3.1
            notebook_shim==0.2.4 nbconvert==7.17.2 nbformat==5.11.1 nbclient==0.11.0
            anyio==4.16.0 jsonschema==4.23.0 terminado==0.18.1 packaging==26.4
            sudospawner==1.0.0 crossplane==0.5.8
            """
        ),
        keep_seconds=240,
    ),
)


ENDS = ("hub09-nb57", "hub61-js221")
"""Where what takes long, and is the helper's own, is tested: the oldest hub that comes back
after kill -9 while its proxy lives on (0.8 keeps no pid file of it), and the newest."""


def interpreter(stack: Stack) -> Optional[str]:
    """A Python that the stack runs on, the best that there is; None where there is none."""
    found = (pythons.interpreter(minor) for minor in stack.pythons)
    return next((path for path in found if path), None)


@contextlib.contextmanager
def built(stack: Stack) -> Iterator[str]:
    """The path of jhpatch's wheel, while all is there that a run of the stack needs.

    No other run builds the environment anew until the block ends.
    """
    with locked("proxy", fcntl.LOCK_EX):
        _build_proxy()
    python = interpreter(stack)
    assert python is not None
    wanted = hashlib.sha256(repr((stack, python)).encode()).hexdigest()
    marker = os.path.join(stack.venv, "built-from")
    with locked(stack.name, fcntl.LOCK_SH) as lock:
        while text_of(marker) != wanted:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if text_of(marker) != wanted:
                _build_venv(stack, python)
                with open(marker, "w") as file:
                    file.write(wanted)
            fcntl.flock(lock, fcntl.LOCK_SH)
        # Not in /tmp: the tests cover that with an empty one.
        with tempfile.TemporaryDirectory(prefix="wheel-", dir=FOLDER) as folder:
            yield _build_wheel(folder)


def _build_venv(stack: Stack, python: str) -> None:
    shutil.rmtree(stack.venv, ignore_errors=True)
    call([python, "-m", "venv", stack.venv])
    pip = [os.path.join(stack.venv, "bin", "python"), "-m", "pip", "install", "-q"]
    call(pip + ["--upgrade", stack.pip])
    call(pip + ["--prefer-binary"] + list(stack.requirements))


def _build_proxy() -> None:
    """configurable-http-proxy from npm, in a folder of its own."""
    folder = os.path.join(FOLDER, "proxy")
    if text_of(os.path.join(folder, "built-from")) == PROXY:
        return
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    call(["npm", "install", "--prefix", folder, "--no-audit", "--no-fund", "--silent", PROXY])
    with open(os.path.join(folder, "built-from"), "w") as file:
        file.write(PROXY)


def proxy_command() -> List[str]:
    """The proxy's argv."""
    script = "proxy/node_modules/configurable-http-proxy/bin/configurable-http-proxy"
    return [os.path.realpath(shutil.which("node") or "node"), os.path.join(FOLDER, script)]


def _build_wheel(folder: str) -> str:
    """The wheel of this checkout, as an administrator would install it; its path.

    Built from a copy: pip builds in the tree, and others may build there too.
    """
    with tempfile.TemporaryDirectory() as scratch:
        copy = checkout.copy(os.path.join(scratch, "jhpatch"))
        call([sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", folder, copy])
    return glob.glob(os.path.join(folder, "*.whl"))[0]


@contextlib.contextmanager
def locked(name: str, kind: int) -> Iterator[IO[str]]:
    """Holds ``name`` as flock(2) has it, alone or shared: two runs may share the folder."""
    os.makedirs(FOLDER, exist_ok=True)
    with open(os.path.join(FOLDER, name + ".lock"), "w") as file:
        fcntl.flock(file, kind)
        yield file


def call(argv: List[str]) -> None:
    """Runs a program that builds something, again where a download fails or stalls.

    Raises CalledProcessError or TimeoutExpired.
    """
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    for last in (False, True):
        try:
            subprocess.run(
                argv, check=True, stdin=subprocess.DEVNULL, env=environment, timeout=BUILD_SECONDS
            )
            return
        except subprocess.SubprocessError as error:
            print("%s: %s" % (" ".join(argv), error), file=sys.stderr, flush=True)
            if last:
                raise


def text_of(path: str) -> str:
    """What a file says; empty where it cannot be read."""
    try:
        with open(path) as file:
            return file.read()
    except OSError:
        return ""
