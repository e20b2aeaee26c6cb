"""A Hadoop configuration in real files, and a port that listens or does not."""

import os
import socket

import pytest

from jhpatch.deployed import hadoop
from testing import ports
from testing.spark_homes import make_hadoop, write


def codes(faults):
    """Their codes."""
    return [fault.code for fault in faults]


@pytest.mark.parametrize(
    "text, why",
    [
        (None, "No such file"),
        ("<configuration>", "no element found"),
        ("<!DOCTYPE c [<!ENTITY a 'b'>]><configuration>&a;</configuration>", "entities"),
        ("<configuration>" + " " * (4 * 1024 * 1024), "larger than"),
    ],
    ids=["missing", "cut short", "entities", "huge"],
)
def test_a_hadoop_configuration_that_cannot_be_read(tmp_path, text, why):
    """Named with its file."""
    folder = make_hadoop(str(tmp_path), {}, {})
    os.unlink(folder + "/yarn-site.xml")
    if text is not None:
        write(folder + "/yarn-site.xml", text)
    found, fault = hadoop.hadoop_of(folder)
    assert found is None and fault.code == "hadoop-conf-unreadable"
    assert why in fault.message and fault.path == folder + "/yarn-site.xml"


@pytest.mark.parametrize(
    "values, managers",
    [
        ({"yarn.resourcemanager.hostname": "rm"}, ("rm:8032",)),
        ({"yarn.resourcemanager.address": "rm:9"}, ("rm:9",)),
        (
            {
                "yarn.resourcemanager.hostname": "rm",
                "yarn.resourcemanager.address": "${yarn.resourcemanager.hostname}:9",
            },
            ("rm:9",),
        ),
        (
            {
                "yarn.resourcemanager.ha.enabled": "true",
                "yarn.resourcemanager.ha.rm-ids": "a, b",
                "yarn.resourcemanager.hostname.a": "one",
                "yarn.resourcemanager.address.b": "two:9",
            },
            ("one:8032", "two:9"),
        ),
        ({}, ("0.0.0.0:8032",)),
        ({"yarn.resourcemanager.address": "${yarn.resourcemanager.hostname}:9"}, ("0.0.0.0:9",)),
        ({"yarn.resourcemanager.ha.enabled": "true", "yarn.resourcemanager.ha.rm-ids": "a,b"}, ()),
        ({"yarn.resourcemanager.ha.enabled": "true"}, ()),
    ],
)
def test_where_the_resourcemanagers_are(tmp_path, values, managers):
    """By address, by host name, by Hadoop's defaults; two with high availability, or none."""
    folder = make_hadoop(str(tmp_path), {"hadoop.security.authentication": "kerberos"}, values)
    found = hadoop.hadoop_of(folder)[0]
    assert found.managers == managers and found.kerberized


def test_one_resourcemanager_of_two_is_enough(tmp_path):
    """The standby does not listen, or its host is away."""
    cluster = hadoop.Hadoop("/c", managers=("a:1", "b:2"))
    assert hadoop.judged_managers(cluster, lambda address: None if "b" in address else "no") == ()
    (fault,) = hadoop.judged_managers(cluster, lambda address: "no route")
    assert fault.code == "yarn-unreachable" and "a:1" in fault.message and "b:2" in fault.message
    assert fault.next.startswith("check whether the servers in the message run, ")


def test_high_availability_without_an_address():
    """Hadoop has no default for it."""
    (fault,) = hadoop.judged_managers(hadoop.Hadoop("/c"), lambda address: None)
    assert fault.code == "hadoop-conf-unreadable" and "/c/yarn-site.xml" in fault.message


def test_who_listens_and_who_does_not():
    """A socket of ours; then the same port, closed."""
    with socket.socket() as server:
        (port,) = ports.free(1)
        server.bind(("127.0.0.1", port))
        server.listen(1)
        address = "127.0.0.1:%d" % port
        assert hadoop.reached(address) is None
    assert "refused" in hadoop.reached(address) and hadoop.reached("nonsense")
