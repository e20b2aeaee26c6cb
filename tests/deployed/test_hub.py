"""The hub's side: settings, the wrappers, and that nothing escapes them but a refusal."""

import json
import os
import re
import sys
import threading
import types

import pytest
from tornado import gen, ioloop, web

from jhpatch.deployed import kerberos
from testing.users import ROOT_ONLY
from tests.deployed.stand_ins import (
    HANDLER,
    KINDS,
    Authenticator,
    DockerSpawner,
    LocalProcessSpawner,
    broken,
    in_loop,
    user,
)


@pytest.fixture
def settings(kdc, keytab, caches, monkeypatch):
    """Settings that get a real ticket for nobody."""
    monkeypatch.setenv("KRB5_CONFIG", kdc.krb5_conf)
    return dict(
        keytab=keytab,
        principal="alice/service@EXAMPLE.TEST",
        ccache=str(caches / "cc_{uid}"),
    )


@ROOT_ONLY
@pytest.mark.parametrize("kind", sorted(KINDS))
@pytest.mark.parametrize("answer", ["nobody", "NOBODY", {"name": "nobody", "auth_state": {}}])
def test_a_login_gets_a_ticket_and_keeps_its_result(log, settings, caches, kind, answer):
    """Name or dict, now or later: upstream's result is the same object; the log has one line."""
    authenticator = Authenticator(log, **settings)
    authenticator.kind, authenticator.answer = kind, answer
    assert in_loop(lambda: authenticator.authenticate(HANDLER, {})) is answer
    assert os.listdir(str(caches)) == ["cc_65534"]
    (line,) = log.lines
    for part in ("nobody", "65534", "alice/service@EXAMPLE.TEST", settings["keytab"], "192.0.2.7"):
        assert part in line


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_login_that_pam_refuses_gets_nothing(log, caches, script, tmp_path, kind):
    """None stays None, and kinit is not run."""
    ran = tmp_path / "ran"
    authenticator = Authenticator(log, kinit=script("touch %s\n" % ran), policy="require")
    authenticator.kind, authenticator.answer = kind, None
    assert in_loop(lambda: authenticator.authenticate(HANDLER, {})) is None
    assert not ran.exists() and log.lines == []


def test_upstreams_error_is_upstreams(log):
    """An exception of PAM's passes through."""
    authenticator = Authenticator(log)
    authenticator.answer = KeyError("PAM")
    with pytest.raises(KeyError):
        in_loop(lambda: authenticator.authenticate(HANDLER, {}))


@pytest.mark.parametrize("policy", ["require", "warn", "ignore"])
def test_without_a_ticket(log, script, caches, policy):
    """require: 503 with the reason; warn: one line; ignore: nothing."""
    kinit = script("echo 'kinit: 100% dead' >&2; exit 1\n")
    authenticator = Authenticator(log, kinit=kinit, ccache=str(caches / "cc"), policy=policy)
    if policy == "require":
        with pytest.raises(web.HTTPError) as refused:
            in_loop(lambda: authenticator.authenticate(HANDLER, {}))
        assert refused.value.status_code == 503
        assert "100%" in refused.value.log_message % refused.value.args
    else:
        assert in_loop(lambda: authenticator.authenticate(HANDLER, {})) == "nobody"
    assert len(log.lines) == (0 if policy == "ignore" else 1)


@ROOT_ONLY
def test_five_logins_take_one_kinit_and_the_loop_goes_on(log, script, caches):
    """A slow KDC: outside of PAM's one thread, side by side, and nothing else waits.

    No kinit ends before all five run, and before the loop has seen that they do.
    """
    seen = str(caches / "seen")
    kinit = script(
        "cd %s; : > ran-$$; while [ ! -e seen ]; do sleep 0.02; done; exit 1\n" % caches
    )
    authenticator = Authenticator(log, kinit=kinit, ccache=str(caches / "cc_{username}"))
    authenticator.kind = "concurrent future"
    names = ["nobody", "daemon", "bin", "sys", "games"]

    def look():
        if len([name for name in os.listdir(str(caches)) if name.startswith("ran-")]) == 5:
            open(seen, "w").close()

    @gen.coroutine
    def logins():
        ticker = ioloop.PeriodicCallback(look, 20)
        ticker.start()
        waiting = []
        for name in names:
            authenticator.answer = name
            waiting.append(authenticator.authenticate(HANDLER, {}))
        yield waiting
        ticker.stop()

    in_loop(logins)
    assert os.path.exists(seen)
    assert len(log.lines) == 5


