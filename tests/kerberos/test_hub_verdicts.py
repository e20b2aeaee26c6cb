"""Whether logins and spawns of a hub run the patched methods."""

import pytest

from jhpatch.kerberos.hub_verdicts import (
    check_authenticator,
    check_spawner,
    is_served,
    spawner_setting,
)
from tests.kerberos.hub_configs import config_of

HEAD = """\
from jupyterhub.auth import PAMAuthenticator, DummyAuthenticator
from jupyterhub.spawner import LocalProcessSpawner
from systemdspawner import SystemdSpawner
import site_auth
"""


def rows_of(check, text):
    """The codes of a check."""
    return [row.code for row in check(config_of(HEAD + text))]


AUTHENTICATE = "    def authenticate(self, h, d): return %s\n"
SPAWN = "    def pre_spawn_start(self, u, s): return %s\n"


@pytest.mark.parametrize(
    "bases, body, expected",
    [
        ("PAMAuthenticator", "    pass\n", []),
        ("PAMAuthenticator", AUTHENTICATE % "super().authenticate(h, d)", []),
        ("PAMAuthenticator", AUTHENTICATE % "super(Own, self).authenticate(h, d)", []),
        ("PAMAuthenticator", AUTHENTICATE % "PAMAuthenticator.authenticate(self, h, d)", []),
        (
            "PAMAuthenticator",
            AUTHENTICATE % "self.check(h, d)",
            ["authenticator-overrides"],
        ),
        (
            "PAMAuthenticator",
            AUTHENTICATE % "LDAPAuthenticator.authenticate(self, h, d)",
            ["authenticator-overrides"],
        ),
        ("PAMAuthenticator", AUTHENTICATE % "getattr(super(), 'authenticate')(h, d)", []),
        (
            "PAMAuthenticator",
            "    def authenticate(self, h, d):\n        s = super()\n"
            "        return s.authenticate(h, d)\n",
            [],
        ),
        ("PAMAuthenticator", AUTHENTICATE % "None", ["authenticator-overrides"]),
        ("PAMAuthenticator", SPAWN % "None", ["authenticator-overrides"]),
        ("PAMAuthenticator", "    authenticate = find()\n", ["authenticator-overrides"]),
        ("PAMAuthenticator", "    def normalize_username(self, name): return name\n", []),
        (
            "PAMAuthenticator",
            (AUTHENTICATE + SPAWN) % ("None", "None"),
            ["authenticator-overrides"] * 2 + ["authenticator-bypasses-pam"],
        ),
        (
            "PAMAuthenticator",
            "    def __init__(self, **kwargs): pass\n",
            ["authenticator-overrides", "authenticator-bypasses-pam"],
        ),
        (
            "PAMAuthenticator",
            "    def get_authenticated_user(self, h, d): return {}\n",
            ["authenticator-overrides"],
        ),
        (
            "PAMAuthenticator",
            "    def get_authenticated_user(self, h, d): return self.authenticate(h, d)\n",
            [],
        ),
        ("site_auth.Mixin, PAMAuthenticator", "    pass\n", ["authenticator-unknown"]),
        ("site_auth.Authenticator", "    pass\n", ["authenticator-unknown"]),
        ("find()", "    pass\n", ["authenticator-unknown"]),
        ("DummyAuthenticator", "    pass\n", ["authenticator-bypasses-pam"]),
        ("DummyAuthenticator, PAMAuthenticator", "    pass\n", ["authenticator-unknown"]),
        ("", "    pass\n", ["authenticator-bypasses-pam"]),
    ],
)
def test_an_authenticator_of_the_file(bases, body, expected):
    """A method that calls super() is covered; other classes are said to be unknown."""
    text = "class Own(%s):\n%sc.JupyterHub.authenticator_class = Own\n" % (bases, body)
    assert rows_of(check_authenticator, text) == expected


def test_a_method_of_a_mixin_is_reported_with_its_line():
    """The class that defines it is named."""
    text = (
        "class Mixin:\n    def authenticate(self, h, d): return None\n"
        "class Own(Mixin, PAMAuthenticator): pass\nc.JupyterHub.authenticator_class = Own\n"
    )
    (row,) = check_authenticator(config_of(HEAD + text))
    assert row.message == "Mixin.authenticate does not call super(), so a login obtains no ticket"
    assert row.path.endswith(":6") and str(row.next) != ""


WITHOUT_MODULE = "LocalProcessSpawner"


