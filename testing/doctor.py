"""``jhpatch doctor`` about a user of this host, with the krb5.conf of a real KDC."""

import argparse
import os
import shutil
import sys
from typing import Any, Callable, Dict, List, Set, Tuple

import pytest

from jhpatch.commands import doctor
from jhpatch.system import become_user
from testing.commands import Answer
from testing.kdc import Kdc
from testing.users import NOBODY, make_reachable

USER = "nobody"


@pytest.fixture
def users_keytab(kdc: Kdc, tmp_path: Any) -> Any:
    """A keytab of alice/service that nobody owns, in a directory that nobody owns."""
    home = tmp_path / "home"
    home.mkdir()
    path = home / "nobody.keytab"
    shutil.copy(os.path.join(kdc.folder, "alice.keytab"), str(path))
    path.chmod(0o600)
    for name in (home, path):
        os.chown(str(name), NOBODY, NOBODY)
    make_reachable(str(tmp_path))
    return path


@pytest.fixture
def doctor_of(jhpatch: Any, kdc: Kdc, monkeypatch: Any) -> Callable[..., Answer]:
    """``doctor_of("--user", "nobody")`` gives the answer, with the krb5.conf of the KDC."""
    for name in ("KRB5CCNAME", "KRB5_CLIENT_KTNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("KRB5_CONFIG", kdc.krb5_conf)

    def call(*arguments: str) -> Answer:
        return jhpatch(None, "doctor", *arguments)

    return call


@pytest.fixture
def of_user(doctor_of: Callable[..., Answer], users_keytab: Any) -> Callable[..., Answer]:
    """The answer about a user with a sound keytab, principal and cache, but for options."""

    def call(*arguments: str) -> Answer:
        options = ["--user", USER, "--keytab", str(users_keytab.parent / "{username}.keytab")]
        options += ["--principal", "alice/service", "--ccache", "/tmp/krb5cc_{uid}"]
        return doctor_of(*options, *arguments)

    return call


def codes(answer: Answer, *severities: str) -> Set[str]:
    """The codes of an answer's findings; of errors and warnings if nothing else is named."""
    wanted = severities or ("error", "warning")
    rows = answer.document["findings"]
    return {row["code"] for row in rows if row["severity"] in wanted}


def finding(answer: Answer, code: str) -> Dict[str, Any]:
    """The only finding with a code."""
    (row,) = [row for row in answer.document["findings"] if row["code"] == code]
    return row


def krb5_conf(tmp_path: Any, text: str) -> str:
    """Write a krb5.conf that all can read; return its path."""
    path = tmp_path / "krb5.conf"
    path.write_text(text)
    path.chmod(0o644)
    make_reachable(str(tmp_path))
    return str(path)


def as_nobody(environ: Dict[str, str], *arguments: str) -> Tuple[List[List[str]], str]:
    """Return what doctor finds if nobody runs it: code and user of each finding; the summary.

    The test has run doctor itself, so that all modules are loaded.
    """

    def job() -> Any:
        parser = argparse.ArgumentParser()
        doctor.add_arguments(parser)
        parsed = parser.parse_args(arguments)
        parsed.environ = dict(environ, PATH=os.defpath)
        parsed.step = len
        # One that the user can run, as that of a user's server is.
        sys.executable = shutil.which("python3", path="/usr/bin:/bin") or sys.executable
        result = doctor.run(parsed)
        findings: Any = result.content
        return [[row.code, row.user] for row in findings.findings], result.notes[0]

    rows, summary = become_user.run_as(NOBODY, job)
    return rows, summary
