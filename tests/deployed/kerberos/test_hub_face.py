"""A login: upstream's result, a ticket, and that nothing escapes but a refusal."""

import os
import threading
import types

import pytest
from tornado import gen, ioloop, web

from jhpatch.deployed.kerberos import hub as hubs
from jhpatch.deployed.kerberos import hub_face, on_loop
from testing.users import ROOT_ONLY
from testing.waiting import LIMIT, until
from tests.deployed.stand_ins import (
    HANDLER,
    KINDS,
    Authenticator,
    LocalProcessSpawner,
    broken,
    in_loop,
    program,
    user,
)


def login(authenticator):
    """Log in."""
    return in_loop(lambda: authenticator.authenticate(HANDLER, {}))


@ROOT_ONLY
@pytest.mark.parametrize("kind", sorted(KINDS))
@pytest.mark.parametrize("answer", ["nobody", "NOBODY", {"name": "nobody", "auth_state": {}}])
def test_a_login_gets_a_ticket_and_keeps_its_result(log, hub_settings, caches, kind, answer):
    """Name or dict, now or later: upstream's result is the same object; the log has one line."""
    authenticator = Authenticator(log, **hub_settings)
    authenticator.kind, authenticator.answer = kind, answer
    assert login(authenticator) is answer
    assert os.listdir(str(caches)) == ["cc_65534"]
    (text,) = log.lines
    parts = ("nobody", "65534", "alice/service@EXAMPLE.TEST", hub_settings["keytab"], "192.0.2.7")
    assert all(part in text for part in parts)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_login_that_pam_refuses_gets_nothing(log, script, tmp_path, kind):
    """None stays None, and kinit is not run."""
    ran = tmp_path / "ran"
    kinit = script(program("touch %s\n" % ran))
    authenticator = Authenticator(log, kinit=kinit, policy="require")
    del log.lines[:]
    authenticator.kind, authenticator.answer = kind, None
    assert login(authenticator) is None
    assert not ran.exists() and log.lines == []


def test_upstreams_error_is_upstreams(log):
    """An exception of PAM's passes through."""
    authenticator = Authenticator(log)
    authenticator.answer = KeyError("PAM")
    with pytest.raises(KeyError):
        login(authenticator)


@pytest.mark.parametrize("wrap", [hub_face.on_login, hub_face.on_spawn, hub_face.on_stop])
def test_arguments_of_a_later_hub_reach_its_method(wrap):
    """A method that takes more than those of today gets it, by position and by name."""
    method = wrap(lambda *arguments, **named: (arguments, named))
    given = (types.SimpleNamespace(), user(), "spawner", "more")
    assert in_loop(lambda: method(*given, failed=True)) == (given, {"failed": True})


@pytest.mark.parametrize("policy", [pytest.param("require", marks=ROOT_ONLY), "warn", "ignore"])
def test_without_a_ticket(log, script, caches, policy):
    """require: 503 with the reason, as it is; warn: one line; ignore: nothing."""
    kinit = script(program("echo 'kinit: 100% dead' >&2; exit 1\n"))
    authenticator = Authenticator(log, kinit=kinit, ccache=str(caches / "cc"), policy=policy)
    del log.lines[:]
    if policy == "require":
        with pytest.raises(web.HTTPError) as refused:
            login(authenticator)
        assert refused.value.status_code == 503
        # As JupyterHub shows it (BaseHandler.write_error).
        assert refused.value.log_message % refused.value.args == (
            "No Kerberos ticket: kinit: 100% dead"
        )
    else:
        assert login(authenticator) == "nobody"
    assert len(log.lines) == (0 if policy == "ignore" else 1)


@ROOT_ONLY
def test_under_require_one_user_alone_is_refused(log, hub_settings):
    """A callable knows no daemon: 503 for daemon, and nobody logs in beside."""
    principals = {"nobody": hub_settings["principal"]}
    hub_settings["principal"] = lambda name: principals[name]
    authenticator = Authenticator(log, policy="require", **hub_settings)
    authenticator.answer = "daemon"
    with pytest.raises(web.HTTPError) as refused:
        login(authenticator)
    assert refused.value.status_code == 503 and "KeyError" in refused.value.log_message
    authenticator.answer = "nobody"
    assert login(authenticator) == "nobody"


@ROOT_ONLY
def test_logins_run_side_by_side_and_the_loop_goes_on(log, script, caches):
    """A slow KDC: outside of PAM's one thread, and nothing else waits.

    No kinit ends before all five run, and before the loop has seen that they do.
    """
    seen = str(caches / "seen")
    text = "cd %s; : > ran-$$; while [ ! -e seen ]; do sleep 0.02; done; exit 1\n" % caches
    authenticator = Authenticator(
        log, kinit=script(program(text)), ccache=str(caches / "cc_{username}"), timeout=LIMIT
    )
    authenticator.kind = "concurrent future"

    def look():
        if len([name for name in os.listdir(str(caches)) if name.startswith("ran-")]) == 5:
            open(seen, "w").close()

    @gen.coroutine
    def logins():
        ticker = ioloop.PeriodicCallback(look, 20)
        ticker.start()
        waiting = []
        for name in ("nobody", "daemon", "bin", "sys", "games"):
            authenticator.answer = name
            waiting.append(authenticator.authenticate(HANDLER, {}))
        yield waiting
        ticker.stop()

    in_loop(logins)
    assert os.path.exists(seen) and len(log.lines) == 5


