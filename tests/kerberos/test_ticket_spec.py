"""The ticket of a user is resolved from the settings, as the deployed code does it."""

import os

import pytest

from jhpatch.deployed.kerberos.settings import Settings, TicketSpec
from jhpatch.kerberos import hub_config, ticket_spec
from jhpatch.kerberos.hub_config import Function, HubConfig, Place, Unread
from testing.users import NOBODY, ROOT_ONLY
from tests.kerberos.findings_of import ALICE, KEYTAB, codes


def resolve(default_realm="X", **settings):
    """Return the ticket of alice with these settings of KerberosTicket."""
    config = HubConfig({"KerberosTicket." + name: value for name, value in settings.items()})
    spec, findings = ticket_spec.resolve(config, ALICE, lambda: default_realm)
    return spec, (*ticket_spec.read_settings(config)[1], *findings)


def test_the_default_is_the_users_name_in_the_default_realm():
    """Keytab and cache are libkrb5's then."""
    assert resolve() == (TicketSpec("alice@X", "", ""), ())
    assert resolve(default_realm=None)[0].principal == "alice"


def test_templates_are_filled_in():
    """Name, uid, home, realm and host can be used; a FILE: prefix of a keytab is dropped."""
    spec, findings = resolve(
        keytab="FILE:{home}/{username}.keytab", principal="{username}/{realm}@Y", ccache="/{uid}"
    )
    assert spec == TicketSpec("alice/X@Y", KEYTAB, "FILE:/1001") and not findings
    assert resolve(principal="{host}")[0].principal == os.uname().nodename + "@X"
    assert resolve(principal="{realm}", realm="Z")[0].principal == "Z@X"


@pytest.mark.parametrize("template", ["{nonsense}", "{0}", "{", "relative", "/a\n", "/a\0", 7])
def test_a_template_that_is_wrong(template):
    """It is named, and there is no ticket."""
    spec, findings = resolve(keytab=template)
    assert spec is None and codes(findings) == {"setting-wrong"}


@pytest.mark.parametrize(
    "name, template, account",
    [
        ("principal", "{home}", ALICE._replace(home="")),
        ("keytab", "{home}/keytab", ALICE._replace(home="/a\nb")),
        ("ccache", "/tmp/{username}", ALICE._replace(name="a" * 256)),
    ],
)
def test_a_setting_that_is_wrong_for_one_user(name, template, account):
    """The next step corrects this setting, in its line."""
    setting = "KerberosTicket." + name
    config = HubConfig({setting: template}, places={setting: Place("/c.py", 8)})
    assert not ticket_spec.read_settings(config)[1]
    spec, (finding,) = ticket_spec.resolve(config, account, lambda: "X")
    assert spec is None and (finding.code, finding.path) == ("setting-wrong", "/c.py:8")
    assert "c." + setting in "".join(map(str, finding.next.parts))


def test_a_mapped_principal_comes_first(tmp_path):
    """The map counts before the template, for the users that it names."""
    path = tmp_path / "principals"
    for user, expected in (("alice", "bob/x@X"), ("bob", "carol@X")):
        path.write_text("# names\n%s bob/x # b\n" % user)
        assert resolve(principal="carol", principal_map=str(path))[0].principal == expected


@pytest.mark.parametrize(
    "environment, ccache",
    [
        ({"KRB5CCNAME": "FILE:/c"}, "FILE:/c"),
        ({"KRB5CCNAME": "/c"}, "FILE:/c"),
        ({"KRB5CCNAME": "MEMORY:"}, "MEMORY:"),
        ({"KRB5CCNAME": ""}, "FILE:/d"),
        ({"KRB5CCNAME": 7}, "FILE:/d"),
        ({}, "FILE:/d"),
        ("KRB5CCNAME", "FILE:/d"),
    ],
)
def test_the_administrators_krb5ccname_comes_first(environment, ccache):
    """One in c.Spawner.environment is the cache, as for the deployed code."""
    settings = {"Spawner.environment": environment, "KerberosTicket.ccache": "/d"}
    spec = ticket_spec.resolve(HubConfig(settings), ALICE, lambda: "X")[0]
    assert spec.ccache == ccache


