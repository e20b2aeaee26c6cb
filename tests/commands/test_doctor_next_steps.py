"""What doctor prints as a next step is carried out, on the real fault."""

import os
import shutil
import subprocess
import sys

import pytest

from jhpatch.checks.finding import Line
from jhpatch.checks.runner import findings_of, run_checks
from jhpatch.deployed.kerberos.account import find_account
from jhpatch.errors import NextStep
from jhpatch.kerberos import checks, facts
from jhpatch.kerberos.facts import DoctorOptions
from jhpatch.kerberos.findings import TABLE
from jhpatch.report.next_command import Runner
from testing.doctor import USER
from testing.kdc import Kdc, SilentKdc
from testing.trees import times
from testing.users import NOBODY, ROOT_ONLY, make_reachable


def on_a_host(test):
    """Mark a test that takes a host with a KDC: slow, and for root."""
    return ROOT_ONLY(pytest.mark.slow(test))


PASSED_ON = "c.Spawner.environment = {'KRB5_CONFIG': ''}"


class Host:
    """The files of a host that doctor reads, with a user whose ticket works."""

    def __init__(self, kdc, keytab, directory):
        directory.mkdir()
        make_reachable(str(directory))
        self.kdc, self.directory = kdc, directory
        self.krb5_conf = directory / "krb5.conf"
        self.config = directory / "jupyterhub_config.py"
        self.unit = directory / "jupyterhub.service"
        self.mounts = directory / "mounts"
        shutil.copy(kdc.krb5_conf, str(self.krb5_conf))
        self.config.write_text(
            "c.KerberosTicket.keytab = %r\nc.KerberosTicket.principal = 'alice/service'\n"
            "c.KerberosTicket.ccache = '/tmp/krb5cc_{uid}'\n%s\n" % (str(keytab), PASSED_ON)
        )
        self.unit.write_text("[Service]\nEnvironment=KRB5_CONFIG=%s\n" % self.krb5_conf)
        self.mounts.write_text("")
        self.path, self.user, self.keytab = os.defpath, USER, keytab

    def found(self):
        """What doctor finds, by the code."""
        options = DoctorOptions(
            environ={"PATH": self.path, "KRB5_CONFIG": str(self.krb5_conf)},
            users=(self.user,) if self.user else (),
            config_paths=(str(self.config),),
            mounts_path=str(self.mounts),
            unit_directories=(str(self.directory),),
        )
        return {
            row.code: row for row in findings_of(run_checks(checks.checks(facts.Facts(options))))
        }

    def edit(self, old, new, file=None):
        """Replace a text in krb5.conf, or in another file."""
        file = file or self.krb5_conf
        assert old in file.read_text()
        file.write_text(file.read_text().replace(old, new))

    def set(self, *lines):
        """Add lines to the configuration of the hub."""
        self.config.write_text(self.config.read_text() + "\n".join(lines) + "\n")

    def write(self, step):
        """Write a line where the next step places it, with the names of this realm."""
        line, _, place = step.partition(",")
        line = line.replace("REALM", self.kdc.realm)
        line = line.replace("HOST", "127.0.0.1:%d" % self.kdc._port)
        if place == " in the [libdefaults] section of krb5.conf":
            self.edit("[libdefaults]\n", "[libdefaults]\n %s\n" % line)
        elif place == " in the braces of %s in the [realms] section of krb5.conf" % self.kdc.realm:
            self.edit("[realms]\n", "[realms]\n %s = {\n %s\n }\n" % (self.kdc.realm, line))
        elif place == " in the [Service] section of the unit":
            self.unit.write_text(self.unit.read_text() + line + "\n")
        else:
            assert not place and line.startswith("c."), step
            self.set(line)


@pytest.fixture
def host(kdc, users_keytab, tmp_path):
    """A host on which doctor finds nothing."""
    host = Host(kdc, users_keytab, tmp_path / "host")
    assert not [row for row in host.found().values() if row.severity != "note"]
    return host


def other_kinit(host):
    """Put a second kinit into the PATH; return its directory."""
    directory = host.directory / "conda" / "bin"
    directory.mkdir(parents=True)
    (host.directory / "conda" / "conda-meta").mkdir()
    for name in ("kinit", "klist"):
        script = '#!/bin/sh\nexec /usr/bin/%s "$@"\n' % name
        (directory / name).write_text(script)
        (directory / name).chmod(0o755)
    make_reachable(str(directory))
    return str(directory)


