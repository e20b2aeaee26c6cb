"""``jhpatch doctor``: a whole answer, its text, and what it says of users and processes."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time

import pytest

from jhpatch.deployed.kerberos.settings import Settings, TicketSpec, dump
from jhpatch.kerberos import findings
from jhpatch.kerberos.next_steps import CHANGES
from jhpatch.spark import checks as spark_checks
from testing import ROOT
from testing.doctor import USER, as_nobody, codes, finding
from testing.pages import documented, table_of, text_of
from testing.trees import times
from testing.users import NOBODY, ROOT_ONLY

FIELDS = {"code", "severity", "message", "path", "why", "next", "user"}


@ROOT_ONLY
def test_a_good_host(of_user, users_keytab):
    """Exit code 0: a ticket was really obtained, and nothing on the disk has changed."""
    before = times(str(users_keytab.parent))
    cache = os.path.lexists("/tmp/krb5cc_%d" % NOBODY)
    answer = of_user()
    assert (answer.code, codes(answer)) == (0, set())
    assert {"kdc-answers", "kinit", "keytab", "kinit-works", "ccache"} <= codes(answer, "note")
    assert all(set(one) == FIELDS for one in answer.document["findings"])
    assert "kvno 1" in finding(answer, "keytab")["message"]
    assert times(str(users_keytab.parent)) == before
    assert os.path.lexists("/tmp/krb5cc_%d" % NOBODY) == cache


@ROOT_ONLY
def test_without_a_user(doctor_of):
    """Without --user the host and the KDC are checked, and a note says what was not."""
    answer = doctor_of()
    assert answer.code == 0 and finding(answer, "no-user")["next"].endswith("doctor --user NAME")


@ROOT_ONLY
def test_the_text_has_code_path_reason_and_next_step(kdc, users_keytab):
    """In a pipe, under LC_ALL=C: code, path, reason and next step, without colour."""
    users_keytab.unlink()
    argv = ["--user", USER, "--keytab", str(users_keytab), "--principal", "\u00e4"]
    done = subprocess.run(
        [sys.executable, "-m", "jhpatch", "doctor", *argv],
        cwd="/",
        env=dict(kdc.env(), PYTHONPATH=ROOT, PATH=os.defpath, LC_ALL="C", PYTHONUTF8="0"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    lines = done.stdout.decode("ascii", "strict" if b"\xc3" not in done.stdout else "replace")
    assert done.returncode == 3 and done.stderr == b"" and "\x1b" not in lines
    where = "where: " + str(users_keytab)
    for words in ("error    keytab-missing", where, "why:   ", "next:  ls -l "):
        assert words in lines
    assert re.search(r"^\d+ checks: \d+ passed, 1 with errors, ", lines, re.M)


@ROOT_ONLY
def test_users_that_get_no_ticket(doctor_of, kdc):
    """An unknown account and root are errors."""
    answer = doctor_of("--user", "no-such-user", "--user", "root")
    assert {"no-account", "below-min-uid"} <= codes(answer)


@ROOT_ONLY
def test_no_ticket_is_requested_below_min_uid(doctor_of, kdc):
    """The service obtains none for root, whatever its keytab has."""
    keytab = os.path.join(kdc.folder, "alice.keytab")
    options = ["--keytab", keytab, "--principal", "alice/service", "--ccache", "/tmp/x_{uid}"]
    answer = doctor_of("--user", "root", *options)
    assert "below-min-uid" in codes(answer) and "kinit-works" not in codes(answer, "note")


@ROOT_ONLY
def test_as_a_user(doctor_of, kdc, users_keytab):
    """A user's own files are checked; another's need root, and that is no error."""
    arguments = ["--user", USER, "--user", "daemon", "--keytab", str(users_keytab)]
    arguments += ["--principal", "alice/service"]
    doctor_of(*arguments)  # loads all that the child will need
    rows, _ = as_nobody(kdc.env(), *arguments)
    assert ["kinit-works", USER] in rows and ["needs-root", "daemon"] in rows
    assert not [row for row in rows if row[1] == "daemon" and row[0] != "needs-root"]


@ROOT_ONLY
def test_a_user_checks_themselves(doctor_of, kdc, users_keytab):
    """Without --user an ordinary user is the one who is checked; for root, no user is."""
    arguments = ["--keytab", str(users_keytab), "--principal", "alice/service"]
    answer = doctor_of(*arguments)
    assert "no-user" in codes(answer, "note") and "kinit-works" not in codes(answer, "note")
    assert re.search(r"^\d+ checks: \d+ passed, (.*, )?1 not run$", answer.document["notes"][0])
    doctor_of("--user", USER, *arguments)  # loads all that the child will need
    rows, summary = as_nobody(kdc.env(), *arguments)
    assert ["kinit-works", USER] in rows and "no-user" not in dict(rows)
    assert "not run" not in summary


@ROOT_ONLY
@pytest.mark.parametrize("is_central", [False, True])
def test_a_user_in_the_terminal_of_their_server(doctor_of, kdc, users_keytab, is_central):
    """It knows what the hub has set; a keytab that only root can read is not theirs to check."""
    spec = TicketSpec("alice/service", str(users_keytab), "/tmp/x_65534", is_central)
    environ = dict(kdc.env(), JHPATCH_KERBEROS=dump(Settings(), spec))
    doctor_of("--user", USER)  # loads all that the child will need
    rows, _ = as_nobody(environ)
    assert (["kinit-works", USER] in rows) != is_central
    assert (["no-settings", USER] in rows) == is_central
    assert "ccache-shared" not in dict(rows)  # the value has no field left


@ROOT_ONLY
def test_a_user_who_does_not_know_the_settings(doctor_of, kdc):
    """Defaults are not the hub's settings: neither keytab-missing nor a cache to destroy."""
    doctor_of("--user", USER)  # loads all that the child will need
    rows, _ = as_nobody(kdc.env())
    assert [row[0] for row in rows if row[1] == USER] == ["no-settings"]