def test_a_bug_never_stops_anybody(log, monkeypatch):
    """Injected into each wrapper: upstream's result, and the bug in the log."""
    authenticator = Authenticator(log, policy="warn", destroy="last-server")
    monkeypatch.setattr(kerberos, "account_of", broken)
    spawner = LocalProcessSpawner()
    who = user(one=spawner)
    assert in_loop(lambda: authenticator.authenticate(HANDLER, {})) == "nobody"
    assert in_loop(lambda: authenticator.pre_spawn_start(who, spawner)) == "spawned"
    assert in_loop(lambda: authenticator.post_spawn_stop(who, spawner)) == "stopped"
    monkeypatch.setattr(kerberos, "_is_local", broken)
    monkeypatch.setattr(kerberos, "_is_busy", broken)
    authenticator.normalize_username = broken
    assert in_loop(lambda: authenticator.authenticate(HANDLER, {})) == "nobody"
    assert in_loop(lambda: authenticator.pre_spawn_start(who, spawner)) == "spawned"
    assert in_loop(lambda: authenticator.post_spawn_stop(who, spawner)) == "stopped"
    assert any("a bug" in line for line in log.lines)


def test_a_bug_is_no_ticket_where_one_is_required(log, monkeypatch):
    """What cannot be told lets nobody in under ``require``; a stop goes on."""
    authenticator = Authenticator(log, policy="require", destroy="last-server")
    for name in ("account_of", "_is_busy"):
        monkeypatch.setattr(kerberos, name, broken)
    spawner = LocalProcessSpawner()
    with pytest.raises(web.HTTPError) as refused:
        in_loop(lambda: authenticator.authenticate(HANDLER, {}))
    assert refused.value.status_code == 503 and "a bug" in refused.value.log_message
    authenticator.normalize_username = broken
    with pytest.raises(web.HTTPError):
        in_loop(lambda: authenticator.authenticate(HANDLER, {}))
    assert in_loop(lambda: authenticator.post_spawn_stop(user(one=spawner), spawner)) == "stopped"


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
    ],
)
def test_a_wrong_setting_disables_with_one_line(log, name, value):
    """The line names the setting; the hub starts, and logins go on."""
    authenticator = Authenticator(log, **{name: value})
    (line,) = log.lines
    assert line.startswith("ERROR") and "disabled" in line and name in line
    assert in_loop(lambda: authenticator.authenticate(HANDLER, {})) == "nobody"


def test_disabled_is_as_upstream(log, script, tmp_path):
    """``enabled = False``: no kinit, nothing for the server, no line."""
    ran = tmp_path / "ran"
    authenticator = Authenticator(log, enabled=False, kinit=script("touch %s\n" % ran))
    spawner = LocalProcessSpawner()
    assert in_loop(lambda: authenticator.authenticate(HANDLER, {})) == "nobody"
    assert in_loop(lambda: authenticator.pre_spawn_start(user(), spawner)) == "spawned"
    assert (spawner.environment, log.lines, ran.exists()) == ({}, [], False)


@ROOT_ONLY
@pytest.mark.parametrize("kind", sorted(KINDS))
def test_what_travels_to_the_server(log, settings, caches, kind):
    """One variable with resolved values, and KRB5CCNAME; in a copy of the environment."""
    authenticator = Authenticator(log, **settings)
    authenticator.kind = kind
    spawner = LocalProcessSpawner(OTHER="kept")
    old = spawner.environment
    assert in_loop(lambda: authenticator.pre_spawn_start(user(), spawner)) == "spawned"
    assert old == {"OTHER": "kept"} and spawner.environment is not old
    told = json.loads(spawner.environment["JHPATCH_KERBEROS"])
    assert told["schema"] == 1
    assert told["ccache"] == "FILE:" + str(caches / "cc_65534")
    assert (told["keytab"], told["central"]) == (settings["keytab"], False)
    assert spawner.environment["KRB5CCNAME"] == told["ccache"]
    assert spawner.environment["OTHER"] == "kept"


@ROOT_ONLY
def test_an_administrators_ccname_wins(log, settings, caches):
    """KRB5CCNAME in the spawner's environment becomes the cache."""
    authenticator = Authenticator(log, **settings)
    spawner = LocalProcessSpawner(KRB5CCNAME="FILE:%s/theirs" % caches)
    in_loop(lambda: authenticator.pre_spawn_start(user(), spawner))
    assert spawner.environment["KRB5CCNAME"] == "FILE:%s/theirs" % caches
    assert os.listdir(str(caches)) == ["theirs"]


def test_a_spawner_on_another_host_gets_nothing(log, script, tmp_path):
    """Neither a ticket nor the variables; nor one whose /tmp is its own."""
    ran = tmp_path / "ran"
    authenticator = Authenticator(log, kinit=script("touch %s\n" % ran))
    isolated = LocalProcessSpawner()
    isolated.isolate_tmp = True
    for spawner in (DockerSpawner(), isolated):
        in_loop(lambda spawner=spawner: authenticator.pre_spawn_start(user(), spawner))
        assert spawner.environment == {}
    assert not ran.exists()


