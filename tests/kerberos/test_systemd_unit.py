"""The hub's unit is read as systemd reads it, and its settings are checked."""

import pytest

from jhpatch.checks.runner import Deadline
from jhpatch.kerberos import programs, systemd_unit
from jhpatch.kerberos.programs import Completed
from jhpatch.kerberos.systemd_unit import Unit
from tests.kerberos.findings_of import KEYTAB, codes


def test_unit_files_are_parsed():
    """[Service] alone counts, with continued lines and without comments; drop-ins come last."""
    text = "[Unit]\nUser=no\n[Service]\n# User=x\nUser = root\nPrivateTmp=\\\n true\n"
    drop_ins = ["[Service]\nReadWritePaths=/a\n", "[Service]\nReadWritePaths=/b\nPrivateTmp=no\n"]
    settings = systemd_unit.parse_unit_files([text, *drop_ins])
    assert settings == {"User": "root", "PrivateTmp": "no", "ReadWritePaths": "/a /b"}


def test_an_empty_list_starts_again():
    """ReadWritePaths= without a value drops what was set before."""
    texts = ["[Service]\nReadWritePaths=/a\n", "[Service]\nReadWritePaths=\n"]
    assert systemd_unit.parse_unit_files(texts) == {"ReadWritePaths": ""}
    texts.append("[Service]\nReadWritePaths=/b\n")
    assert systemd_unit.parse_unit_files(texts) == {"ReadWritePaths": "/b"}


@pytest.mark.parametrize("text", ["true", "On", "1", "yes", "YES"])
def test_a_boolean_has_several_forms(text):
    """systemd takes them all for yes."""
    assert Unit("x.service", {"PrivateTmp": text}).has_private_tmp


@pytest.mark.parametrize(
    "settings, keytab, cache, expected",
    [
        ({}, KEYTAB, "/tmp/cc", set()),
        ({"PrivateTmp": "yes"}, KEYTAB, "/tmp/cc", {"unit-private-tmp"}),
        ({"PrivateTmp": "true"}, KEYTAB, "/tmp/cc", {"unit-private-tmp"}),
        ({"PrivateTmp": "disconnected"}, KEYTAB, "/tmp/cc", {"unit-private-tmp"}),
        ({"PrivateTmp": "yes"}, KEYTAB, "/run/cc", set()),
        ({"ProtectHome": "yes"}, KEYTAB, "/tmp/cc", {"unit-protect-home"}),
        ({"ProtectHome": "tmpfs"}, KEYTAB, "/tmp/cc", {"unit-protect-home"}),
        ({"ProtectHome": "read-only"}, KEYTAB, "/tmp/cc", set()),
        ({"ProtectHome": "read-only"}, KEYTAB, "/home/alice/cc", {"unit-protect-home"}),
        ({"ProtectHome": "yes"}, "/etc/k", "/tmp/cc", set()),
        ({"ProtectSystem": "strict"}, KEYTAB, "/run/cc", {"unit-protect-system"}),
        ({"ProtectSystem": "strict", "ReadWritePaths": "/run"}, KEYTAB, "/run/cc", set()),
        ({"ProtectSystem": "strict", "ReadWritePaths": "-/run/"}, KEYTAB, "/run/cc", set()),
        ({"ProtectSystem": "strict", "PrivateTmp": "yes"}, KEYTAB, "/var/tmp/cc", set()),
        ({"ProtectSystem": "full"}, KEYTAB, "/run/cc", set()),
        ({"User": "jupyterhub"}, KEYTAB, "/tmp/cc", {"unit-not-root"}),
        ({"DynamicUser": "yes"}, KEYTAB, "/tmp/cc", {"unit-not-root"}),
        ({"User": "root"}, KEYTAB, "/tmp/cc", set()),
    ],
)
def test_what_a_unit_hides(settings, keytab, cache, expected):
    """What systemd hides from the hub and its servers is a finding."""
    unit = Unit("jupyterhub.service", settings)
    assert codes(systemd_unit.check_unit(unit, (keytab,), (cache,))) == expected


@pytest.mark.parametrize(
    "text, words",
    [
        ("InaccessiblePaths=/home\nInaccessiblePaths=/srv\n", "InaccessiblePaths=/home /srv"),
        ("PrivateNetwork=on\nPrivateUsers=off\n", "PrivateNetwork=on"),
        ("TemporaryFileSystem=/home:ro\nReadOnlyPaths=\n", "TemporaryFileSystem=/home:ro"),
        ("PrivateNetwork=0\nNoNewPrivileges=yes\n", None),
    ],
)
def test_what_doctor_cannot_try(text, words):
    """A restriction whose effect is not known is a note."""
    unit = Unit("x.service", systemd_unit.parse_unit_files(["[Service]\n" + text]))
    rows = [row for row in systemd_unit.check_unit(unit, (), ()) if row.code != "unit"]
    assert [(row.code, row.severity, row.message) for row in rows] == (
        [("unit-restricted", "note", "x.service: " + words)] if words else []
    )


@pytest.mark.parametrize(
    "cache, directory",
    [
        ("/run/jhpatch/1001/cc", "/run"),  # /run/jhpatch is gone after a reboot
        ("/var/cache/none/1001/cc", "/var/cache"),
        ("/none/1001/cc", "/none/1001"),
        ("/cc", "/"),
    ],
)
def test_a_directory_to_write_in(cache, directory):
    """It exists when the unit starts, or systemd would not start it."""
    unit = Unit("x.service", {"ProtectSystem": "strict"})
    rows = systemd_unit.check_unit(unit, (), (cache,))
    assert [row.path for row in rows if row.code == "unit-protect-system"] == [directory]


