"""Hubs whose configuration differs from the classic one: wrapped and derived authenticators,
users that the hub creates, a KRB5CCNAME of the administrator's, settings that are wrong.
"""

import json
import os
from typing import Any

import pytest

from integration.e2e.client import Browser, Refused
from integration.e2e.hub import CLASSIC, SERVICE, Hub, running
from integration.e2e.krb5_conf import Krb5Conf
from integration.e2e.patched_stack import cache_of, is_valid
from integration.e2e.people import (
    PASSWORD,
    add_person,
    environment_of,
    shell_as,
    spawn,
    wait_for_renewals,
)
from integration.e2e.stacks import ENDS, Stack
from integration.e2e.stub_server import stub
from integration.e2e.world import PASSWORDS
from testing.kdc import SilentKdc
from testing.waiting import until

# Other stacks have no tests here, rather than skipped ones (integration/e2e/test_front_ends.py).
__test__ = os.environ.get("JHPATCH_E2E_INNER", ENDS[0]) in ENDS

LIFE = "20s"
SOON = SERVICE + "c.KerberosTicket.retry = 1.0\n"
REQUIRE = CLASSIC + "c.KerberosTicket.policy = 'require'\n"
NO_SETTINGS = "does not call pre_spawn_start"


def sent_to(hub: Hub, name: str) -> Any:
    """The environment of a user's server."""
    return environment_of(hub.servers(name)[0])


# As MultiAuthenticator does it, without and with the hook of a spawn.
_WRAPPER = """
from jupyterhub.auth import Authenticator, PAMAuthenticator
from tornado import gen

class Wrapper(Authenticator):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.wrapped = PAMAuthenticator(parent=self)

    @gen.coroutine
    def authenticate(self, handler, data):
        result = yield self.wrapped.authenticate(handler, data)
        return result

class Delegating(Wrapper):
    @gen.coroutine
    def pre_spawn_start(self, user, spawner):
        yield self.wrapped.pre_spawn_start(user, spawner)

c.JupyterHub.authenticator_class = %s
"""


@pytest.mark.parametrize("kind", ["Wrapper", "Delegating"])
def test_a_wrapped_authenticator_has_the_whole_service(
    patched: Stack, scratch: str, kdc: Any, kind: str
) -> None:
    """The breaker closes by itself when the KDC is back; a server has its settings, or one line
    reports that it has none; its ticket is renewed either way."""
    name, folder = "of-" + kind.lower(), scratch + "/wrapped-" + kind
    add_person(kdc, name, life=LIFE)
    conf = Krb5Conf(folder, kdc)
    extra = CLASSIC + SOON + stub(patched, folder + "/stub") + _WRAPPER % kind
    extra += "c.KerberosTicket.timeout = 2.0\n"
    with running(patched, folder + "/hub", extra, conf.environment) as hub:
        with SilentKdc(folder) as silent:
            conf.replace(silent.krb5_conf)
            Browser(hub, name).login(PASSWORD)
            until(lambda: hub.lines("the KDC", "does not answer"))
            assert not os.path.exists(cache_of(name))
        conf.restore()
        until(lambda: hub.lines("the KDC", "answers again"))
        Browser(hub, name).login(PASSWORD)
        assert is_valid(name), hub.tail()
        spawn(hub, name)
        wait_for_renewals(name, 2)
        has_settings = "JHPATCH_KERBEROS" in sent_to(hub, name)
        assert has_settings is (kind == "Delegating")
        assert len(hub.lines(NO_SETTINGS)) == (not has_settings), hub.tail()


_SUBCLASS = """
from jupyterhub.auth import PAMAuthenticator
from tornado import gen

class Own(PAMAuthenticator):
    @gen.coroutine
    def pre_spawn_start(self, user, spawner):
        spawner.environment["OWN"] = "1"

c.JupyterHub.authenticator_class = Own
"""


def test_a_subclass_that_overrides_pre_spawn_start_is_reported_and_served(
    patched: Stack, scratch: str, kdc: Any
) -> None:
    """Without super() a server has no settings: one line says so, and the hub renews."""
    folder = scratch + "/subclass"
    extra = CLASSIC + SOON + stub(patched, folder + "-stub") + _SUBCLASS
    for name in ("sally", "steve"):
        add_person(kdc, name, life=LIFE)
    with running(patched, folder, extra) as hub:
        for name in ("sally", "steve"):
            Browser(hub, name).login(PASSWORD)
            spawn(hub, name)
            assert sent_to(hub, name)["OWN"] == "1"
        for name in ("sally", "steve"):
            wait_for_renewals(name, 2)
        assert len(hub.lines(NO_SETTINGS)) == 1, hub.tail()


