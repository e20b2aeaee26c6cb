"""kinit and the programs beside it: where they are, and what they say about libkrb5."""

import os
import re
import shutil
import time

import pytest

from jhpatch.deployed.kerberos import programs as module
from jhpatch.deployed.kerberos.errors import Problem
from jhpatch.deployed.kerberos.programs import Programs, is_no_answer
from jhpatch.deployed.kerberos.settings import Settings
from testing.kdc import SilentKdc
from testing.users import ROOT_ONLY, make_reachable
from tests.deployed.tickets import NOBODY, Later, with_defaults

HEIMDAL = os.environ.get("JHPATCH_HEIMDAL") or shutil.which("kinit.heimdal") or ""
"""The path of Heimdal's kinit, if this machine has one."""


def at(path):
    """The programs of a kinit."""
    return Programs(Settings(kinit=str(path), timeout=300.0), {})


def test_a_kinit_that_cannot_be_run_tells_nothing_about_a_kdc():
    """A hub without free descriptors, or without kinit: no KDC is declared unresponsive."""
    with pytest.raises(Problem):
        at("/nowhere/kinit").answers("x@EXAMPLE.TEST")


def test_a_wrapper_of_kinit_lies_alone(tmp_path):
    """klist and kdestroy beside it are used if they are there, and else the host's."""
    kinit = tmp_path / "kinit"
    kinit.write_text('#!/bin/sh\nexec /usr/bin/kinit "$@"\n')
    kinit.chmod(0o755)
    assert at(kinit).path("kinit") == str(kinit)
    assert os.path.basename(at(kinit).path("klist")) == "klist"
    assert not at(kinit).path("klist").startswith(str(tmp_path))
    (tmp_path / "klist").write_text("#!/bin/sh\n")
    assert not at(kinit).path("klist").startswith(str(tmp_path)), "which nobody can run"
    (tmp_path / "klist").chmod(0o755)
    assert at(kinit).path("klist") == str(tmp_path / "klist")


def test_a_host_without_kinit_has_a_reason(monkeypatch):
    """The packages that it is in."""
    monkeypatch.setattr(module.shutil, "which", lambda name: None)
    with pytest.raises(Problem) as problem:
        Programs(Settings(), {}).path("kinit")
    assert "krb5-user" in str(problem.value)
    with pytest.raises(Problem) as problem:
        at("/opt/kinit").path("klist")
    assert "klist is neither beside /opt/kinit" in str(problem.value)


def test_a_kinit_that_cannot_be_run_is_a_problem():
    """At the hub's start, with its path."""
    for path in ("/nowhere/kinit", "/etc/passwd", "/"):
        with pytest.raises(Problem) as problem:
            at(path).is_heimdal()
        assert path in str(problem.value)


@pytest.mark.parametrize(
    "text, expected",
    [
        ("kinit: Cannot contact any KDC for realm 'R' while getting initial credentials", True),
        ('kinit: Cannot find KDC for realm "R" while getting initial credentials', True),
        ('kinit: Cannot resolve network address for KDC in realm "R" while getting', True),
        ("kinit: krb5_get_init_creds: unable to reach any KDC in realm R, tried 1 KDC", True),
        ("kinit: Client 'x@R' not found in Kerberos database", False),
        ("kinit: Keytab contains no suitable keys for x@R", False),
        ("", False),
    ],
)
def test_what_kinit_says_of_a_kdc_that_does_not_answer(text, expected):
    """MIT's words and Heimdal's; all else is an answer."""
    assert is_no_answer(text) is expected


def test_whether_a_kdc_answers(kdc, tmp_path):
    """That it knows no such name is an answer; silence and a refused connection are none."""
    assert Programs(Settings(), kdc.env()).answers("alice/service@EXAMPLE.TEST")
    assert Programs(Settings(), kdc.env()).answers("alice/service")
    assert not Programs(Settings(), kdc.env()).answers("alice@OTHER.TEST")
    with SilentKdc(str(tmp_path)) as silent:
        programs = Programs(Settings(timeout=1.0), {"KRB5_CONFIG": silent.krb5_conf})
        assert not programs.answers("alice")
        silent.close()
        assert not programs.answers("alice")


# The default realm.


def test_the_default_realm_is_libkrb5s(kdc, tmp_path):
    """Of krb5.conf, whether its KDC answers or not."""
    assert Programs(Settings(), kdc.env()).default_realm() == "EXAMPLE.TEST"
    with SilentKdc(str(tmp_path), "SILENT.TEST") as silent:
        programs = Programs(Settings(timeout=300.0), {"KRB5_CONFIG": silent.krb5_conf})
        assert programs.default_realm() == "SILENT.TEST"