def test_each_path_is_named_once():
    """Users with the same paths do not repeat a finding."""
    unit = Unit("x.service", {"ProtectHome": "yes", "ProtectSystem": "strict"})
    findings = systemd_unit.check_unit(unit, (KEYTAB, KEYTAB), ("/run/cc", "/run/cc"))
    assert [finding.path for finding in findings] == [None, KEYTAB, "/run"]


@pytest.fixture
def directories(tmp_path):
    """Directories of unit files: x.service in both, with drop-ins in both."""
    for name, text in (
        ("lib/x.service", "[Service]\nUser=lib\n"),
        ("etc/x.service", "[Service]\nUser=etc\nPrivateTmp=yes\n"),
        ("lib/x.service.d/9.conf", "[Service]\nPrivateTmp=no\n"),
        ("etc/x.service.d/1.conf", "[Service]\nUser=first\n"),
        ("etc/x.service.d/2.txt", "[Service]\nUser=ignored\n"),
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).write_text(text)
    return [str(tmp_path / name) for name in ("etc", "lib")]


def refuse(argv, seconds, account):
    """Fail, as systemctl does where systemd does not run."""
    return Completed(1, "", "System has not been booted with systemd as init system")


@pytest.mark.parametrize("name", ["x", "x.service"])
def test_without_systemd_the_files_are_read(directories, name):
    """The first directory counts, and the drop-ins of all, ordered by name."""
    unit = systemd_unit.read_unit(name, refuse, Deadline(300), directories)
    assert unit == Unit("x.service", {"User": "first", "PrivateTmp": "no"})


def test_a_unit_that_is_not_there(directories):
    """There is no unit then, not an empty one."""
    assert systemd_unit.read_unit("y", refuse, Deadline(300), directories) is None


@pytest.mark.parametrize("state", ["loaded", "not-found"])
def test_systemd_is_asked(directories, monkeypatch, state):
    """Its answer counts before the files, unless it does not know the unit."""
    monkeypatch.setattr(programs, "find_program", lambda name: "/bin/" + name)
    commands = []

    def show(argv, seconds, account):
        commands.append(argv)
        return Completed(0, "User=systemd\nProtectHome=yes\nLoadState=%s\n" % state, "")

    unit = systemd_unit.read_unit("x", show, Deadline(300), directories)
    assert commands[0][:3] == ["/bin/systemctl", "show", "-p"] and commands[0][-1] == "x.service"
    assert unit.settings["User"] == ("systemd" if state == "loaded" else "first")


@pytest.mark.parametrize(
    "text, value",
    [
        ("Environment=KRB5_CONFIG=/a\n", "/a"),
        ('Environment=A=b "KRB5_CONFIG=/a:/b" C=d\nEnvironment=E=f\n', "/a:/b"),
        ("Environment=KRB5_CONFIG=/a\nEnvironment=\n", None),
        ("Environment=KRB5_CONFIG=/a\nEnvironment=KRB5_CONFIG=/b\n", "/b"),
        ("Environment=KRB5_CONFIG=/a\nEnvironmentFile=-{0}/file\n", "/c"),
        ("EnvironmentFile=-{0}/none\n", None),
        ('Environment="unbalanced KRB5_CONFIG=/a\n', "/a"),
        ("", None),
    ],
)
def test_krb5_config(tmp_path, text, value):
    """The variable is read from Environment= and from files of variables, which come last."""
    (tmp_path / "file").write_text("# x\nKRB5_CONFIG='/c'\n")
    settings = systemd_unit.parse_unit_files(["[Service]\n" + text.format(tmp_path)])
    assert systemd_unit.Unit("x.service", settings).krb5_config == value


def test_variables_that_systemd_names(tmp_path, monkeypatch):
    """It names files of variables by another property; no variable but this one is shown."""
    (tmp_path / "one").write_text("KRB5_CONFIG=/one\n")
    output = (
        "LoadState=loaded\nEnvironment=SECRET=x KRB5_CONFIG=/two\n"
        "EnvironmentFiles=%s/none (ignore_errors=yes)\n"
        "EnvironmentFiles=%s/one (ignore_errors=no)\n" % (tmp_path, tmp_path)
    )
    monkeypatch.setattr("jhpatch.kerberos.programs.find_program", lambda name: "/bin/systemctl")
    run = lambda argv, seconds, account: Completed(0, output, "")  # noqa: E731
    unit = systemd_unit.read_unit("x", run, Deadline(300))
    assert unit.krb5_config == "/one"
    (note,) = systemd_unit.check_unit(unit, (), ())
    assert note.message == "x.service: KRB5_CONFIG=/one"


@pytest.mark.parametrize(
    "settings, is_known",
    [
        ({}, True),
        ({"Environment": "KRB5_CONFIG=/x"}, True),
        ({"EnvironmentFile": "-/no/such/file"}, True),
        ({"EnvironmentFile": "/proc/self/mem"}, False),
        ({"PassEnvironment": "LANG KRB5_CONFIG"}, False),
        ({"PassEnvironment": "KRB5_CONFIG", "Environment": "KRB5_CONFIG=/x"}, True),
    ],
)
def test_whether_krb5_config_is_known(settings, is_known):
    """A file that cannot be read may set it, and systemd may pass its own on."""
    assert Unit("x.service", settings).knows_krb5_config == is_known