def without_udp(host):
    """The KDC listens by TCP only."""
    host.kdc = Kdc(str(host.directory / "kdc"), without="udp")
    host.kdc.add_principal("alice/service", keytab=str(host.directory / "keytab"))
    shutil.copy(str(host.directory / "keytab"), str(host.keytab))
    shutil.copy(host.kdc.krb5_conf, str(host.krb5_conf))
    host.kdc.start()
    return host.kdc.stop


def without_kdc(host):
    text = host.krb5_conf.read_text()
    host.krb5_conf.write_text(text[: text.index("[realms]\n")] + "[realms]\n")


def mounted(host):
    home = os.path.expanduser("~" + USER)
    host.mounts.write_text("nfs:/home %s nfs4 rw,sec=krb5p 0 0\n" % home)
    host.set("c.KerberosTicket.keytab = %r" % (home.rstrip("/") + "/k"))


LINES = {
    "no-default-realm": lambda host: host.edit(" default_realm = EXAMPLE.TEST\n", ""),
    "no-kdc": without_kdc,
    "kdc-udp-blocked": without_udp,
    "kinit-several": lambda host: setattr(host, "path", other_kinit(host) + ":" + os.defpath),
    "unit-not-root": lambda host: host.write("User=hub, in the [Service] section of the unit"),
    "unit-krb5-config": lambda host: host.edit(PASSED_ON, "", host.config),
    "unit-private-tmp": lambda host: host.write(
        "PrivateTmp=yes, in the [Service] section of the unit"
    ),
    "unit-protect-home": lambda host: (
        host.write("ProtectHome=yes, in the [Service] section of the unit"),
        host.set("c.KerberosTicket.keytab = '/home/{username}.keytab'"),
    ),
    "unit-protect-system": lambda host: (
        host.write("ProtectSystem=strict, in the [Service] section of the unit"),
        host.set("c.KerberosTicket.ccache = '/run/jhpatch/{uid}/cc'"),
    ),
    "home-needs-ticket": mounted,
    "home-before-ticket": mounted,
    "ccache-unsupported": lambda host: host.set("c.KerberosTicket.ccache = 'MEMORY:x'"),
    "ccache-shared": lambda host: host.set("c.KerberosTicket.ccache = '/tmp/krb5cc'"),
    "ccache-hidden-from-jvm": lambda host: host.set("c.KerberosTicket.ccache = 'DIR:/tmp/{uid}'"),
    "ccache-fails": lambda host: host.set("c.KerberosTicket.ccache = 'KEYRING:persistent:%{uid}'"),
    "ccache-unknown": lambda host: (
        host.set("c.KerberosTicket.ccache = ''"),
        host.edit("[libdefaults]\n", "[libdefaults]\n default_ccache_name = API:%{LIBDIR}\n"),
    ),
}


def test_each_line_of_the_table_has_a_fault():
    """None is left out below."""
    assert set(LINES) == {
        code for code, kind in TABLE.kinds.items() if isinstance(kind.next, Line)
    }


@on_a_host
@pytest.mark.parametrize("code", sorted(LINES))
def test_a_line_removes_its_fault(host, code):
    """It is written where the next step places it: the finding is gone."""
    restore = LINES[code](host)
    try:
        host.write(Runner().shown(host.found()[code].next))
        assert code not in host.found()
    finally:
        if callable(restore):
            restore()


def keytab_at(host, make):
    host.keytab.unlink()
    make(str(host.keytab))


def cache_at(host, make):
    """Put something at the path of the cache, in a directory like /tmp."""
    directory = host.directory / "caches"
    directory.mkdir()
    directory.chmod(0o1777)
    host.set("c.KerberosTicket.ccache = '%s/cc'" % directory)
    return make(str(directory / "cc"))


def users_fifo(path):
    os.mkfifo(path)
    os.chown(path, NOBODY, NOBODY)


def full(path):
    """Mount a file system without space; return what unmounts it."""
    directory = os.path.dirname(path)
    options = ["-t", "tmpfs", "-o", "size=16k,mode=1777", "tmpfs"]
    subprocess.run(["mount", *options, directory], check=True)
    return lambda: subprocess.run(["umount", directory], check=True)


def other_type_of_key(host):
    """The keytab lacks the principal's key of the type that krb5.conf permits."""
    host.edit("[libdefaults]\n", "[libdefaults]\n permitted_enctypes = aes128-cts\n")
    name, both = "aes%d" % os.getpid(), str(host.directory / "both")
    host.kdc.add_principal(name, keytab=both)
    host.keytab.unlink()
    orders = "rkt %s\ndelent 2\nwkt %s\n" % (both, host.keytab)  # 1: aes256, 2: aes128
    subprocess.run(["ktutil"], input=orders.encode(), check=True, stdout=subprocess.DEVNULL)
    os.chown(str(host.keytab), NOBODY, NOBODY)
    host.set("c.KerberosTicket.principal = %r" % name)


