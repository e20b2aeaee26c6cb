"""``jhpatch doctor``: krb5.conf, and the KDCs that it names."""

import os
import re
import socket

import pytest

from jhpatch.kerberos import systemd_unit
from jhpatch.kerberos.facts import DoctorOptions
from testing import ports
from testing.doctor import codes, finding, krb5_conf
from testing.users import NOBODY, ROOT_ONLY

pytestmark = ROOT_ONLY


@pytest.mark.parametrize(
    "text, code",
    [
        (None, "krb5-conf-missing"),
        ("[libdefaults\n", "krb5-conf-syntax"),
        ("[libdefaults]\n default_realm\n", "krb5-conf-syntax"),
        ("include /nowhere/at/all\n[libdefaults]\n", "krb5-conf-include"),
        ("includedir /nowhere/at/all\n[libdefaults]\n", "krb5-conf-include"),
        ("[realms]\n X = {\n kdc = a\n }\n", "no-default-realm"),
        ("[libdefaults]\n default_realm = X\n dns_lookup_kdc = false\n", "no-kdc"),
    ],
)
def test_a_krb5_conf_that_does_not_work(doctor_of, tmp_path, monkeypatch, text, code):
    """What libkrb5 cannot read, or lacks, is an error with the file and the line."""
    path = krb5_conf(tmp_path, text or "")
    if text is None:
        os.unlink(path)
    monkeypatch.setenv("KRB5_CONFIG", path)
    answer = doctor_of()
    assert answer.code == 3 and code in codes(answer)
    if code.startswith("krb5-conf-s"):
        row = finding(answer, code)
        assert row["path"] == path and "line " in row["message"]


@pytest.mark.parametrize(
    "mode, owner, code",
    [(0o600, 0, "unreadable"), (0o646, 0, "writable"), (0o644, NOBODY, "writable")],
)
def test_a_krb5_conf_is_readable_by_all_and_writable_by_root(
    doctor_of, kdc, tmp_path, monkeypatch, mode, owner, code
):
    """A krb5.conf that others can write is not even read by root; kinit cannot read root's."""
    path = krb5_conf(tmp_path, open(kdc.krb5_conf).read())
    os.chmod(path, mode)
    os.chown(path, owner, owner)
    monkeypatch.setenv("KRB5_CONFIG", path)
    answer = doctor_of()
    assert codes(answer, "error") == {"krb5-conf-" + code}
    assert "kdc-answers" not in codes(answer, "note")


def test_a_directory_of_a_services_account(doctor_of, kdc, tmp_path, monkeypatch):
    """sssd writes files that krb5.conf includes: that is as it should be."""
    (tmp_path / "d").mkdir()
    (tmp_path / "d/realm").write_text("[realms]\n")
    for name in ("d", "d/realm"):
        os.chown(str(tmp_path / name), 998, 998)
    text = "includedir %s/d\n" % tmp_path + open(kdc.krb5_conf).read()
    monkeypatch.setenv("KRB5_CONFIG", krb5_conf(tmp_path, text))
    assert codes(doctor_of()) == set()


def test_the_units_krb5_conf(doctor_of, kdc, tmp_path, monkeypatch):
    """The hub reads the one that its unit names, and its servers need it too."""
    monkeypatch.setattr(systemd_unit, "DIRECTORIES", (str(tmp_path),))
    monkeypatch.setattr(DoctorOptions, "unit_directories", (str(tmp_path),))
    text = "[Service]\nEnvironment=KRB5_CONFIG=%s\n" % kdc.krb5_conf
    (tmp_path / "x.service").write_text(text)
    monkeypatch.setenv("KRB5_CONFIG", "/nowhere/krb5.conf")
    answer = doctor_of("--unit", "x")
    assert codes(answer) == {"unit-krb5-config"} and "kdc-answers" in codes(answer, "note")
    assert kdc.krb5_conf in finding(answer, "unit-krb5-config")["message"]


