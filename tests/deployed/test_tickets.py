"""What klist and a JVM see of a user's tickets."""

import os

import pytest

from jhpatch.deployed import tickets
from jhpatch.deployed.tickets import Tickets
from testing.spark_homes import write


def codes(faults):
    """Their codes."""
    return [fault.code for fault in faults]


DEFAULT = Tickets("FILE:/tmp/krb5cc_1", False, "FILE:/tmp/krb5cc_1", False, False)


@pytest.mark.parametrize(
    "found, code",
    [
        (DEFAULT._replace(jvm_valid=True, jvm_there=True), None),
        (DEFAULT, "spark-no-ticket"),
        (DEFAULT._replace(jvm_there=True), "spark-ticket-expired"),
        (
            DEFAULT._replace(default="KEYRING:persistent:1", default_valid=True),
            "spark-cache-unseen",
        ),
        (DEFAULT._replace(default="DIR:/x", default_valid=True, jvm_valid=True), None),
        (
            DEFAULT._replace(default="FILE:/x", default_valid=True, jvm_there=True),
            "spark-cache-unseen",
        ),
    ],
)
def test_what_the_jvm_sees_of_a_users_tickets(found, code):
    """A good ticket where Java does not look is none, and the cache is named."""
    faults = list(tickets.judged_tickets(found))
    assert codes(faults) == ([code] if code else [])
    if code == "spark-cache-unseen":
        assert found.default in faults[0].message and found.jvm in faults[0].message


@pytest.mark.parametrize(
    "cache, code",
    [
        ("{0}/cc", None),
        ("FILE:{0}/cc", None),
        ("FILE:{0}/absent", "spark-no-ticket"),
        ("DIR:{0}/dir", "spark-cache-unseen"),
    ],
)
def test_real_tickets(kdc, keytab, tmp_path, cache, code):
    """In a file, in none, in a DIR collection: as klist sees them."""
    import subprocess

    (tmp_path / "dir").mkdir(mode=0o700)
    name = cache.format(tmp_path)
    environ = dict(os.environ, KRB5_CONFIG=kdc.krb5_conf, KRB5CCNAME=name)
    if "absent" not in cache:
        argv = ["kinit", "-k", "-t", keytab, "-c", name, "alice/service@EXAMPLE.TEST"]
        subprocess.run(argv, env=environ, check=True)
    found = list(tickets.judged_tickets(tickets.tickets_of(environ, 4242)))
    assert codes(found) == ([code] if code else [])


def test_a_file_that_only_krb5_conf_names(kdc, keytab, tmp_path):
    """libkrb5 finds it, Java does not: it looks at /tmp/krb5cc_UID."""
    import subprocess

    with open(kdc.krb5_conf) as file:
        text = file.read().replace(
            "[libdefaults]", "[libdefaults]\n default_ccache_name = FILE:%s/cc" % tmp_path
        )
    environ = dict(os.environ, KRB5_CONFIG=write(str(tmp_path / "krb5.conf"), text))
    environ.pop("KRB5CCNAME", None)
    argv = ["kinit", "-k", "-t", keytab, "alice/service@EXAMPLE.TEST"]
    subprocess.run(argv, env=environ, check=True)
    found = list(tickets.judged_tickets(tickets.tickets_of(environ, 424242)))
    assert codes(found) == ["spark-cache-unseen"] and "%s/cc" % tmp_path in found[0].message