_PERMIT = """auth required pam_permit.so
account required pam_permit.so
session required pam_permit.so
"""


def test_a_user_that_the_hub_creates_gets_in_at_once(
    patched: Stack, scratch: str, kdc: Any
) -> None:
    """create_system_users under "require": the first login creates the user, whose server has a
    ticket; a user whom the host knows and who has no ticket is refused."""
    folder = scratch + "/created"
    os.makedirs(folder + "-keytabs", mode=0o711)
    keytab = folder + "-keytabs/newbie.keytab"
    kdc.add_principal("newbie/service", keytab=keytab)
    os.chmod(keytab, 0o600)
    with open("/etc/pam.d/jhpatch-test", "w") as file:
        file.write(_PERMIT)
    extra = REQUIRE + SERVICE + stub(patched, folder + "-stub")
    extra += "c.KerberosTicket.keytab = '%s-keytabs/{username}.keytab'\n" % folder
    extra += "c.PAMAuthenticator.service = 'jhpatch-test'\n"
    extra += "c.LocalAuthenticator.create_system_users = True\n"
    with running(patched, folder, extra) as hub:
        Browser(hub, "newbie").login("anything")
        spawn(hub, "newbie")
        assert is_valid("newbie"), hub.tail()
        Browser(hub, "newbie").login("anything")
        with pytest.raises(Refused) as refused:
            Browser(hub, "bob").login("anything")
        assert refused.value.status == 503


def test_a_callable_krb5ccname_of_the_administrators_is_the_cache(
    patched: Stack, scratch: str, kdc: Any
) -> None:
    """Spawner.environment has a callable: server, settings and ticket agree on what it returns."""
    folder = scratch + "/callable-cache"
    extra = CLASSIC + SERVICE + stub(patched, folder + "-stub")
    extra += "name_of = lambda spawner: 'FILE:/tmp/own_' + spawner.user.name\n"
    extra += "c.Spawner.environment = {'KRB5CCNAME': name_of}\n"
    add_person(kdc, "otis")
    with running(patched, folder, extra) as hub:
        Browser(hub, "otis").login(PASSWORD)
        spawn(hub, "otis")
        sent = sent_to(hub, "otis")
        assert sent["KRB5CCNAME"] == "FILE:/tmp/own_otis"
        assert json.loads(sent["JHPATCH_KERBEROS"])["ccache"] == "FILE:/tmp/own_otis"
        shell_as("otis", "klist -s -c FILE:/tmp/own_otis")


def test_realm_in_a_template_is_libkrb5s_default(patched: Stack, scratch: str, kdc: Any) -> None:
    """``{realm}`` without a ``realm``: the ticket is of the default realm's principal."""
    add_person(kdc, "rita")
    extra = REQUIRE + "c.KerberosTicket.principal = '{username}/service@{realm}'\n"
    with running(patched, scratch + "/realm", extra) as hub:
        Browser(hub, "rita").login(PASSWORD)
        assert is_valid("rita"), hub.tail()


WRONG = {
    "misspelt": ("keytabs = '/etc/x'", "no setting 'keytabs'; did you mean keytab?"),
    "choice": ("policy = 'requir'", "policy"),
    "type": ("timeout = 'soon'", "timeout"),
    "path": ("keytab = 'x.keytab'", "KerberosTicket.keytab must be an absolute path"),
    "program": ("kinit = '/no/kinit'", "KerberosTicket.kinit: /no/kinit"),
}


@pytest.mark.parametrize("kind", sorted(WRONG))
def test_a_wrong_setting_is_an_error_with_its_line(
    patched: Stack, scratch: str, kdc: Any, kind: str
) -> None:
    """The hub starts and logs one error with file and line; logins go on."""
    folder, setting = scratch + "/wrong-" + kind, "c.KerberosTicket." + WRONG[kind][0]
    with running(patched, folder, CLASSIC + setting + "\n") as hub:
        path = folder + "/jupyterhub_config.py"
        with open(path) as file:
            (number,) = [n for n, line in enumerate(file, 1) if line.strip() == setting]
        found = hub.lines("erberos", WRONG[kind][1])
        assert len(found) == 1 and found[0].startswith("[E"), hub.tail()
        assert "%s:%d: " % (path, number) in found[0]
        Browser(hub, "bob").login(PASSWORDS["bob"])