@pytest.mark.parametrize(
    "text, code",
    [
        ("[libdefaults\n", "krb5-conf-syntax"),
        ("[a]\n b = { # c\n d = e\n }\n", "krb5-conf-syntax"),
        ("include /nowhere/at/all\n", "krb5-conf-include"),
    ],
)
def test_a_libkrb5_that_does_not_start(of_user, tmp_path, monkeypatch, text, code):
    """The keytab has no part in it: klist's message about libkrb5 is said as what it is."""
    monkeypatch.setenv("KRB5_CONFIG", krb5_conf(tmp_path, text))
    answer = of_user("--principal", "alice/service@EXAMPLE.TEST")
    assert codes(answer, "error") == {code, "krb5-init-failed"}
    assert "while initializing" in finding(answer, "krb5-init-failed")["message"]


def test_an_included_realm_counts(doctor_of, kdc, tmp_path, monkeypatch):
    """Included directories are read as libkrb5 reads them, without the names that it skips."""
    text = open(kdc.krb5_conf).read()
    (tmp_path / "d").mkdir()
    (tmp_path / "d/realm.conf").write_text(text[text.index("[realms]") :])
    (tmp_path / "d/realm.rpmnew").write_text("[broken\n")
    head = "includedir %s/d\n[libdefaults]\n default_realm = EXAMPLE.TEST\n" % tmp_path
    monkeypatch.setenv("KRB5_CONFIG", krb5_conf(tmp_path, head))
    answer = doctor_of()
    assert "kdc-answers" in codes(answer, "note") and codes(answer) == set()


def realm(*servers):
    """The text of a krb5.conf with these KDCs."""
    lines = "".join("  kdc = %s\n" % server for server in servers)
    head = "[libdefaults]\n default_realm = EXAMPLE.TEST\n dns_lookup_kdc = false\n"
    return head + "[realms]\n EXAMPLE.TEST = {\n%s }\n" % lines


def address(kdc):
    """Where the KDC listens."""
    return re.search(r"^ +kdc = (\S+)", open(kdc.krb5_conf).read(), re.M).group(1)


def test_a_kdc_that_does_not_listen(of_user, tmp_path, monkeypatch):
    """Nobody listens: an error about the KDC, and kinit's error in plain words."""
    (port,) = ports.free(1)
    monkeypatch.setenv("KRB5_CONFIG", krb5_conf(tmp_path, realm("127.0.0.1:%d" % port)))
    answer = of_user()
    assert answer.code == 3 and codes(answer) == {"kdc-unreachable", "kinit-no-kdc"}
    for code in codes(answer):
        message = finding(answer, code)["message"]
        assert "Cannot contact any KDC" in message and "dgram 127.0.0.1:%d" % port in message
    assert "127.0.0.1 listens on port %d" % port in finding(answer, "kdc-unreachable")["next"]


@pytest.fixture
def silent():
    """The address of a KDC that accepts everything and never answers."""
    with socket.socket() as tcp, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        (port,) = ports.free(1)
        tcp.bind(("127.0.0.1", port))
        tcp.listen(16)
        udp.bind(("127.0.0.1", port))
        yield "127.0.0.1:%d" % port


@pytest.mark.slow
def test_an_unresponsive_kdc_is_given_up(of_user, tmp_path, monkeypatch, silent):
    """Each check has a time limit, and kinit is killed at its end."""
    monkeypatch.setenv("KRB5_CONFIG", krb5_conf(tmp_path, realm(silent)))
    answer = of_user()
    assert {"kdc-unreachable", "kinit-timeout"} <= codes(answer)


@pytest.mark.slow
def test_one_of_several_kdcs(doctor_of, kdc, tmp_path, monkeypatch, silent):
    """One that answers is enough: what kinit asked in vain before it is a warning."""
    text = realm(silent, address(kdc), "kdc.invalid")
    monkeypatch.setenv("KRB5_CONFIG", krb5_conf(tmp_path, text))
    assert codes(doctor_of()) == {"kdc-silent"}
    text = realm("kdc.invalid", address(kdc))
    monkeypatch.setenv("KRB5_CONFIG", krb5_conf(tmp_path, text))
    assert codes(doctor_of()) == {"kdc-name-unknown"}
