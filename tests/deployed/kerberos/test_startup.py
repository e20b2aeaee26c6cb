"""The start in a hub: settings errors with their place, the renewer, wrapped authenticators."""

import os
import sys
import threading
import types

import pytest
from traitlets import Dict
from traitlets.config import Config, LoggingConfigurable

from jhpatch.deployed.kerberos import process, programs, startup
from jhpatch.deployed.kerberos.errors import Problem
from jhpatch.deployed.kerberos.hub_renewer import Server
from testing.users import ROOT_ONLY
from testing.waiting import until
from tests.deployed.stand_ins import (
    HANDLER,
    App,
    Authenticator,
    DockerSpawner,
    LocalProcessSpawner,
    WithHub,
    broken,
    in_loop,
    program,
    running,
    user,
)


def hub_with(tmp_path, text, **settings):
    """Return a hub whose configuration file has this text, and these settings."""
    app = App([], **settings)
    path = tmp_path / "jupyterhub_config.py"
    path.write_text(text)
    app.config_file = str(path)
    return app


@pytest.mark.parametrize(
    "name, value",
    [
        ("timeout", -1),
        ("timeout", "soon"),
        ("refresh_at", 1.5),
        ("retry", 0),
        ("policy", "maybe"),
        ("lifetime", "a while"),
        ("renewable", "7d; rm -rf /"),
        ("principal", "{user}"),
        ("keytab", "{0}"),
        ("keytab", 7),
        ("ccache", "/tmp/krb5cc_{uid"),
        ("min_uid", "x"),
        ("when", "never"),
        ("destroy", "always"),
        ("principal_map", "/nowhere/map"),
    ],
)
def test_a_wrong_setting_is_one_error_with_its_place(log, tmp_path, name, value):
    """File and line, the setting's name; the hub starts, and logins go on."""
    text = "# c.KerberosTicket.%s = 1\nc.KerberosTicket.%s = %r\n" % (name, name, value)
    app = hub_with(tmp_path, text, **{name: value})
    authenticator = WithHub(app, log)
    (text,) = log.lines
    assert text.startswith("ERROR Kerberos tickets are disabled: %s:2: " % app.config_file), text
    assert name in text and text.isprintable()
    assert in_loop(lambda: authenticator.authenticate(HANDLER, {})) == "nobody"


def test_a_misspelt_setting_is_one_error_with_its_place(log, tmp_path):
    """With what it may have meant; the service runs."""
    app = hub_with(tmp_path, "\nc.KerberosTicket.keytap = '/x'\n", keytap="/x")
    authenticator = WithHub(app, log)
    (text,) = [text for text in log.lines if text.startswith("ERROR")]
    assert "%s:2: " % app.config_file in text and "'keytap'; did you mean keytab?" in text
    assert authenticator._jhpatch_kerberos is not None


def test_a_kinit_that_is_missing_is_one_error(log, monkeypatch):
    """The one that is set, or all of them."""
    Authenticator(log, kinit="/nowhere/kinit")
    monkeypatch.setattr(programs.shutil, "which", lambda *_, **__: None)
    Authenticator(log)
    assert len(log.lines) == 2 and all("ERROR" in text for text in log.lines)
    assert "/nowhere/kinit" in log.lines[0] and "there is no kinit in" in log.lines[1]


@ROOT_ONLY
def test_a_setpriv_that_is_missing_is_one_error(log, monkeypatch, tmp_path, script):
    """The hub cannot become a user."""
    monkeypatch.setattr(process, "PATH", str(tmp_path))
    Authenticator(log, kinit=script(program("exit 1\n")))
    (text,) = log.lines
    assert text.startswith("ERROR") and "this host has no setpriv" in text


@pytest.mark.parametrize(
    "settings, missing",
    [
        ({}, "ccache and c.KerberosTicket.keytab"),
        ({"keytab": "/x"}, "ccache"),
        ({"ccache": "/x"}, "keytab"),
        ({"ccache": "/x", "keytab": "/x"}, None),
    ],
)
def test_heimdals_kinit_needs_a_cache_and_a_keytab(log, script, settings, missing):
    """It has no client keytab, and its klist does not name a default cache that is absent."""
    kinit = script('test "$1" = --version && echo "kinit (Heimdal 7.8.0)" >&2; exit 1\n')
    authenticator = Authenticator(log, kinit=kinit, **settings)
    assert (authenticator._jhpatch_kerberos is None) == bool(missing)
    errors = [text for text in log.lines if text.startswith("ERROR")]
    assert len(errors) == bool(missing)
    if missing:
        assert errors[0].endswith("is Heimdal's kinit: set c.KerberosTicket.%s" % missing)


def test_a_realm_that_libkrb5_does_not_have_is_one_error(log, monkeypatch):
    """``{realm}`` would be empty: alice/hub@."""

    def nothing(_):
        raise Problem("kinit names no default realm: ")

    monkeypatch.setattr(programs.Programs, "default_realm", nothing)
    Authenticator(log, principal="{username}/hub@{realm}")
    (text,) = [text for text in log.lines if text.startswith("ERROR")]
    assert "KerberosTicket.realm is not set, a template has {realm}" in text
    authenticator = Authenticator(log, principal="{username}/hub@{realm}", realm="R")
    assert authenticator._jhpatch_kerberos.settings.realm == "R"