@ROOT_ONLY
def test_a_server_from_before_the_patches(doctor_of, jhpatch, make_site, tmp_path):
    """A server that runs the old code is named, as status names it."""
    env = make_site(tmp_path, [("notebook", "5.7.9")], slim=True)
    script = os.path.join(env.prefix, "bin", "jupyter-notebook")
    with open(script, "w") as file:
        file.write("import time; print('up', flush=True); time.sleep(60)\n")
    old = subprocess.Popen([env.python, script], stdout=subprocess.PIPE)
    try:
        old.stdout.readline()
        time.sleep(0.1)
        assert jhpatch(env, "apply").code == 0
        answer = doctor_of("--python", env.python)
        assert answer.code == 3 and codes(answer) == {"restart-needed"}
        assert str(old.pid) in finding(answer, "restart-needed")["message"]
    finally:
        old.send_signal(signal.SIGKILL)
        old.wait()
        old.stdout.close()


def test_an_environment_without_a_hub_or_server(doctor_of, make_site, tmp_path):
    """A note that no process was checked, as if jhpatch has an environment of its own."""
    env = make_site(tmp_path, [])
    answer = doctor_of("--python", env.python)
    row = finding(answer, "restart-unchecked")
    assert row["message"].endswith("is in " + env.prefix) and row["severity"] == "note"
    shutil.rmtree(env.site)
    row = finding(doctor_of("--python", env.python), "restart-unchecked")
    assert row["message"].endswith("is in " + env.prefix)


KINDS = dict(findings.TABLE.kinds, **spark_checks.TABLE.kinds)


def test_the_documented_table_is_the_code():
    """docs/doctor.md has each finding with its severity, its meaning and its next step."""
    assert table_of("doctor.md") == documented(KINDS)


def test_the_documented_kinds_of_next_steps_are_the_code():
    """A command or a line stands as code in docs/doctor.md, advice for a person as words."""
    rows = re.findall(r"^\| `([\w-]+)` \| \w+ \| .+? \| (.+) \|$", text_of("docs/doctor.md"), re.M)
    are_code = {code: step.startswith("`") for code, step in rows if code in KINDS and step}
    assert are_code == {
        code: not isinstance(kind.next, str) for code, kind in KINDS.items() if kind.next
    }


def test_the_documented_changes_are_the_code():
    """docs/doctor.md has each command that changes a file, by the code of its finding."""
    rows = re.findall(r"^\| `([\w-]+)` \| `([^`]+)` \| [^|]+ \|$", text_of("docs/doctor.md"), re.M)
    assert rows == [
        (code, " ".join(change.command)) for code, changes in CHANGES.items() for change in changes
    ]


def test_each_finding_can_be_found():
    """No row of the table is without code that finds it."""
    source = ""
    for folder in ("kerberos", "checks", "spark", "commands"):
        for name in os.listdir(os.path.join(ROOT, "jhpatch", folder)):
            if name.endswith(".py") and name != "findings.py":
                with open(os.path.join(ROOT, "jhpatch", folder, name), encoding="utf-8") as file:
                    source += file.read()
    for code in KINDS:
        last = code.replace("krb5-conf-", "", 1)
        assert '"%s"' % code in source or '"%s"' % last in source, code


def test_a_user_without_a_name(jhpatch):
    """It is a mistake in the command, as of a script whose variable is empty."""
    answer = jhpatch(None, "doctor", "--user", "")
    assert (
        answer.code == 2 and "expected the name of a user" in answer.document["error"]["message"]
    )
