"""What a browser does: the login form, a notebook's page, its contents, a cell."""

import contextlib
import json
import re
import time
import urllib.parse
import uuid
from typing import Any, Dict, Iterator, Optional, Type

import requests
import websocket

from integration.e2e.hub import Hub, notebook


class Refused(Exception):
    """The hub did not let the user in; ``status`` and ``text`` are what it answered."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__("%d: %s" % (status, text[-400:]))
        self.status = status
        self.text = text


class Browser:
    """A session of one user with a hub, and with one server: the default or a named one."""

    def __init__(self, hub: Hub, name: str, server: str = "") -> None:
        self._hub = hub
        self._name = name
        self._session = requests.Session()
        address = urllib.parse.urlsplit(hub.url)
        self._origin = "%s://%s" % (address.scheme, address.netloc)
        below = "/user/%s/%s" % (name, server + "/" if server else "")
        self._path = address.path + below
        self._base = self._origin + self._path

    def login(self, password: str, timeout: float = 60) -> None:
        """Through the form. Raises Refused."""
        page = self._session.get(self._hub.url + "/hub/login", timeout=timeout)
        hidden = re.search(r'name="_xsrf" value="([^"]+)"', page.text)
        form = {"username": self._name, "password": password}
        if hidden:
            form["_xsrf"] = hidden.group(1)
        answer = self._session.post(
            self._hub.url + "/hub/login?next=%2Fhub%2Fhome",
            data=form,
            timeout=timeout,
            allow_redirects=False,
        )
        if answer.status_code != 302:
            raise Refused(answer.status_code, answer.text)

    def spawn(self) -> None:
        """Starts the user's server; returns when it answers."""
        self._session.get(self._hub.url + "/hub/spawn", timeout=300)
        self.arrive()

    def arrive(self) -> None:
        """Returns when the server that somebody has started answers."""
        deadline = time.monotonic() + 180
        while True:
            page = self._session.get(self._base + "tree", timeout=300)
            if page.status_code == 200 and "/user/" in page.url:
                return
            assert time.monotonic() < deadline, "no server: %s %s" % (page.status_code, page.url)
            time.sleep(0.5)

    def server(self) -> str:
        """The release of the distribution that the user's server runs on."""
        return str(self.api("GET", "")["version"])

    def save(self, path: str, content: Optional[Dict[str, Any]] = None) -> None:
        """Saves a notebook; an empty one if nothing is said."""
        body = {"type": "notebook", "format": "json", "content": content or notebook()}
        self.api("PUT", "contents/" + path, body)

    def open(self, path: str) -> None:
        """The notebook's page, then its contents, as the front end asks for them."""
        page = self._session.get(self._base + "notebooks/" + path, timeout=300)
        assert page.status_code == 200, page.text[-400:]
        if self._hub.stack.serves_lab:
            page = self._session.get(self._base + "lab/tree/" + path, timeout=300)
            assert page.status_code == 200, page.text[-400:]
        model = self.api("GET", "contents/%s?content=1" % path)
        assert model["type"] == "notebook"

    def get(self, path: str) -> requests.Response:
        """A page of the user's server."""
        return self._session.get(self._base + path, timeout=300)

    def run(self, code: str) -> str:
        """What a cell prints."""
        with self.start_kernel("python3") as kernel:
            return kernel.run(code)

    def start_kernel(self, name: str) -> "Kernel":
        """A new kernel of that kernelspec."""
        return Kernel(self, name, self._origin)

    @contextlib.contextmanager
    def kernel(self) -> Iterator[str]:
        """The path of a kernel's websocket, below the server's, while the block runs."""
        with self.start_kernel("python3") as kernel:
            yield kernel.path

    def connected(
        self, path: str, origin: Optional[str], timeout: float = 60
    ) -> websocket.WebSocket:
        """A kernel's websocket with the user's cookies, as a page of ``origin`` opens it; None: a
        script. It hears what the kernel says to all.

        Raises WebSocketBadStatusException.
        """
        cookies = {one.name: one.value for one in self._session.cookies if self._is_ours(one)}
        channel = websocket.create_connection(
            self._base.replace("http", "ws", 1) + path,
            timeout=timeout,
            origin=origin,
            suppress_origin=origin is None,
            cookie="; ".join("%s=%s" % pair for pair in cookies.items()),
        )
        try:
            _wait_until_subscribed(channel, timeout)
        except BaseException:
            channel.close()
            raise
        return channel

    def _is_ours(self, cookie: Any) -> bool:
        return cookie.path in ("/", self._path)

    def api(self, method: str, path: str, body: Any = None) -> Dict[str, Any]:
        """What the API of the user's server answers."""
        headers = {"Referer": self._base, "Origin": self._origin}
        token = [one.value for one in self._session.cookies if one.name == "_xsrf"]
        ours = [
            one.value
            for one in self._session.cookies
            if one.name == "_xsrf" and one.path == self._path
        ]
        if ours or token:
            headers["X-XSRFToken"] = (ours or token)[0]
        answer = self._session.request(
            method, self._base + "api/" + path, json=body, headers=headers, timeout=300
        )
        assert answer.status_code < 300, "%s %s: %d %s" % (
            method,
            path,
            answer.status_code,
            answer.text[-400:],
        )
        return dict(answer.json()) if answer.content else {}


