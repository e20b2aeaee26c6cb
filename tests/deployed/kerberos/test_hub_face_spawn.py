"""A spawn and a stop: a ticket again, what travels to the server, remote spawners, destroy."""

import json
import os
import sys
import threading
import types

import pytest
from tornado import web

from jhpatch.deployed.kerberos import hub_face
from jhpatch.deployed.kerberos.kinit import Kinit
from jhpatch.deployed.kerberos.settings import Settings, TicketSpec
from testing.users import NOBODY, ROOT_ONLY
from tests.deployed import tickets
from tests.deployed.stand_ins import (
    HANDLER,
    KINDS,
    Authenticator,
    DockerSpawner,
    LocalProcessSpawner,
    in_loop,
    program,
    user,
)


@ROOT_ONLY
def test_destroy_finds_the_servers_cache_after_a_restart(log, hub_settings, caches, kdc, keytab):
    """KRB5CCNAME of c.Spawner.environment names it; another cache of the user's stays."""
    server = "FILE:%s/server" % caches
    for cache in (server, "FILE:%s/cc_65534" % caches):
        spec = TicketSpec("alice/service", keytab, cache)
        Kinit(Settings(), kdc.env()).ensure(tickets.NOBODY, spec)
    authenticator = Authenticator(log, destroy="last-server", **hub_settings)
    spawner = LocalProcessSpawner(KRB5CCNAME=server)
    in_loop(lambda: authenticator.post_spawn_stop(user(one=spawner), spawner))
    assert sorted(os.listdir(str(caches))) == ["cc_65534"]


def spawn(authenticator, spawner, name="nobody"):
    """Start a server."""
    return in_loop(lambda: authenticator.pre_spawn_start(user(name, one=spawner), spawner))


@ROOT_ONLY
@pytest.mark.parametrize("kind", sorted(KINDS))
def test_what_travels_to_the_server(log, hub_settings, caches, kind):
    """One variable with resolved values, and KRB5CCNAME; in a copy of the environment."""
    authenticator = Authenticator(log, **hub_settings)
    authenticator.kind = kind
    spawner = LocalProcessSpawner(OTHER="kept")
    old = spawner.environment
    assert spawn(authenticator, spawner) == "spawned"
    assert old == {"OTHER": "kept"} and spawner.environment is not old
    sent = json.loads(spawner.environment["JHPATCH_KERBEROS"])
    assert sent["schema"] == 1
    assert sent["ccache"] == "FILE:" + str(caches / "cc_65534")
    assert (sent["keytab"], sent["central"]) == (hub_settings["keytab"], False)
    assert spawner.environment["KRB5CCNAME"] == sent["ccache"]
    assert spawner.environment["OTHER"] == "kept"


@ROOT_ONLY
@pytest.mark.parametrize("is_called", [False, True])
def test_an_administrators_ccname_wins(log, hub_settings, caches, is_called):
    """KRB5CCNAME in the spawner's environment becomes the cache; a thread asks a callable."""
    path, threads = "FILE:%s/theirs" % caches, []

    def named(spawner):
        threads.append(threading.current_thread())
        return path

    authenticator = Authenticator(log, **hub_settings)
    spawner = LocalProcessSpawner(KRB5CCNAME=named if is_called else path)
    spawn(authenticator, spawner)
    assert spawner.environment["KRB5CCNAME"] == (named if is_called else path)
    assert json.loads(spawner.environment["JHPATCH_KERBEROS"])["ccache"] == path
    assert os.listdir(str(caches)) == ["theirs"]
    assert threading.current_thread() not in threads


@pytest.mark.parametrize("error", [KeyError("x"), SystemExit(1)])
def test_a_ccname_that_raises_is_one_line(log, error):
    """The spawn goes on, without settings; that is said, and where it was raised."""

    def named(spawner):
        raise error

    authenticator = Authenticator(log, principal="x")
    del log.lines[:]
    spawner = LocalProcessSpawner(KRB5CCNAME=named)
    assert spawn(authenticator, spawner) == "spawned"
    assert len(log.lines) == 1 and type(error).__name__ in log.lines[0]
    assert "JHPATCH_KERBEROS" not in spawner.environment


def remote_spawners():
    """Return spawners whose servers are not on this host, or not their users'."""
    isolated, template, dynamic = (LocalProcessSpawner() for _ in range(3))
    isolated.isolate_tmp, dynamic.dynamic_users = True, True
    template.username_template = "jupyter-{USERNAME}"
    return [DockerSpawner(), isolated, template, dynamic]


