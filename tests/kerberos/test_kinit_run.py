"""One run of kinit for a principal that no realm has, with a real KDC."""

import pytest

from jhpatch.deployed.kerberos.account import find_account
from jhpatch.kerberos import kinit_trace
from jhpatch.kerberos.kinit_run import ask_kdc
from testing.kdc import SilentKdc
from testing.users import NOBODY, ROOT_ONLY, make_reachable
from testing.waiting import LIMIT

KINIT = "/usr/bin/kinit"


@ROOT_ONLY
@pytest.mark.parametrize("name", [None, "nobody"])
def test_a_kdc_that_answers(kdc, name):
    """kinit runs as that user, who has the trace too, and is ended at the KDC's answer."""
    account = find_account(name) if name else None
    assert account is None or account.uid == NOBODY
    run = ask_kdc(KINIT, kdc.realm, kdc.env(), LIMIT, account)
    assert (run.exit_code, run.was_killed, run.has_ticket) == (None, False, False)
    assert run.trace.realm == kdc.realm and run.trace.answers
    assert "not found in Kerberos database" in run.trace.kdc_errors[0][1]
    with open(kdc.log) as log:  # an administrator knows it by this name (docs/doctor.md)
        assert "jhpatch-doctor@%s for krbtgt/" % kdc.realm in log.read()


@pytest.mark.slow
def test_a_kdc_that_does_not_answer(tmp_path):
    """kinit is killed at its limit; what it did until then counts."""
    with SilentKdc(str(tmp_path)) as kdc:
        make_reachable(str(tmp_path))
        run = ask_kdc(KINIT, "EXAMPLE.TEST", {"KRB5_CONFIG": kdc.krb5_conf}, 6.0, None)
    assert (run.exit_code, run.was_killed) == (None, True)
    assert "no answer within" in run.message and run.trace.contacts and not run.trace.answers


def test_a_libkrb5_that_does_not_start(tmp_path):
    """kinit's message is the run's, and nothing was asked."""
    (tmp_path / "krb5.conf").write_text("[x\n")
    run = ask_kdc(KINIT, "X", {"KRB5_CONFIG": str(tmp_path / "krb5.conf")}, LIMIT, None)
    assert run.exit_code == 1 and "while initializing Kerberos 5 library" in run.message
    assert run.trace == kinit_trace.Trace()


def test_a_kinit_that_does_not_exist():
    """The shell's message says so."""
    run = ask_kdc("/nowhere/kinit", "X", {}, LIMIT, None)
    assert run.exit_code == 127 and "not found" in run.message