@pytest.mark.parametrize(
    "value",
    ["5", "None", "['pam']", "''", "'%s'" % WITHOUT_MODULE, "find()", "PAMAuthenticator()"],
)
def test_a_value_that_is_no_class(value):
    """It is wrong, or it is not known; then nothing is said here."""
    text = "c.JupyterHub.%s_class = " + value + "\n"
    is_wrong = value in ("5", "None", "['pam']", "''", "'%s'" % WITHOUT_MODULE)
    expected = ["class-name-wrong"] if is_wrong else []
    assert rows_of(check_authenticator, text % "authenticator") == expected
    assert rows_of(check_spawner, text % "spawner") == expected


@pytest.mark.parametrize(
    "text, expected",
    [
        ("", []),
        ("class Own(LocalProcessSpawner): pass\n", []),
        ("class Own(SystemdSpawner): pass\nc.SystemdSpawner.isolate_tmp = False\n", []),
        (
            "class Own(SystemdSpawner): pass\nc.SystemdSpawner.isolate_tmp = True\n",
            ["spawner-not-covered"],
        ),
        (
            "class Own(SystemdSpawner): pass\nc.SystemdSpawner.isolate_tmp = True\n"
            "c.Own.isolate_tmp = False\n",
            [],
        ),
        ("class Own(SystemdSpawner): pass\nc.Own.dynamic_users = True\n", ["spawner-not-covered"]),
        ("class Own(SystemdSpawner): pass\nc.Own.dynamic_users = find()\n", ["spawner-unknown"]),
        ("class Own(SystemdSpawner):\n    isolate_tmp = True\n", ["spawner-unknown"]),
        (
            "class Own(SystemdSpawner): pass\nc.Own.username_template = 'jupyter-{USERNAME}'\n",
            ["spawner-not-covered"],
        ),
        ("class Own(SystemdSpawner): pass\nc.Own.username_template = '{USERNAME}'\n", []),
        ("class Own(site_auth.Spawner): pass\n", ["spawner-unknown"]),
        ("class Own: pass\n", ["spawner-not-covered"]),
        ("c.SystemdSpawner.isolate_tmp = True\n", []),
        ("class Own(LocalProcessSpawner): pass\nc.Own.username_template = 'a'\n", []),
        ("c.Spawner.isolate_tmp = True\n", []),
    ],
)
def test_a_spawner_of_the_file(text, expected):
    """It is what it is derived from; the most specific section of a setting counts."""
    text += "c.JupyterHub.spawner_class = Own\n" if "Own" in text else ""
    assert rows_of(check_spawner, text) == expected


def test_the_classes_that_are_not_known_are_named():
    """Behind the class of the hub, which is derived from them."""
    text = HEAD + "class Own(site_auth.Spawner): pass\nc.JupyterHub.spawner_class = Own\n"
    (row,) = check_spawner(config_of(text))
    assert row.message == "the spawner is Own, which derives from site_auth.Spawner"


def test_a_setting_of_the_spawner():
    """None if it is not set, or if the spawner is not known."""
    text = "c.Spawner.x = 1\nc.LocalProcessSpawner.x = 2\nc.SudoSpawner.x = 3\n"
    assert spawner_setting(config_of(text), "x") == 2
    assert spawner_setting(config_of(text), "y") is None
    text += "c.JupyterHub.spawner_class = 'a:b'\n"
    assert spawner_setting(config_of(text), "x") is None


@pytest.mark.parametrize(
    "spawner, expected",
    [("'systemd'", True), ("'simple'", False), ("'site.Own'", False), ("find()", False)],
)
def test_whether_servers_are_served(spawner, expected):
    """Only if that is certain."""
    config = config_of("c.JupyterHub.spawner_class = %s\n" % spawner)
    assert is_served(config) == expected
    assert is_served(config_of(""))


def test_a_call_by_the_name_of_a_class():
    """It counts if the class is one of the ancestors, under its own name or that of the base."""
    text = (
        "Base = PAMAuthenticator\nclass First(Base):\n"
        "    def authenticate(self, h, d): return Base.authenticate(self, h, d)\n"
        "class Own(First):\n"
        "    def authenticate(self, h, d): return PAMAuthenticator.authenticate(self, h, d)\n"
        "c.JupyterHub.authenticator_class = Own\n"
    )
    assert rows_of(check_authenticator, text) == []


def test_a_name_without_its_module():
    """The hub cannot import it; the finding has the whole name."""
    (row,) = check_authenticator(
        config_of("c.JupyterHub.authenticator_class = 'PAMAuthenticator'\n")
    )
    assert row.code == "class-name-wrong" and "jupyterhub.auth.PAMAuthenticator" in row.message