def test_a_principal_map_that_the_hub_refuses(tmp_path):
    """A map that is missing, or that others can write, is a wrong setting."""
    path = tmp_path / "principals"
    path.write_text("alice a/x\n")
    path.chmod(0o666)
    for name in (str(path), str(tmp_path / "missing")):
        spec, findings = resolve(principal_map=name)
        assert spec is None and codes(findings) == {"setting-wrong"}
        assert name in findings[0].message


@ROOT_ONLY
def test_a_principal_map_that_only_the_hub_can_read(tmp_path):
    """It is no wrong setting in the eyes of a user, who cannot tell."""
    path = tmp_path / "principals"
    path.write_text("alice a/x\n")
    path.chmod(0o600)
    pid = os.fork()
    if not pid:
        code = 1
        try:
            os.setuid(NOBODY)
            code = 2 if resolve(principal_map=str(path))[1] else 0
        finally:
            os._exit(code)
    assert os.WEXITSTATUS(os.waitpid(pid, 0)[1]) == 0


@pytest.mark.parametrize(
    "name, value", [("timeout", 0), ("policy", "maybe"), ("renewable", "x"), ("ccache", "MEMORY:")]
)
def test_a_setting_that_disables_the_service(name, value):
    """Each setting is checked as the hub checks it at its start."""
    spec, findings = resolve(**{name: value})
    code = "ccache-unsupported" if name == "ccache" else "setting-wrong"
    assert spec is None and codes(findings) == {code}
    assert "KerberosTicket." + name in findings[0].message


def test_a_setting_of_the_command_line_is_resolved():
    """The templates of the command line count as those of the file do."""
    config = hub_config.with_templates(HubConfig(), {"keytab": "{home}/{username}.keytab"})
    assert ticket_spec.resolve(config, ALICE, lambda: "X")[0].keytab == KEYTAB


@pytest.mark.parametrize("name", ["keytab", "principal"])
def test_a_function_is_a_right_value(name):
    """What it returns is not known: neither is the ticket."""
    assert resolve(**{name: Function("f", 1)}) == (None, ())


@pytest.mark.parametrize("name", ["keytab", "principal", "principal_map", "realm"])
def test_a_setting_that_is_not_known(name):
    """Its default is not taken in its place."""
    templates = {} if name.startswith("principal") else {"KerberosTicket.principal": "{realm}"}
    why = Unread(Place("/c.py", 8), "is computed")
    config = HubConfig(templates, {"KerberosTicket." + name: why})
    assert ticket_spec.resolve(config, ALICE, lambda: "X") == (None, ())


@pytest.mark.parametrize(
    "settings, computed, expected",
    [
        ({}, [], True),
        ({}, ["KerberosTicket.ccache"], False),
        ({}, ["Spawner.environment"], False),
        ({"Spawner.environment": {"KRB5CCNAME": "/c"}}, ["KerberosTicket.ccache"], True),
    ],
)
def test_whether_the_cache_is_known(settings, computed, expected):
    """The spawner's environment counts before the setting of the service."""
    why = Unread(Place("/c.py", 8), "is computed")
    config = HubConfig(settings, dict.fromkeys(computed, why))
    assert ticket_spec.knows_cache(config) == expected


@pytest.mark.parametrize("name", ["ccache", "timeout", "kinit"])
def test_a_function_for_another_setting_is_wrong(name):
    """The finding names the function and the line of the setting."""
    setting = "KerberosTicket." + name
    config = HubConfig({setting: Function("f", 7)}, places={setting: Place("/c.py", 8)})
    (finding,) = ticket_spec.read_settings(config)[1]
    assert finding.code == "setting-wrong" and finding.path == "/c.py:8"
    assert finding.message.endswith("not <function f, line 7>")


@pytest.mark.parametrize("name", Settings._fields)
def test_traitlets_decides(name):
    """A value is wrong if the hub's own class refuses it, whatever its type."""
    traitlets = pytest.importorskip("traitlets")
    config = pytest.importorskip("traitlets.config")
    from jhpatch.deployed.kerberos.traits import KerberosTicket

    values = [0, 1, 2, True, False, 1.0, 0.5, "5", "", "warn", "7d", b"x", None, [], (1,), "/a"]
    for value in values:
        given = config.Config({"KerberosTicket": {name: value}})
        try:
            expected = KerberosTicket(config=given).values()
        except traitlets.TraitError:
            expected = None
        known, wrong = ticket_spec.read_settings(HubConfig({"KerberosTicket." + name: value}))
        assert (known if not wrong else None) == expected, value