@pytest.mark.parametrize("newer", [True, False])
def test_require_refuses_a_spawn_only_where_the_hub_survives_it(log, script, monkeypatch, newer):
    """403 where the hub does not count it; elsewhere an error line, and the spawn goes on."""
    module = types.ModuleType("jupyterhub.spawner")
    if newer:
        module.SpawnException = Exception
    monkeypatch.setitem(sys.modules, "jupyterhub.spawner", module)
    authenticator = Authenticator(log, kinit=script("exit 1\n"), policy="require")
    if newer:
        with pytest.raises(web.HTTPError) as refused:
            in_loop(lambda: authenticator.pre_spawn_start(user(), LocalProcessSpawner()))
        assert refused.value.status_code == 403
    else:
        result = in_loop(lambda: authenticator.pre_spawn_start(user(), LocalProcessSpawner()))
        assert result == "spawned"
        assert any(line.startswith("ERROR") for line in log.lines)


@pytest.mark.parametrize("when", ["before", "after"])
def test_the_ticket_comes_before_or_after_the_pam_session(log, script, tmp_path, caches, when):
    """A home that PAM mounts, or one that needs the ticket."""
    order = tmp_path / "order"
    order.write_text("")
    order.chmod(0o666)
    kinit = script("echo kinit >> %s; exit 1\n" % order)

    class Ordered(Authenticator):
        @kerberos.on_spawn
        def pre_spawn_start(self, user, spawner):
            with open(str(order), "a") as file:
                file.write("session\n")

    authenticator = Ordered(log, kinit=kinit, ccache=str(caches / "cc"), when=when)
    in_loop(lambda: authenticator.pre_spawn_start(user(), LocalProcessSpawner()))
    expected = ["session", "kinit"] if when == "after" else ["kinit", "session"]
    lines = order.read_text().split()
    assert lines == (expected if os.geteuid() == 0 else ["session"])


@ROOT_ONLY
def test_the_last_server_takes_the_cache_along_only_if_told(log, settings, caches):
    """``destroy``: never by default; with last-server when no other server runs."""
    for destroy, others, left in (
        ("never", {}, ["cc_65534"]),
        ("last-server", {"other": LocalProcessSpawner()}, ["cc_65534"]),
        ("last-server", {}, []),
    ):
        authenticator = Authenticator(log, destroy=destroy, **settings)
        spawner = LocalProcessSpawner()
        who = user(main=spawner, **others)
        in_loop(lambda a=authenticator: a.authenticate(HANDLER, {}))
        in_loop(lambda a=authenticator, w=who, s=spawner: a.post_spawn_stop(w, s))
        assert os.listdir(str(caches)) == left


def test_a_hub_that_is_not_root_says_so(log, monkeypatch, script):
    """It gets no ticket for another uid, and names the reason."""
    monkeypatch.setattr(kerberos.os, "geteuid", lambda: 4242)
    authenticator = Authenticator(log, kinit=script("exit 1\n"))
    assert in_loop(lambda: authenticator.authenticate(HANDLER, {})) == "nobody"
    assert "not root" in log.lines[0]


def test_templates_and_callables(log):
    """A callable gets the user name; what it gives is checked."""
    account = kerberos.Account("nobody", 65534, 65534, "/home/nobody")
    settings = kerberos.KerberosTicket(
        principal=lambda name: name + "/host", keytab="{home}/{username}-{uid}.keytab", realm="R"
    )
    wanted = kerberos.wanted_of(settings, account)
    assert wanted[:2] == ("nobody/host", "/home/nobody/nobody-65534.keytab")
    for bad in (lambda name: None, lambda name: "a\nb", lambda name: ""):
        with pytest.raises(kerberos.Problem):
            kerberos.wanted_of(kerberos.KerberosTicket(principal=bad), account)


def test_no_thread_but_the_pools(log):
    """A hub that has started runs no keeper of the server's."""
    before = set(threading.enumerate())
    Authenticator(log)
    assert not any("jhpatch" in one.name for one in set(threading.enumerate()) - before)


def test_every_setting_is_in_the_docs():
    """Each with a row of the table, and no row without a setting."""
    path = os.path.join(os.path.dirname(__file__), "..", "..", "docs", "settings.md")
    with open(path, encoding="utf-8") as file:
        rows = set(re.findall(r"^\| `c\.KerberosTicket\.(\w+)` \|", file.read(), re.M))
    assert rows == set(kerberos.KerberosTicket.class_trait_names(config=True)) - {"log"}
