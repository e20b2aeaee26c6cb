"""``jhpatch doctor``: a whole answer, its text, and what it says of users and processes."""

import argparse
import os
import re
import signal
import subprocess
import sys
import time

from jhpatch.commands import doctor
from jhpatch.kerberos import findings
from jhpatch.spark import checks as spark_checks
from jhpatch.system import become_user
from testing import ROOT
from testing.doctor import USER, codes, finding
from testing.pages import documented, table_of
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
    assert re.search(r"^\d+ checks: 1 error, ", lines, re.M)


@ROOT_ONLY
def test_users_that_get_no_ticket(doctor_of, kdc):
    """An unknown account and root are errors."""
    answer = doctor_of("--user", "no-such-user", "--user", "root")
    assert {"no-account", "below-min-uid"} <= codes(answer)


@ROOT_ONLY
def test_as_a_user(doctor_of, kdc, users_keytab):
    """A user's own files are checked; another's need root, and that is no error."""
    arguments = ["--user", USER, "--user", "daemon", "--keytab", str(users_keytab)]
    arguments += ["--principal", "alice/service"]
    doctor_of(*arguments)  # loads all that the child will need

    def job():
        parser = argparse.ArgumentParser()
        doctor.add_arguments(parser)
        parsed = parser.parse_args(arguments)
        parsed.environ = dict(kdc.env(), PATH=os.defpath)
        parsed.step = len
        result = doctor.run(parsed)
        return [[row.code, row.user] for row in result.content.findings], result.exit_code

    rows, _ = become_user.run_as(NOBODY, job)
    assert ["kinit-works", USER] in rows and ["needs-root", "daemon"] in rows
    assert not [row for row in rows if row[1] == "daemon" and row[0] != "needs-root"]


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


KINDS = dict(findings.TABLE.kinds, **spark_checks.TABLE.kinds)


def test_the_documented_table_is_the_code():
    """docs/doctor.md has each finding with its severity, its meaning and its next step."""
    assert table_of("doctor.md") == documented(KINDS)


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