class Kernel:
    """A kernel that stays until it is closed; no client is connected but while a cell runs."""

    def __init__(self, browser: Browser, name: str, origin: str) -> None:
        self._browser = browser
        self._id = browser.api("POST", "kernels", {"name": name})["id"]
        self._origin = origin
        self.path = "api/kernels/%s/channels" % self._id
        """Of its websocket, below the server's."""

    def run(self, code: str, timeout: float = 60) -> str:
        """What a cell prints within so many seconds."""
        deadline = time.monotonic() + timeout
        # A server that knows nothing of a kernel yet first asks it what it is.
        channel = self._browser.connected(self.path, self._origin, timeout)
        try:
            return executed(channel, code, deadline - time.monotonic())
        finally:
            channel.close()

    def close(self) -> None:
        """Ends the kernel, as the front end's menu does."""
        self._browser.api("DELETE", "kernels/" + self._id)

    def __enter__(self) -> "Kernel":
        return self

    def __exit__(self, kind: Optional[Type[BaseException]], error: object, trace: object) -> None:
        self.close()


def _wait_until_subscribed(channel: Any, timeout: float) -> None:
    """Returns when something of the kernel's IOPub has come: before notebook 6.3 the websocket
    opens before that subscription has reached the kernel, and what it says until then is lost.
    """
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        _send(channel, "kernel_info_request", {})
        channel.settimeout(1)
        with contextlib.suppress(websocket.WebSocketTimeoutException):
            while json.loads(channel.recv())["channel"] != "iopub":
                pass
            return
    raise AssertionError("nothing of the kernel's IOPub in %d s" % timeout)


def _send(channel: Any, kind: str, content: Dict[str, Any]) -> str:
    """Sends a request to the kernel; returns its id, which the answers have as their parent's."""
    message_id = uuid.uuid4().hex
    header = dict(
        msg_id=message_id,
        msg_type=kind,
        username="",
        session=uuid.uuid4().hex,
        version="5.2",
        date="2026-01-01T00:00:00Z",
    )
    channel.send(
        json.dumps(
            dict(
                header=header,
                parent_header={},
                metadata={},
                content=content,
                channel="shell",
                buffers=[],
            )
        )
    )
    return message_id


def executed(channel: Any, code: str, timeout: float = 60) -> str:
    """What code prints within so many seconds, in the kernel of a websocket."""
    deadline = time.monotonic() + timeout
    content = dict(code=code, silent=False, store_history=False, user_expressions={})
    # After an error, ipykernel would answer the next cell with "aborted" for 0.1 s.
    content.update(allow_stdin=False, stop_on_error=False)
    message_id = _send(channel, "execute_request", content)
    out = []
    while True:
        left = deadline - time.monotonic()
        assert left > 0, "the cell did not end: " + "".join(out)
        channel.settimeout(left)
        message = json.loads(channel.recv())
        if message["parent_header"].get("msg_id") != message_id:
            continue
        if message["msg_type"] == "stream":
            out.append(message["content"]["text"])
        if message["msg_type"] == "error":
            out.append("\n".join(message["content"]["traceback"]))
        if message["msg_type"] == "status" and message["content"]["execution_state"] == "idle":
            return "".join(out)