@pytest.mark.parametrize("policy", ["require", "warn"])
def test_a_spawner_on_another_host_gets_nothing(log, script, tmp_path, policy):
    """Neither a ticket nor the variables; said in one line for each class, at the first server."""
    ran = tmp_path / "ran"
    kinit = script(program("touch %s\n" % ran))
    authenticator = Authenticator(log, kinit=kinit, policy=policy)
    del log.lines[:]
    for _ in range(2):
        for spawner in remote_spawners():
            assert spawn(authenticator, spawner) == "spawned"
            assert spawner.environment == {}
    assert not ran.exists() and len(log.lines) == 2
    assert all("the hub obtains no ticket" in text for text in log.lines)


@pytest.mark.parametrize("newer", [True, False])
def test_require_refuses_a_spawn_only_where_the_hub_survives_it(log, script, monkeypatch, newer):
    """403 where the hub does not count it; elsewhere an error line, and the spawn goes on."""
    module = types.ModuleType("jupyterhub.spawner")
    if newer:
        module.SpawnException = Exception
    monkeypatch.setitem(sys.modules, "jupyterhub.spawner", module)
    authenticator = Authenticator(log, kinit=script(program("exit 1\n")), policy="require")
    if newer:
        with pytest.raises(web.HTTPError) as refused:
            spawn(authenticator, LocalProcessSpawner())
        assert refused.value.status_code == 403
    else:
        assert spawn(authenticator, LocalProcessSpawner()) == "spawned"
        assert any("can exit after refused spawns" in text for text in log.lines)


@pytest.mark.parametrize("when", ["before", "after"])
def test_the_ticket_comes_before_or_after_the_pam_session(log, script, tmp_path, caches, when):
    """A home that PAM mounts, or one that needs the ticket."""
    order = tmp_path / "order"
    order.write_text("")
    order.chmod(0o666)
    kinit = script(program("echo kinit >> %s; exit 1\n" % order))

    class Ordered(Authenticator):
        @hub_face.on_spawn
        def pre_spawn_start(self, user, spawner):
            with open(str(order), "a") as file:
                file.write("session\n")

    spawn(Ordered(log, kinit=kinit, ccache=str(caches / "cc"), when=when), LocalProcessSpawner())
    expected = ["session", "kinit"] if when == "after" else ["kinit", "session"]
    assert order.read_text().split() == (expected if os.geteuid() in (0, NOBODY) else ["session"])


@ROOT_ONLY
@pytest.mark.parametrize("is_named", [False, True])
@pytest.mark.parametrize(
    "destroy, has_other, stays",
    [("never", False, True), ("last-server", True, True), ("last-server", False, False)],
)
def test_the_last_server_takes_the_cache_along_only_if_told(
    log, hub_settings, caches, destroy, has_other, stays, is_named
):
    """Never by default; with last-server when no other runs; the server's own cache if named."""
    name = "theirs" if is_named else "cc_65534"
    environment = {"KRB5CCNAME": "FILE:%s/theirs" % caches} if is_named else {}
    authenticator = Authenticator(log, destroy=destroy, **hub_settings)
    spawner = LocalProcessSpawner(**environment)
    who = user(main=spawner, **({"other": LocalProcessSpawner()} if has_other else {}))
    in_loop(lambda: authenticator.pre_spawn_start(who, spawner))
    assert os.listdir(str(caches)) == [name]
    in_loop(lambda: authenticator.post_spawn_stop(who, spawner))
    assert os.listdir(str(caches)) == [name] * stays


def test_disabled_is_as_upstream(log, script, tmp_path):
    """``enabled = False``: no kinit, nothing for the server, no line."""
    ran = tmp_path / "ran"
    authenticator = Authenticator(log, enabled=False, kinit=script("touch %s\n" % ran))
    spawner = LocalProcessSpawner()
    assert in_loop(lambda: authenticator.authenticate(HANDLER, {})) == "nobody"
    assert spawn(authenticator, spawner) == "spawned"
    assert (spawner.environment, log.lines, ran.exists()) == ({}, [], False)


def test_a_subclass_that_overrides_without_super_goes_on(log):
    """Its spawns are its own; what the hub does about such servers, test_hub_renewer_* shows."""

    class Own(Authenticator):
        def pre_spawn_start(self, user, spawner):
            return "own"

    assert spawn(Own(log), LocalProcessSpawner()) == "own"


def test_who_asked_is_in_the_log():
    """An administrator, or a service, who starts another's server; and from where."""
    admin = types.SimpleNamespace(name="admin")
    handler = types.SimpleNamespace(current_user=admin, request=HANDLER.request)
    spawner = types.SimpleNamespace(handler=handler)
    assert hub_face._asked_by(user("bob"), spawner) == "admin from 192.0.2.7"
    assert hub_face._asked_by(user("admin"), spawner) == "from 192.0.2.7"
    assert hub_face._asked_by(user("bob"), LocalProcessSpawner()) is None