@pytest.mark.parametrize("policy", ["warn", "require"])
def test_a_directory_that_hangs_holds_no_login_longer_than_the_timeout(log, monkeypatch, policy):
    """Each of forty logins waits for it, in one thread; then the policy decides, in one line."""
    gate, asked = threading.Event(), []

    def account_of(name, min_uid):
        asked.append(threading.current_thread())
        assert gate.wait(LIMIT)
        raise KeyError(name)

    def soon(seconds, future):
        return on_loop.within(seconds / 1000, future)

    monkeypatch.setattr(hubs, "account_of", account_of)
    # A thousandth of the time that a login waits; all of it for a thread to start.
    monkeypatch.setattr(hub_face, "within", soon)
    authenticator = Authenticator(log, policy=policy, timeout=LIMIT)

    @gen.coroutine
    def logins():
        results = []
        for waiting in [authenticator.authenticate(HANDLER, {}) for _ in range(40)]:
            try:
                results.append((yield waiting))
            except web.HTTPError as error:
                results.append(error.status_code)
        raise gen.Return(results)

    del log.lines[:]
    try:
        assert in_loop(logins) == ["nobody" if policy == "warn" else 503] * 40
        until(lambda: asked)
        assert len(asked) == 1 and asked[0] is not threading.current_thread()
        assert len(log.lines) == 1 and "no ticket within 301 s" in log.lines[0]
    finally:
        gate.set()


CALLEES = [
    (hubs, "account_of"),
    (hubs.HubTickets, "ensure"),
    (hubs.HubTickets, "spec"),
    (hubs.HubTickets, "request"),
    (hubs.HubTickets, "prepare_spawn"),
    (hubs.HubTickets, "environment"),
    (hubs.HubTickets, "_remember"),
    (hubs.HubTickets, "forget"),
    (hubs.HubTickets, "_destroy"),
    (hubs.Kinit, "ensure"),
    (hubs.Requests, "submit"),
    (hubs.HubLog, "failed"),
    (hubs.HubLog, "obtained"),
    (hub_face, "is_local"),
    (hub_face, "within"),
    (hub_face, "_asked_by"),
    (Authenticator, "normalize_username"),
]


@pytest.mark.parametrize("callee", CALLEES, ids=[name for _, name in CALLEES])
def test_a_bug_never_stops_anybody(log, monkeypatch, callee, script):
    """Injected into each callee: upstream's results, from each wrapper."""
    kinit = script(program("exit 1\n"))
    authenticator = Authenticator(log, policy="warn", destroy="last-server", kinit=kinit)
    monkeypatch.setattr(*callee, broken)
    spawner = LocalProcessSpawner()
    who = user(one=spawner)
    assert login(authenticator) == "nobody"
    assert in_loop(lambda: authenticator.pre_spawn_start(who, spawner)) == "spawned"
    assert in_loop(lambda: authenticator.post_spawn_stop(who, spawner)) == "stopped"
    assert authenticator.calls == ["authenticate", "pre_spawn_start", "post_spawn_stop"]


@pytest.mark.parametrize(
    "callee",
    [
        one
        for one in CALLEES
        if one[1] in ("account_of", "ensure", "request", "submit", "within", "normalize_username")
    ],
)
def test_a_bug_is_no_ticket_where_one_is_required(log, monkeypatch, callee):
    """What cannot be told lets nobody in under ``require``."""
    authenticator = Authenticator(log, policy="require")
    monkeypatch.setattr(*callee, broken)
    with pytest.raises(web.HTTPError) as refused:
        login(authenticator)
    assert refused.value.status_code == 503 and "a bug" in refused.value.log_message


def test_create_system_users_lets_a_new_user_in(log, script):
    """Under ``require``: the account comes after this method; without the option it never does."""
    kinit = script(program("exit 1\n"))
    for creates in (True, False):
        authenticator = Authenticator(log, policy="require", kinit=kinit)
        authenticator.create_system_users = creates
        authenticator.answer = "jhpatch-newton"
        if creates:
            assert login(authenticator) == "jhpatch-newton"
        else:
            with pytest.raises(web.HTTPError, match="is not a user"):
                login(authenticator)


def test_a_hub_that_is_not_root_says_so(log, monkeypatch, script):
    """It gets no ticket for another uid, and names the reason."""
    monkeypatch.setattr(os, "geteuid", lambda: 4242)
    authenticator = Authenticator(log, kinit=script(program("exit 1\n")))
    assert any("this hub does not run as root" in text for text in log.lines)
    assert login(authenticator) == "nobody"
    assert any("not run as root" in text and "uid 65534" in text for text in log.lines)
