"""The command that repeats the kinit of the service."""

import os
import shlex
import subprocess

import pytest

from jhpatch.kerberos.kinit_command import traced_kinit
from testing.users import ROOT_ONLY

ARGUMENTS = "/opt/krb5/bin/kinit", "/home/a b/k", "alice@X"
RUN = "/opt/krb5/bin/kinit -k -t '/home/a b/k' -c MEMORY: -- alice@X"


@pytest.mark.parametrize(
    "environ, shell, command",
    [
        ({}, {}, "KRB5_TRACE=/dev/stderr " + RUN),
        ({"KRB5_CONFIG": "/a b"}, {}, "KRB5_CONFIG='/a b' KRB5_TRACE=/dev/stderr " + RUN),
        ({}, {"KRB5_CONFIG": "/x"}, "env -u KRB5_CONFIG KRB5_TRACE=/dev/stderr " + RUN),
    ],
)
def test_the_kinit_of_the_service_for_the_person_who_reads(environ, shell, command):
    """The configured kinit, with the krb5.conf of the hub's unit."""
    assert traced_kinit(*ARGUMENTS, None, environ, shell) == command


def test_root_runs_it_as_the_user():
    """Root's kinit would read the keytab that the user cannot."""
    words = shlex.split(traced_kinit(*ARGUMENTS, "alice", {"KRB5_CONFIG": "/x"}, {}))
    assert words[:6] == ["runuser", "-u", "alice", "--", "sh", "-c"]
    assert words[6:] == ["env KRB5_CONFIG=/x KRB5_TRACE=/dev/stdout %s 2>&1 | cat" % RUN]


@pytest.mark.parametrize("user", [None, pytest.param("nobody", marks=ROOT_ONLY)])
def test_a_shell_runs_it(kdc, keytab, user):
    """The trace is shown, also where the output is a file that the user cannot open."""
    command = traced_kinit("kinit", keytab, "alice/service", user, kdc.env(), {})
    environ = {"PATH": os.defpath + ":/usr/sbin:/sbin"}
    done = subprocess.run(
        command,
        shell=True,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        universal_newlines=True,
    )
    assert done.returncode == 0 and "Getting initial credentials" in done.stdout
