"""JupyterLab in a real browser through a real nginx, and pages of other origins that attack it."""

import json
import os
from typing import Any, Iterator

import pytest

from integration.e2e import chromium
from integration.e2e.chromium import FRONT_ENDS, Chromium
from integration.e2e.client import Browser
from integration.e2e.front import (
    FOREIGN,
    NAMES,
    OTHER_PORT,
    PORT,
    RECIPE,
    SIBLING,
    Scene,
    flags,
    fronted,
)
from integration.e2e.hub import running
from integration.e2e.notebooks import notebook_of_alice
from integration.e2e.stacks import STACKS, Stack
from integration.e2e.world import PASSWORDS
from testing.nginx import MISSING
from testing.waiting import within

# The newest stack's: a browser is slow (integration/e2e/test_front_ends.py).
__test__ = os.environ.get("JHPATCH_E2E_INNER", STACKS[-1].name) == STACKS[-1].name

CODE = "print(6 * 7)"
LAB = FRONT_ENDS[0]
OUTPUT = ".jp-NotebookPanel:not(.lm-mod-hidden) .jp-OutputArea-output"

# Cookies as hubs have them whose pages are shown in frames of others, and a browser that sends
# them there: else Chromium keeps them from foreign sites, though not from siblings.
FRAMED = """
c.JupyterHub.tornado_settings = {"cookie_options": {"samesite": "None", "secure": True}}
"""
SENT = {"profile.cookie_controls_mode": 0}

# As a page of somebody else would: what it gets of the kernel, or that it gets nothing.
ATTACK = """
const [url, done] = arguments;
const socket = new WebSocket(url);
socket.onerror = () => done("refused");
socket.onopen = () => socket.send(JSON.stringify({
    header: {msg_id: String(Math.random()), msg_type: "execute_request", session: "s",
             username: "", version: "5.3", date: "2026-01-01T00:00:00Z"},
    parent_header: {}, metadata: {}, channel: "shell", buffers: [],
    content: {code: "print('taken')", silent: false, store_history: false,
              user_expressions: {}, allow_stdin: false},
}));
socket.onmessage = (event) => {
    const message = JSON.parse(event.data);
    if (message.msg_type === "stream") { done(message.content.text); }
};
"""


@pytest.fixture(scope="module")
def scene(stack: Stack, scratch: str) -> Iterator[Scene]:
    """A hub behind nginx; what the machine lacks is said, and fails in CI."""
    lacking = MISSING or chromium.missing()
    if lacking and os.environ.get("CI", "") in ("", "0", "false"):
        pytest.skip("no " + lacking)
    assert not lacking, lacking
    folder = scratch + "/nginx-browser"
    with running(stack, folder, FRAMED) as hub, fronted(hub, folder + "/front") as found:
        yield found


def browser_at(scene: Scene, name: str, port: int, profile: str) -> Chromium:
    """A new profile's browser."""
    folder = os.path.join(scene.folder, "chromium-" + profile)
    return Chromium(scene.at(name, port), "alice", folder, flags(scene.folder), SENT)


def saved(path: str) -> Any:
    """What the first cell has printed, as it is on disk; None while it is being written."""
    try:
        with open(path) as file:
            outputs = json.load(file)["cells"][0]["outputs"]
        return outputs and "".join(outputs[0]["text"])
    except ValueError:
        return None


@pytest.mark.parametrize("port", [PORT, 443])
@pytest.mark.parametrize("name", NAMES)
def test_a_cell_runs_and_is_saved(scene: Scene, name: str, port: int) -> None:
    """Login, JupyterLab, a cell, its output, Ctrl+S; and no error on the console."""
    own = "%s-%d" % (name.partition(".")[0], port)
    path = notebook_of_alice(own + ".ipynb", CODE)
    workspace = LAB._replace(page="lab/workspaces/%s/tree/%%s" % own)
    with browser_at(scene, name, port, own) as browser:
        browser.login(PASSWORDS["alice"])
        browser.spawn()
        browser.open(workspace, os.path.basename(path), CODE)
        browser.see("#jp-main-statusbar", "Idle")  # what is run before a kernel is there is lost
        browser.run(workspace)
        browser.see(OUTPUT, "42")
        browser.press_save()
        assert within(300, lambda: saved(path) == "42\n"), saved(path)
        assert browser.complaints() == []


def test_pages_of_other_origins(scene: Scene) -> None:
    """A foreign page, a sibling's and another port's, in the browser of a user who has logged
    in: refused; with the widespread recipe each runs code in the user's kernel."""
    script = Browser(scene.at(NAMES[0]), "alice")
    script.login(PASSWORDS["alice"])
    script.spawn()
    server = scene.at(NAMES[0]).url + "/user/alice/"
    with script.kernel() as kernel, browser_at(scene, NAMES[0], PORT, "attacked") as browser:
        browser.login(PASSWORDS["alice"])
        browser.on_page(server + "lab", "arguments[0]('')")  # sets the server's own cookie
        for page in (FOREIGN, SIBLING, OTHER_PORT):
            for port, found in ((PORT, "refused"), (RECIPE, "taken\n")):
                url = scene.at(NAMES[0], port).url.replace("https", "wss", 1)
                url += "/user/alice/" + kernel
                assert browser.on_page(page + "/", ATTACK, url) == found, (page, port)