def test_the_realm_is_libkrb5s_default_one(log, kdc, monkeypatch):
    """As libkrb5 itself has it."""
    monkeypatch.setenv("KRB5_CONFIG", kdc.krb5_conf)
    authenticator = Authenticator(log, principal="{username}/hub@{realm}")
    assert authenticator._jhpatch_kerberos.settings.realm == "EXAMPLE.TEST"


@pytest.mark.parametrize(
    "callee",
    ["app_of", "_checked", "_tickets", "HubTickets", "HubRenewer", "KerberosTicket"],
)
def test_a_bug_at_the_start_disables_the_service_alone(log, monkeypatch, callee):
    """One error; the hub starts, and everybody logs in."""
    monkeypatch.setattr(startup, callee, broken)
    authenticator = WithHub(App([]), log)
    assert authenticator._jhpatch_kerberos is None
    errors = [text for text in log.lines if text.startswith("ERROR")]
    assert len(errors) == 1 and "a bug" in errors[0] and errors[0].isprintable()
    assert in_loop(lambda: authenticator.authenticate(HANDLER, {})) == "nobody"


# The hub of an authenticator.


class Multi(LoggingConfigurable):
    """An authenticator that wraps others (MultiAuthenticator), each with itself as parent."""


def renewers(log_or_tickets=None):
    """The renewal threads of this process."""
    return [one for one in threading.enumerate() if one.name == "jhpatch-kerberos"]


@pytest.mark.parametrize("depth", [0, 1, 3])
def test_a_wrapped_authenticator_finds_its_hub(log, loop, monkeypatch, depth):
    """By its parents: the renewer runs, and reports servers that start without settings."""
    monkeypatch.setattr("tornado.ioloop.IOLoop.current", lambda *_, **__: loop)
    parent = app = App([])
    for _ in range(depth):
        parent = Multi(parent=parent)
    authenticator = WithHub(parent, log)
    assert startup.app_of(authenticator) is app
    renewer = authenticator._jhpatch_kerberos.renewer
    assert renewer.is_alive()
    until(lambda: renewer._has_looked)
    app.users[1] = user("alice", one=LocalProcessSpawner(), two=DockerSpawner())
    renewer.wake()
    until(lambda: renewer._without_settings == {Server("alice", "")})
    until(lambda: sum("without the settings" in text for text in log.lines) == 1)
    assert sum("obtains no ticket for servers of DockerSpawner" in text for text in log.lines) == 1


def test_an_authenticator_without_parents_finds_the_hub_of_the_process(log, monkeypatch):
    """Some wrappers pass a config and no parent; JupyterHub is a singleton."""
    app = App([])

    class JupyterHub:
        initialized = staticmethod(lambda: True)
        instance = staticmethod(lambda: app)

    module = types.ModuleType("jupyterhub.app")
    monkeypatch.setitem(sys.modules, "jupyterhub.app", module)
    assert startup.app_of(Multi()) is None
    module.JupyterHub = JupyterHub
    assert startup.app_of(Multi()) is app
    JupyterHub.initialized = staticmethod(lambda: False)
    assert startup.app_of(Multi()) is None


def test_two_authenticators_of_one_hub_share_the_service(log):
    """One renewer a hub: a user of both has one request in flight, and one line in the log."""
    app = App([])
    first, second = WithHub(Multi(parent=app), log), WithHub(Multi(parent=app), log)
    assert second._jhpatch_kerberos is first._jhpatch_kerberos
    lines = len(log.lines)
    other = Multi(parent=app)
    other.config = Config({"KerberosTicket": {"retry": 7.0}})
    third = WithHub(other, log)
    assert third._jhpatch_kerberos is not first._jhpatch_kerberos
    assert third._jhpatch_kerberos.renewer is first._jhpatch_kerberos.renewer
    assert "different settings" in log.lines[-1] and len(log.lines) == lines + 1 + (
        os.geteuid() != 0
    )


def test_without_a_hub_there_is_no_renewer(log):
    """Tickets at logins all the same."""
    before = set(renewers())
    authenticator = Authenticator(log)
    assert authenticator._jhpatch_kerberos.renewer is None
    assert set(renewers()) <= before  # an earlier one may end meanwhile


def test_a_hub_that_starts_has_no_users_yet():
    """None, by whatever such a hub raises; then a list of its own."""

    class Starting(LoggingConfigurable):
        users = Dict()

    app = Starting()
    app.users = {1: "alice"}
    users = startup.users_of(app)
    assert users == ["alice"]
    users.pop()
    assert startup.users_of(app) == ["alice"]
    assert startup.users_of(types.SimpleNamespace(users=None)) is None


def test_the_renewer_wakes_for_running_servers(log, loop, monkeypatch):
    """The first look is at once: after a restart nobody has to log in."""
    monkeypatch.setattr("tornado.ioloop.IOLoop.current", lambda *_, **__: loop)
    authenticator = WithHub(App(running("nobody")), log)
    renewer = authenticator._jhpatch_kerberos.renewer
    until(lambda: renewer._due or renewer._running)
