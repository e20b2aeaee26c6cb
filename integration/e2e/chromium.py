"""A headless Chromium at which a user sits: the hub's form, a notebook on a page, keys.

selenium drives it, with Debian's own chromedriver, and is imported where it is used:
the interpreter of an older stack may be too old for it.
"""

import importlib.util
import os
import shutil
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Type

_SECONDS = 90  # the longest wait for a page; a cold JupyterLab on a busy machine needs some
_FLAGS = (
    "--headless=new",
    "--no-sandbox",  # its sandbox refuses root
    "--disable-dev-shm-usage",  # a container's /dev/shm may be too small for it
    "--disable-gpu",
    "--disable-background-networking",  # there is no network but loopback
    "--no-first-run",
    "--no-proxy-server",
    "--window-size=1200,800",
)


class FrontEnd(NamedTuple):
    """What a user sees of a server: a notebook's page, and its first cell's code in it.

    ``code`` is a CSS selector.
    """

    name: str
    page: str
    code: str


# A tab that is not in front is on the page too.
_CODE_MIRROR_6 = ".jp-NotebookPanel:not(.lm-mod-hidden) .jp-CodeCell .cm-content"
FRONT_ENDS = (
    FrontEnd("lab", "lab/tree/%s", _CODE_MIRROR_6),
    FrontEnd("nbclassic", "nbclassic/notebooks/%s", ".code_cell .CodeMirror-code"),
    FrontEnd("notebook7", "notebooks/%s", _CODE_MIRROR_6),
)


def missing() -> str:
    """What this machine lacks for a browser; empty where it lacks nothing."""
    lacking = [program for program in ("chromium", "chromedriver") if not shutil.which(program)]
    if importlib.util.find_spec("selenium") is None:
        lacking.append("selenium")
    return ", ".join(lacking)


