"""Websockets through a real nginx, on both ends of what is covered: the front that render writes,
beside the widespread recipe, so that each test is seen to be able to fail.
"""

import contextlib
import os
import signal
import subprocess
import threading
import time
from typing import Any, Dict, Iterator, NamedTuple

import pytest
import websocket

from integration.e2e.client import Browser, executed
from integration.e2e.front import FOREIGN, NAMES, PORT, QUIET, RECIPE, SIBLING, Scene, fronted
from integration.e2e.hub import notebook, running
from integration.e2e.stacks import ENDS, Stack
from integration.e2e.world import PASSWORDS
from testing.nginx import MISSING

# Other stacks have no tests here, rather than skipped ones (integration/e2e/test_front_ends.py).
__test__ = os.environ.get("JHPATCH_E2E_INNER", ENDS[0]) in ENDS

LIMIT = 600  # seconds, that only a hang reaches
LARGE = 20 << 20  # bytes


class Open(NamedTuple):
    """The scene with alice at her browser, at each address, and websockets that are idle."""

    scene: Scene
    browsers: Dict[str, Browser]
    kernel: str
    idle: Dict[int, websocket.WebSocket]

    def at(self, name: str, port: int = PORT) -> Browser:
        """Her browser at that address."""
        return self.browsers[self.scene.at(name, port).url]


@pytest.fixture(scope="module")
def here(stack: Stack, scratch: str) -> Iterator[Open]:
    """Everything, set up once; the idle websockets begin first."""
    if MISSING and os.environ.get("CI", "") in ("", "0", "false"):
        pytest.skip(MISSING)
    assert not MISSING
    with running(stack, scratch + "/nginx", QUIET) as hub, fronted(
        hub, scratch + "/front"
    ) as scene:
        addresses = scene.addresses() + [scene.at(name, RECIPE) for name in NAMES]
        browsers = {}
        for number, address in enumerate(addresses):
            browser = browsers[address.url] = Browser(address, "alice")
            browser.login(PASSWORDS["alice"])
            browser.arrive() if number else browser.spawn()
        first = browsers[addresses[0].url]
        with first.kernel() as kernel:
            idle = {}
            for port in (PORT, RECIPE):
                address = scene.at(NAMES[0], port)
                channel = browsers[address.url].connected(kernel, address.url)
                assert executed(channel, "print('here')") == "here\n"
                idle[port] = channel
            yield Open(scene, browsers, kernel, idle)


def test_a_cell_runs_on_each_name_and_port(here: Open) -> None:
    """Two names with a certificate each, on a port of their own and on 443."""
    for address in here.scene.addresses():
        assert here.browsers[address.url].run("print(6 * 7)") == "42\n", address.url


def refused(browser: Browser, kernel: str, origin: Any) -> int:
    """The status with which an upgrade of that origin is refused; 101 where it is not, and code
    runs in the kernel."""
    try:
        channel = browser.connected(kernel, origin)
    except websocket.WebSocketBadStatusException as error:
        return int(error.status_code)
    with contextlib.closing(channel):
        assert executed(channel, "print('taken')") == "taken\n"
    return 101


def test_a_page_of_another_origin_gets_no_kernel(here: Open) -> None:
    """Foreign, sibling, another port, another scheme, null: 403 with the user's own cookies,
    before the hub sees it; with the widespread recipe each of them runs code."""
    own = here.scene.at(NAMES[0])
    origins = [FOREIGN, SIBLING, "null", "https://" + NAMES[0], own.url.replace("https", "http")]
    for origin in origins:
        assert refused(here.at(NAMES[0]), here.kernel, origin) == 403, origin
        assert refused(here.at(NAMES[0], RECIPE), here.kernel, origin) == 101, origin
    assert refused(here.at(NAMES[0]), here.kernel, own.url) == 101
    log = here.scene.hub.log()
    assert "Cross Origin" not in log and "Blocking" not in log


def test_a_notebook_of_20_mb_saves(here: Open) -> None:
    """Whole, as it lies in the user's home; the recipe's limit of 1 MB refuses it."""
    content = notebook()
    text = "x" * LARGE
    content["cells"] = [dict(cell_type="markdown", metadata={}, source=text)]
    here.at(NAMES[0]).save("large.ipynb", content)
    with open("/home/alice/large.ipynb") as file:
        assert text in file.read()
    with pytest.raises(AssertionError, match="413"):
        here.at(NAMES[0], RECIPE).save("other.ipynb", content)


def test_a_reload_loses_no_message(here: Open) -> None:
    """nginx reads its configuration anew three times while a cell prints: each line arrives, in
    order, the websocket lives on, and new ones open."""
    own = here.scene.at(NAMES[0])
    channel = here.at(NAMES[0]).connected(here.kernel, own.url)
    before = here.scene.workers()
    reloads = threading.Thread(target=reload_often, args=(here.scene,))
    with contextlib.closing(channel):
        reloads.start()
        code = "import time\nfor n in range(250):\n    print(n, flush=True); time.sleep(0.02)"
        printed = executed(channel, code).split()
        reloads.join()
        assert printed == [str(number) for number in range(250)]
        assert executed(channel, "print('after')") == "after\n"
    assert not set(here.scene.workers()) & set(before) or len(here.scene.workers()) > len(before)
    assert here.at(NAMES[0]).run("print('new')") == "new\n"


def reload_often(scene: Scene) -> None:
    """As ``systemctl reload nginx`` does."""
    for _ in range(3):
        time.sleep(1)
        os.kill(scene.nginx.pid, signal.SIGHUP)


def test_an_idle_websocket_lives(here: Open) -> None:
    """The recipe's front cuts it after nginx's 60 s without a byte; a cell runs in the other.

    Both have the messages of one kernel: they have been idle for the same time.
    """
    wait_for_the_end(here.idle[RECIPE])
    assert executed(here.idle[PORT], "print('still')") == "still\n"


def wait_for_the_end(channel: websocket.WebSocket) -> None:
    """Read what comes until the connection is closed."""
    channel.settimeout(LIMIT)
    try:
        while channel.recv():
            pass
    except websocket.WebSocketTimeoutException:
        raise
    except (websocket.WebSocketException, OSError):
        pass


def test_check_says_what_it_is(here: Open, stack: Stack) -> None:
    """``nginx check --url``: nothing wrong with the one, the hole in the other."""
    for port, code in ((PORT, 0), (RECIPE, 3)):
        ca = os.path.join(here.scene.folder, "bundle.pem")
        argv = [os.path.join(stack.venv, "bin", "python"), "-m", "jhpatch", "nginx", "check"]
        argv += ["--url", here.scene.at(NAMES[0], port).url + "/", "--ca", ca, "--user", "alice"]
        done = subprocess.run(argv, cwd="/", stdout=subprocess.PIPE)
        assert done.returncode == code, done.stdout.decode()
        assert (b"origin-not-told-apart" in done.stdout) == bool(code)