def test_no_default_realm_is_a_problem(kdc, tmp_path):
    """With libkrb5's own words."""
    environ = with_defaults(kdc, tmp_path / "krb5.conf", "")
    path = environ["KRB5_CONFIG"]
    with open(path) as file:
        text = file.read()
    with open(path, "w") as file:
        file.write(re.sub(r"default_realm = .*\n", "", text))
    with pytest.raises(Problem) as problem:
        Programs(Settings(), environ).default_realm()
    assert "does not specify default realm" in str(problem.value)


@pytest.mark.parametrize(
    "text, expected",
    [
        ('printf "jhpatch-probe@HEIM.TEST\'s Password: " >&2; exit 1', "HEIM.TEST"),
        ("echo '[1] Getting initial credentials for jhpatch-probe@A.B'; sleep 600", "A.B"),
        ("echo 'kinit: krb5_init_context failed' >&2; exit 1", None),
        ("exit 0", None),
        ("tr '\\0' x </dev/zero", None),
    ],
)
def test_the_default_realm_by_what_kinit_prints(script, text, expected):
    """Heimdal's prompt, MIT's trace; nothing of the kind is a Problem."""
    programs = at(script(text + "\n"))
    if expected:
        assert programs.default_realm() == expected
    else:
        with pytest.raises(Problem):
            programs.default_realm()


def test_a_kinit_that_hangs_before_it_asks_a_kdc(script):
    """No KDC is suspected: ``--version`` asks none."""
    programs = Programs(Settings(kinit=script("exec sleep 600\n"), timeout=0.5), {})
    with pytest.raises(Problem) as problem:
        programs.is_heimdal()
    assert str(problem.value) == "kinit --version does not answer"


@pytest.mark.skipif(not HEIMDAL, reason="no Heimdal here")
def test_heimdals_kinit(tmp_path):
    """It is told apart from MIT's, and its default realm is found without a KDC."""
    conf = tmp_path / "krb5.conf"
    conf.write_text("[libdefaults]\n default_realm = HEIM.TEST\n dns_lookup_kdc = false\n")
    programs = Programs(Settings(kinit=HEIMDAL), {"KRB5_CONFIG": str(conf)})
    assert programs.is_heimdal() and programs.default_realm() == "HEIM.TEST"
    assert not Programs(Settings(), {}).is_heimdal()


# The default cache.


@pytest.fixture
def asked(kdc, caches, script):
    """Programs whose klist counts its calls: ``(programs, count, krb5.conf)``."""
    calls = caches / "calls"
    path = script('exec /usr/bin/kinit "$@"\n')
    klist = os.path.join(os.path.dirname(path), "klist")
    os.unlink(klist)
    with open(klist, "w") as file:
        file.write('#!/bin/sh\necho >>%s\nexec /usr/bin/klist "$@"\n' % calls)
    os.chmod(klist, 0o755)
    conf = caches.parent / "krb5.conf"
    environ = with_defaults(kdc, conf, " default_ccache_name = FILE:/tmp/first-%{uid}")
    make_reachable(str(caches.parent))

    def count():
        return len(calls.read_text().splitlines())

    return Programs(Settings(kinit=path), environ), count, conf


@ROOT_ONLY
def test_the_name_of_the_default_cache_is_remembered(asked, monkeypatch):
    """For 10 minutes; each user's own."""
    programs, count, _ = asked
    assert programs.known_default(NOBODY) is None
    assert programs.default_cache(NOBODY).path == "/tmp/first-65534"
    assert programs.known_default(NOBODY).path == "/tmp/first-65534"
    assert programs.known_default(NOBODY._replace(uid=1)) is None
    now = time.monotonic()
    for more, known in ((590, True), (610, False)):
        clock = Later(monotonic=lambda more=more: now + more)
        monkeypatch.setattr(module, "time", clock)
        assert (programs.known_default(NOBODY) is not None) is known
    assert count() == 1


@ROOT_ONLY
@pytest.mark.parametrize("how", ["edited", "replaced", "removed"])
def test_a_change_of_krb5_conf_is_noticed(asked, how):
    """It can name another cache."""
    programs, _, conf = asked
    programs.default_cache(NOBODY)
    text = conf.read_text().replace("first", "the-second")
    if how == "edited":
        conf.write_text(text)
    elif how == "replaced":
        other = conf.parent / "new"
        other.write_text(text)
        other.chmod(0o644)
        os.rename(str(other), str(conf))
    else:
        conf.unlink()
    assert programs.known_default(NOBODY) is None
    if how != "removed":
        assert programs.default_cache(NOBODY).path == "/tmp/the-second-65534"


@ROOT_ONLY
def test_a_change_of_krb5_conf_d_is_noticed(asked):
    """A file that appears in the directory beside it."""
    programs, _, conf = asked
    included = conf.parent / "krb5.conf.d"
    included.mkdir()
    programs.default_cache(NOBODY)
    assert programs.known_default(NOBODY)
    (included / "kcm").write_text("")
    assert programs.known_default(NOBODY) is None