class Chromium:
    """One user's browser on ``hub``, with a profile of its own below ``folder``.

    Of the hub its ``url`` alone is used: the hub's own, or that of a front.
    """

    def __init__(
        self,
        hub: Any,
        name: str,
        folder: str,
        flags: Sequence[str] = (),
        preferences: Optional[Dict[str, Any]] = None,
    ) -> None:
        self._hub = hub
        self._flags = tuple(flags)
        self._preferences = preferences or {}
        self._name = name
        self._folder = folder
        self._driver: Any = None

    def __enter__(self) -> "Chromium":
        from selenium.webdriver import Chrome, ChromeOptions
        from selenium.webdriver.chrome.service import Service

        os.makedirs(self._folder)
        options = ChromeOptions()
        options.binary_location = str(shutil.which("chromium"))
        for flag in (
            _FLAGS + self._flags + ("--user-data-dir=" + os.path.join(self._folder, "profile"),)
        ):
            options.add_argument(flag)
        options.add_experimental_option("prefs", self._preferences)
        # With both paths given selenium looks for no driver and downloads none.
        service = Service(
            executable_path=str(shutil.which("chromedriver")),
            log_output=os.path.join(self._folder, "chromedriver.log"),
            env=dict(os.environ, HOME=self._folder),
        )
        self._driver = Chrome(options=options, service=service)
        self._driver.set_page_load_timeout(_SECONDS)
        return self

    def __exit__(self, kind: Optional[Type[BaseException]], error: object, trace: object) -> None:
        if kind is not None:
            print("--- the browser\n" + self.says())
        self._driver.quit()

    def says(self) -> str:
        """The page as a person reads it, and what its scripts complained about."""
        try:
            lines = [self._driver.current_url, self._element("body").text]
            lines += [entry["message"] for entry in self._driver.get_log("browser")]
            return "\n".join(lines)
        except Exception as error:  # the browser itself may have ended
            return str(error)

    def login(self, password: str) -> None:
        """Through the hub's form; returns on the hub's home page."""
        self._driver.get(self._hub.url + "/hub/login?next=%2Fhub%2Fhome")
        self._element("#username_input").send_keys(self._name)
        self._element("#password_input").send_keys(password)
        self._element("#login_submit").click()
        self._until("the hub's home page", lambda: self._element("#start").is_displayed())

    def spawn(self) -> None:
        """Starts the user's server, and stays with the hub: no front end is asked for a page."""
        self._driver.get("%s/hub/spawn/%s?next=%%2Fhub%%2Fhome" % (self._hub.url, self._name))
        self._until("a started server", lambda: self._element("#stop").is_displayed())

    def open(self, front_end: FrontEnd, path: str, code: str) -> None:
        """The notebook's page; returns when its first cell shows ``code``."""
        self._driver.get("%s/user/%s/%s" % (self._hub.url, self._name, front_end.page % path))
        self._until_shown(front_end, code)

    def type(self, front_end: FrontEnd, text: str) -> None:
        """At the end of the first cell's first line; returns when it is there to be seen."""
        from selenium.webdriver.common.action_chains import ActionChains
        from selenium.webdriver.common.keys import Keys

        # What covers a page that is being built goes away by itself.
        self._until("a cell to click on", lambda: self._element(front_end.code).click() is None)
        ActionChains(self._driver).send_keys(Keys.END, text).perform()
        self._until_shown(front_end, text)

    def run(self, front_end: FrontEnd) -> None:
        """Ctrl+Enter in the first cell."""
        from selenium.webdriver.common.action_chains import ActionChains
        from selenium.webdriver.common.keys import Keys

        self._until("a cell to click on", lambda: self._element(front_end.code).click() is None)
        keys = ActionChains(self._driver).key_down(Keys.CONTROL).send_keys(Keys.ENTER)
        keys.key_up(Keys.CONTROL).perform()

    def see(self, selector: str, text: str) -> None:
        """Returns when the text is to be seen there."""
        self._until(repr(text), lambda: text in self._element(selector).text)

    def on_page(self, url: str, script: str, *arguments: Any) -> Any:
        """What a script of that page hands to its last argument, within a minute."""
        self._driver.get(url)
        self._driver.set_script_timeout(60)
        return self._driver.execute_async_script(script, *arguments)

    def complaints(self) -> List[str]:
        """The errors on the console since the last look."""
        entries = self._driver.get_log("browser")
        return [entry["message"] for entry in entries if entry["level"] == "SEVERE"]

    def press_save(self) -> None:
        """Ctrl+S, as each front end understands it."""
        from selenium.webdriver.common.action_chains import ActionChains
        from selenium.webdriver.common.keys import Keys

        keys = ActionChains(self._driver).key_down(Keys.CONTROL).send_keys("s")
        keys.key_up(Keys.CONTROL).perform()

    def _until_shown(self, front_end: FrontEnd, text: str) -> None:
        wanted = "a cell that shows %r" % text
        self._until(wanted, lambda: text in self._element(front_end.code).text)

    def _element(self, selector: str) -> Any:
        return self._driver.find_element("css selector", selector)

    def _until(self, what: str, holds: Any) -> None:
        """Waits; what is not there yet, or is drawn anew at the moment, does not hold."""
        from selenium.common import exceptions
        from selenium.webdriver.support.wait import WebDriverWait

        passing = (
            exceptions.ElementNotInteractableException,
            exceptions.ElementClickInterceptedException,
            exceptions.NoSuchElementException,
            exceptions.StaleElementReferenceException,
        )
        wait = WebDriverWait(self._driver, _SECONDS, ignored_exceptions=passing)
        wait.until(lambda _: holds(), "no sign of " + what)


def require() -> None:
    """Skip a test where a browser is missing; fail it in CI."""
    import pytest  # not where a benchmark or the demo imports this module

    lacking = missing()
    if lacking and os.environ.get("CI", "") in ("", "0", "false"):
        pytest.skip("no " + lacking)
    assert not lacking, "no " + lacking
