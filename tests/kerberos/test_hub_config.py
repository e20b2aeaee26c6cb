"""The hub's configuration: what is read of it, and what is reported."""

import os

import pytest

from jhpatch.kerberos import hub_config
from jhpatch.kerberos.hub_config import HubConfig
from tests.kerberos.findings_of import codes


def test_the_last_literal_counts():
    """Conditional assignments count as well; what is computed is kept by its line."""
    text = "c = get_config()\nc.A.b = 1\nif x:\n    c.A.b = [2, 'x']\nc.A.d = f()\nc.A.d.e = 3\n"
    config = hub_config.parse(text, "/c.py")
    assert config == HubConfig({"A.b": [2, "x"]}, {"A.d": 5}, "/c.py")
    assert hub_config.parse("c.A.b = 1\nc.A.b = f()\n") == HubConfig({}, {"A.b": 2})
    assert hub_config.parse("c.A.b = f()\nc.A.b = 1\n") == HubConfig({"A.b": 1})


def test_what_is_no_setting_is_ignored():
    """A setting is ``c.Class.name``."""
    assert hub_config.parse("d.A.b = 1\nb = 2\nc.b = 3\nc[0].b = 4\n") == HubConfig()


def test_a_class_can_be_named_by_itself():
    """A class that the configuration imports counts by its name."""
    text = "import x\nc.JupyterHub.spawner_class = x.Docker\nc.JupyterHub.ip = x.ip\n"
    config = hub_config.parse(text)
    assert config.settings == {"JupyterHub.spawner_class": "x.Docker"}


@pytest.mark.parametrize(
    "value, min_uid", [(1000, 1000), (0, 1), (-5, 1), ("1000", 1), (True, 1), (None, 1)]
)
def test_the_lowest_uid(value, min_uid):
    """It is never root's; what is no whole number is not used."""
    assert HubConfig({"KerberosTicket.min_uid": value}).min_uid == min_uid


def test_the_kinit_that_is_set():
    """It is empty if none is."""
    assert HubConfig({"KerberosTicket.kinit": "/k"}).kinit == "/k"
    assert HubConfig({"KerberosTicket.kinit": None}).kinit == HubConfig().kinit == ""


@pytest.mark.parametrize(
    "data, code",
    [
        (None, "config-unreadable"),
        (b"c = = 1\n", "config-syntax"),
        (b"c.A.b = '\0'\n", "config-syntax"),
        (b"(" * 3000, "config-syntax"),
    ],
)
def test_a_file_that_is_wrong(tmp_path, data, code):
    """The finding names the file, and no setting counts."""
    path = tmp_path / "config.py"
    if data is not None:
        path.write_bytes(data)
    config, (finding,) = hub_config.read_hub_config(str(path))
    assert config == HubConfig()
    assert (finding.code, finding.path) == (code, str(path))


def test_a_file_is_read(tmp_path):
    """Its settings carry its absolute path; without a file there are none, and no finding."""
    path = tmp_path / "config.py"
    path.write_text("c.A.b = 1\n")
    assert hub_config.read_hub_config(os.path.relpath(str(path))) == (
        HubConfig({"A.b": 1}, {}, str(path)),
        (),
    )
    assert hub_config.read_hub_config(None) == (HubConfig(), ())


@pytest.mark.skipif(os.geteuid() != 0, reason="takes root")
def test_a_file_that_others_can_write(tmp_path):
    """Root does not read it."""
    path = tmp_path / "config.py"
    path.write_text("c.A.b = 1\n")
    path.chmod(0o666)
    config, (finding,) = hub_config.read_hub_config(str(path))
    assert config == HubConfig() and finding.code == "config-writable"


def test_templates_of_the_command_line():
    """They replace the file's; a principal replaces the map of principals too."""
    config = HubConfig(
        {"KerberosTicket.keytab": "/a", "KerberosTicket.principal_map": "/m"},
        {"KerberosTicket.ccache": 3},
    )
    assert hub_config.with_templates(config, {"keytab": None, "ccache": None}) == config
    given = hub_config.with_templates(config, {"ccache": "/c", "keytab": "/b"})
    assert given.ticket_setting("keytab") == "/b" and not given.computed
    assert given.ticket_setting("principal_map") == "/m"
    given = hub_config.with_templates(config, {"principal": "alice"})
    assert given.ticket_setting("principal_map") == "" and given.computed


def test_a_template_that_is_computed_is_named():
    """Other settings that doctor does not use are not."""
    config = HubConfig({}, {"KerberosTicket.keytab": 7, "JupyterHub.ip": 8}, "/c.py")
    (finding,) = hub_config.check_hub_config(config)
    assert finding.code == "setting-not-literal" and finding.message.startswith("line 7:")


@pytest.mark.parametrize(
    "spawner, expected",
    [
        ("jupyterhub.spawner.LocalProcessSpawner", set()),
        ("localprocess", set()),
        ("systemdspawner.SystemdSpawner", set()),
        ("sudospawner.SudoSpawner", set()),
        ("simple", {"spawner-not-covered"}),
        ("jupyterhub.spawner.SimpleLocalProcessSpawner", {"spawner-not-covered"}),
        ("dockerspawner.DockerSpawner", {"spawner-not-covered"}),
        ("kubespawner.KubeSpawner", {"spawner-not-covered"}),
        ("batchspawner.SlurmSpawner", {"spawner-not-covered"}),
        ("our.own:Spawner", {"spawner-unknown"}),
    ],
)
def test_spawners(spawner, expected):
    """Servers of a spawner that is covered share this host and its caches."""
    config = HubConfig({"JupyterHub.spawner_class": spawner})
    findings = hub_config.check_hub_config(config)
    assert codes(findings, "error", "warning", "note") == expected


def test_isolate_tmp_is_not_covered():
    """The servers of such a SystemdSpawner have a /tmp of their own."""
    settings = {"JupyterHub.spawner_class": "systemd", "SystemdSpawner.isolate_tmp": True}
    findings = hub_config.check_hub_config(HubConfig(settings))
    assert codes(findings) == {"spawner-not-covered"}


@pytest.mark.parametrize(
    "authenticator, expected",
    [
        ("pam", set()),
        ("jupyterhub.auth.PAMAuthenticator", set()),
        ("dummy", {"authenticator-bypasses-pam"}),
        ("oauthenticator.generic.GenericOAuthenticator", {"authenticator-bypasses-pam"}),
        ("ldapauthenticator.LDAPAuthenticator", {"authenticator-bypasses-pam"}),
        ("our.own.Authenticator", {"authenticator-unknown"}),
    ],
)
def test_authenticators(authenticator, expected):
    """PAMAuthenticator runs the patched lines, others do not."""
    config = HubConfig({"JupyterHub.authenticator_class": authenticator})
    assert codes(hub_config.check_hub_config(config)) == expected
