"""The ticket of a user is resolved from the settings, as the deployed code does it."""

import os

import pytest

from jhpatch.kerberos import hub_config, ticket_spec
from jhpatch.kerberos.hub_config import HubConfig
from jhpatch.kerberos.ticket_spec import TicketSpec
from tests.kerberos.findings_of import ALICE, KEYTAB, codes


def resolve(principals=(), default_realm="X", **settings):
    """Return the ticket of alice with these settings of KerberosTicket."""
    config = HubConfig({"KerberosTicket." + name: value for name, value in settings.items()})
    return ticket_spec.resolve(config, ALICE, default_realm, dict(principals))


def test_the_default_is_the_users_name_in_the_default_realm():
    """Keytab and cache are libkrb5's then."""
    assert resolve() == (TicketSpec("alice@X", "", "", False), ())
    assert resolve(default_realm=None)[0].principal == "alice"


def test_templates_are_filled_in():
    """Name, uid, home, realm and host can be used; a FILE: prefix of a keytab is dropped."""
    spec, findings = resolve(
        keytab="FILE:{home}/{username}.keytab", principal="{username}/{realm}@Y", ccache="/{uid}"
    )
    assert spec == TicketSpec("alice/X@Y", KEYTAB, "/1001", True) and not findings
    assert resolve(principal="{host}")[0].principal == os.uname().nodename + "@X"
    assert resolve(principal="{realm}", realm="Z")[0].principal == "Z@X"


@pytest.mark.parametrize("template", ["{nonsense}", "{0}", "{", "relative", "/a\n", "/a\0", 7])
def test_a_template_that_is_wrong(template):
    """It is named, and there is no ticket."""
    spec, findings = resolve(keytab=template)
    assert spec is None and codes(findings) == {"setting-wrong"}


def test_a_mapped_principal_comes_first():
    """The map counts before the template, for the users that it names."""
    assert resolve({"alice": "bob/x"}, principal="carol")[0].principal == "bob/x@X"
    assert resolve({"bob": "bob/x"}, principal="carol")[0].principal == "carol@X"


@pytest.mark.parametrize(
    "environment, ccache",
    [
        ({"KRB5CCNAME": "FILE:/c"}, "FILE:/c"),
        ({"KRB5CCNAME": ""}, ""),
        ({"KRB5CCNAME": 7}, "/d"),
        ({}, "/d"),
        ("KRB5CCNAME", "/d"),
    ],
)
def test_the_administrators_krb5ccname_comes_first(environment, ccache):
    """One in c.Spawner.environment is the cache, as for the deployed code."""
    settings = {"Spawner.environment": environment, "KerberosTicket.ccache": "/d"}
    spec = ticket_spec.resolve(HubConfig(settings), ALICE, "X", {})[0]
    assert (spec.ccache, spec.sets_krb5ccname) == (ccache, bool(ccache))


def test_a_principal_map_is_read(tmp_path):
    """Lines of two words count, the first of a user; # begins a comment."""
    path = tmp_path / "principals"
    path.write_text("# names\nalice a/x # b\nalice c\nbob\nbob b c\n\ncarol d@Y\n")
    assert ticket_spec.read_principal_map(str(path)) == {"alice": "a/x", "carol": "d@Y"}
    assert ticket_spec.read_principal_map(str(tmp_path / "missing")) == {}


@pytest.mark.skipif(os.geteuid() != 0, reason="takes root")
def test_a_principal_map_that_others_can_write(tmp_path):
    """Root does not use it."""
    path = tmp_path / "principals"
    path.write_text("alice a/x\n")
    path.chmod(0o666)
    assert ticket_spec.read_principal_map(str(path)) == {}


def test_a_setting_of_the_command_line_is_resolved():
    """The templates of the command line count as those of the file do."""
    config = hub_config.with_templates(HubConfig(), {"keytab": "{home}/{username}.keytab"})
    assert ticket_spec.resolve(config, ALICE, "X", {})[0].keytab == KEYTAB
