"""The words for a fault: a next step that can be filled in, and a form that travels."""

import pytest

from jhpatch.deployed import causes
from jhpatch.deployed.causes import Fault


def test_each_cause_has_a_next_step_that_can_be_filled_in():
    """Whatever a fault carries."""
    fill = {"path": "/p"}
    for code in causes.CAUSES:
        assert Fault(code, "m", fill=fill).next and "{}" not in Fault(code, "m", fill=fill).next


def test_only_who_can_write_the_kernel_installs_it_again(monkeypatch):
    """Another user of a notebook asks the administrator."""
    fault = Fault("spark-worker-python", "m")
    assert causes.told(fault).endswith("\n  next: " + fault.next)
    monkeypatch.setattr(causes.os, "access", lambda path, mode: False)
    asked = "ask the administrator of this host to run kernelspec install with the other options"
    assert asked in causes.told(fault)
    assert "administrator" not in causes.told(Fault("kernel-died", "m"))


def test_a_fault_travels():
    """As JSON and back; what names no cause is refused."""
    fault = Fault("hdfs-permission", "m", "/p", {"path": "/q"})
    assert causes.unpacked(causes.packed(fault)) == fault
    with pytest.raises(ValueError):
        causes.unpacked(dict(causes.packed(fault), code="x"))


@pytest.mark.parametrize(
    "path, command",
    [
        ("FILE:/tmp/krb5cc_1", "kinit -c FILE:/tmp/krb5cc_1"),
        ("FILE:/home/a b/cc", "kinit -c 'FILE:/home/a b/cc'"),
        ("FILE:KEYRING:persistent:1", "kinit"),  # what Java makes of that name
        ("", "kinit"),
    ],
)
@pytest.mark.parametrize("code", ["spark-no-ticket", "spark-ticket-expired"])
def test_the_ticket_goes_where_java_reads_it(code, path, command):
    """kinit alone uses libkrb5's default cache, which can be a keyring."""
    assert Fault(code, "m", path).next.startswith("run %s in a terminal" % command)