def silent(host):
    kdc = SilentKdc(str(host.directory))
    shutil.copy(kdc.krb5_conf, str(host.krb5_conf))
    return kdc.close


COMMANDS = {
    # The fault, and the exit codes of its command.
    "kdc-name-unknown": (
        lambda host: host.edit("  kdc = ", "  kdc = none.invalid\n  kdc = "),
        (2,),
    ),
    "config-unreadable": (lambda host: host.config.unlink(), (3,)),
    "setting-not-literal": (lambda host: host.set("c.KerberosTicket.keytab = find()"), (3,)),
    "kinit-no-key": (other_type_of_key, (0,)),
    "kinit-timeout": (silent, (0, 124)),  # that of timeout(1): no KDC answers for 30 s
    "kinit-failed": (lambda host: host.edit(" default_realm = EXAMPLE.TEST\n", ""), (0,)),
    "unit-missing": (lambda host: host.unit.unlink(), (0, 3)),
    "no-user": (lambda host: setattr(host, "user", ""), (3,)),
    "no-account": (lambda host: setattr(host, "user", "no-such-user"), (2,)),
    "below-min-uid": (lambda host: host.set("c.KerberosTicket.min_uid = 70000"), (0,)),
    "keytab-missing": (lambda host: host.keytab.unlink(), (2,)),
    "keytab-not-regular": (lambda host: keytab_at(host, os.mkfifo), (0,)),
    "ccache-not-regular": (lambda host: cache_at(host, users_fifo), (0,)),
    "ccache-full": (lambda host: cache_at(host, full), (0,)),
}
OF_OTHERS = {
    *("restart-unknown", "needs-root", "keytab-central-unread", "no-settings"),  # for a user
    *("site-unreadable", "check-timeout", "check-left-out", "check-failed"),
}
"""Codes whose command is another of jhpatch, or as another user or without other options."""


def test_each_command_of_the_table_has_a_fault():
    """None is left out below."""
    commands = {code for code, kind in TABLE.kinds.items() if isinstance(kind.next, NextStep)}
    assert set(COMMANDS) | OF_OTHERS == commands
    for code in OF_OTHERS:
        parts = TABLE.kinds[code].next.parts
        command = next(part for part in parts if not isinstance(part, str))
        is_reading = command.arguments[:1] in (("doctor",), ("status",), ("ticket",))
        assert command.module == "jhpatch" and (command.again or is_reading)


@on_a_host
@pytest.mark.parametrize("code", sorted(COMMANDS))
def test_a_command_only_reads(host, code):
    """It runs as it is printed, ends as it should on such a fault, and changes no file."""
    make, expected = COMMANDS[code]
    restore = make(host)
    try:
        run = ("doctor", "--user", USER, "--config", str(host.config))
        command = Runner(sys.executable, arguments=run).shown(host.found()[code].next)
        for name, value in (("FILE", host.config), ("NAME", USER), ("TEMPLATE", "/k")):
            command = command.replace(name, str(value))
        before = times(str(host.directory.parent))
        done = subprocess.run(
            ["timeout", "4" if code == "kinit-timeout" else "60", "sh", "-c", command],
            cwd=str(host.directory),
            env={"PATH": os.environ["PATH"], "KRB5_CONFIG": str(host.krb5_conf)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        assert done.returncode in expected, done.stdout.decode()
        assert times(str(host.directory.parent)) == before
    finally:
        if callable(restore):
            restore()


@on_a_host
def test_a_domain_in_a_users_name(host, monkeypatch):
    """It is taken for a realm, which has no KDC: the next step is not to give it one."""
    account = find_account(USER)._replace(name="alice@corp.example.test")
    monkeypatch.setattr(facts, "_find_account", lambda name: account)
    host.set("c.KerberosTicket.principal = '{username}'")
    row = host.found()["no-kdc"]
    assert "in the realm corp.example.test" in row.message
    assert "principal_map" in Runner().shown(row.next)


@on_a_host
@pytest.mark.parametrize("name", ["MEMORY:x", "KEYRING:persistent:%{uid}", "/nowhere/at/all"])
def test_krb5ccname_of_the_spawner(host, name):
    """It counts before c.KerberosTicket.ccache: the next step is to remove it there."""
    host.set("c.Spawner.environment['KRB5CCNAME'] = %r" % name)
    rows = [row for code, row in host.found().items() if code.startswith("ccache-")]
    assert rows
    for row in rows:
        assert "remove KRB5CCNAME from c.Spawner.environment" in Runner().shown(row.next)
