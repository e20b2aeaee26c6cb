"""``jhpatch doctor``: the programs of Kerberos, and the configuration of the hub."""

import json
import os

import pytest

from testing.doctor import USER, codes, finding
from testing.users import ROOT_ONLY, make_reachable

pytestmark = ROOT_ONLY


NAME = "alice/service@EXAMPLE.TEST"


def test_a_kinit_that_others_can_write(doctor_of, tmp_path, monkeypatch):
    """A kinit that others can write is named, and nobody runs it."""
    directory = tmp_path / "bin"
    directory.mkdir()
    make_reachable(str(directory))
    tmp_path.chmod(0o1777)
    for name in ("kinit", "klist"):
        (directory / name).write_text("#!/bin/sh\ntouch %s/ran\n" % tmp_path)
        (directory / name).chmod(0o777)
    monkeypatch.setenv("PATH", "%s:%s" % (directory, os.defpath))
    config = tmp_path / "config.py"
    config.write_text("c.KerberosTicket.kinit = '%s/kinit'\n" % directory)
    for options in ([], ["--config", str(config)]):
        answer = doctor_of("--user", USER, *options)
        assert ("kinit-writable" in codes(answer)) == bool(options)  # the one that is used
        assert ("kinit-several" in codes(answer)) == (not options)
        assert "config-writable" not in codes(answer)
        assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "line, words",
    [
        ("c.KerberosTicket.timeout = '5'", "timeout must be a number"),
        ("c.KerberosTicket.keytab = 'relative'", "must be an absolute path"),
        ("c.KerberosTicket.keytab = None", "keytab must be"),
        ("c.KerberosTicket.principal = ''", "must not be empty"),
        (
            "c.KerberosTicket.kinit = '/nowhere/kinit'",
            "/nowhere/kinit is not an executable program",
        ),
        ("c.KerberosTicket.kinit = '/usr/bin'", "/usr/bin is not an executable program"),
        ("c.KerberosTicket.Policy = 'require'", "the hub does not start"),
    ],
)
def test_what_disables_the_service_is_an_error_without_a_user(doctor_of, tmp_path, line, words):
    """Each setting is checked as the hub checks it at its start: exit code 3."""
    config = tmp_path / "config.py"
    config.write_text(line + "\n")
    answer = doctor_of("--config", str(config))
    assert answer.code == 3
    assert words in finding(answer, "setting-wrong")["message"]
    assert "no-kinit" not in codes(answer)


def test_kinits_of_others(doctor_of, tmp_path, monkeypatch):
    """Heimdal's and conda's kinit are recognized by their version and their place."""
    config = tmp_path / "config.py"
    for kind, program, words in (
        ("heimdal", "kinit", "kinit (Heimdal 7.8.0)"),
        ("conda", "klist", "Kerberos 5 version 1.21.3"),
    ):
        directory = tmp_path / kind / "bin"
        directory.mkdir(parents=True)
        (tmp_path / kind / ("conda-meta" if kind == "conda" else "etc")).mkdir()
        for name in ("kinit", "klist"):
            text = "echo '%s'" % words if name == program else "exit 1"
            (directory / name).write_text("#!/bin/sh\n%s\n" % text)
            (directory / name).chmod(0o755)
        make_reachable(str(directory))
        config.write_text("c.KerberosTicket.kinit = '%s/kinit'\n" % directory)
        answer = doctor_of("--config", str(config))
        assert "kinit-" + kind in codes(answer)


CONFIG = """
import os
os.mkdir({ran!r})
c.JupyterHub.spawner_class = "dockerspawner.DockerSpawner"
c.JupyterHub.authenticator_class = "oauthenticator.GitHubOAuthenticator"
c.GitHubOAuthenticator.client_secret = "5ecret"
c.KerberosTicket.keytab = {keytab!r}
c.KerberosTicket.principal = "bob"
c.KerberosTicket.principal = "alice/service"
c.KerberosTicket.ccache = os.environ["CACHE"]
"""


def test_a_configuration_is_read_and_never_run(doctor_of, users_keytab, tmp_path):
    """The last literal of a setting counts; no secret is shown, and nothing is run."""
    path = tmp_path / "jupyterhub_config.py"
    path.write_text(CONFIG.format(ran=str(tmp_path / "ran"), keytab=str(users_keytab)))
    answer = doctor_of("--user", USER, "--config", str(path))
    assert codes(answer) == {"spawner-not-covered", "authenticator-bypasses-pam"}
    assert "setting-not-literal" in codes(answer, "note")
    assert "kinit-works" not in codes(answer, "note")  # it needs to know the cache
    assert not (tmp_path / "ran").exists()
    assert "5ecret" not in json.dumps(answer.document)
    answer = doctor_of("--user", USER, "--config", str(path), "--ccache", "/tmp/krb5cc_{uid}")
    assert "kinit-works" in codes(answer, "note")


def test_several_files(doctor_of, tmp_path):
    """A later file counts more; what is not read of all of them is one note."""
    for name, text in (
        ("a.py", "load_subconfig(x)\nc.KerberosTicket.timeout = 0\n"),
        ("b.py", "exec(x)\nc.KerberosTicket.timeout = 5\nc.KerberosTicket.retry = 0\n"),
    ):
        (tmp_path / name).write_text(text)
    answer = doctor_of("--config", str(tmp_path / "a.py"), "--config", str(tmp_path / "b.py"))
    assert codes(answer) == {"setting-wrong"}
    assert finding(answer, "setting-wrong")["path"] == str(tmp_path / "b.py") + ":3"
    note = finding(answer, "config-not-read")
    assert note["path"] == str(tmp_path / "a.py")
    assert "line 1: the path in load_subconfig()" in note["message"]
    assert str(tmp_path / "b.py") + ":1: exec()" in note["message"]


@pytest.mark.parametrize("kind", ["missing", "writable", "syntax", "template", "directory"])
def test_a_configuration_that_is_wrong(doctor_of, tmp_path, kind):
    """Missing, writable by others, no Python, an unknown template: an error with its path."""
    path = tmp_path / "jupyterhub_config.py"
    path.write_text(
        "c.KerberosTicket.keytab = '{nonsense}'\n" if kind == "template" else "c = = 1\n"
    )
    if kind == "missing":
        path.unlink()
    if kind == "writable":
        path.chmod(0o666)
    if kind == "directory":
        path.unlink()
        path.mkdir()
    code = {"missing": "config-unreadable", "directory": "config-unreadable"}.get(kind)
    code = code or {"template": "setting-wrong"}.get(kind, "config-" + kind)
    answer = doctor_of("--user", USER, "--config", str(path))
    line = ":1" if kind == "template" else ""
    assert code in codes(answer) and finding(answer, code)["path"] == str(path) + line


def test_a_mapped_principal(doctor_of, users_keytab, tmp_path):
    """principal_map counts before the template."""
    mapping = tmp_path / "principals"
    mapping.write_text("# names\nnobody alice/service\n")
    path = tmp_path / "jupyterhub_config.py"
    text = "c.KerberosTicket.keytab = %r\nc.KerberosTicket.principal_map = %r\n"
    path.write_text(text % (str(users_keytab), str(mapping)))
    answer = doctor_of("--user", USER, "--config", str(path))
    assert codes(answer) == set() and NAME in finding(answer, "keytab")["message"]
