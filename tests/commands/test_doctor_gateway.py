"""``jhpatch doctor`` on a host of its own: KDC on port 88, name server, krb5.conf as found."""

import pytest

from testing import kdc as kdcs
from testing.gateway import LOCATOR, TLS, can_unshare, doctor_on, find_plugin

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not can_unshare(), reason="needs root and namespaces"),
    pytest.mark.skipif(bool(kdcs.missing()), reason="needs the programs of a KDC"),
]
USER = (
    *("--user", "nobody", "--keytab", "{directory}/nobody.keytab"),
    *("--principal", "alice@EXAMPLE.TEST", "--ccache", "/tmp/krb5cc_{uid}"),
)
DNS = "[libdefaults]\n default_realm = EXAMPLE.TEST\n rdns = false\n"


def realm(*kdc_lines, defaults=""):
    """The text of a krb5.conf with these KDCs."""
    head = DNS + " dns_lookup_kdc = false\n" + defaults
    lines = "".join("  kdc = %s\n" % line for line in kdc_lines)
    return head + "[realms]\n EXAMPLE.TEST = {\n" + lines + " }\n"


def found(document, *severities):
    """The codes of the findings about Kerberos, of errors and warnings by default."""
    wanted = severities or ("error", "warning")
    rows = [row for row in document["findings"] if row["severity"] in wanted]
    others = ("site-", "restart-", "kinit-several", "no-setpriv")
    return {row["code"] for row in rows if not row["code"].startswith(others)}


def message(document, code):
    """The message of the first finding of a code."""
    return next(row["message"] for row in document["findings"] if row["code"] == code)


@pytest.mark.parametrize(
    "text, scene, line",
    [
        (DNS, {"srv": ["_kerberos._udp"]}, "SRV answer: 0 100 88"),
        (DNS, {"srv": ["_kerberos._tcp"]}, "SRV answer: 0 100 88"),
        (DNS, {"srv": ["_kerberos._udp"], "truncated": True}, "SRV answer: 0 100 88"),
        (DNS, {"uri": "krb5srv:m:tcp:kdc.example.test"}, "URI answer: 0 100"),
        (realm("kdc.example.test."), {}, "from dgram 127.0.0.1:88"),
        (realm("[127.0.0.1]"), {}, "from dgram 127.0.0.1:88"),
        (realm("dual.test"), {"hosts": ["::1 dual.test", "127.0.0.1 dual.test"]}, "dual.test"),
        (realm("many.test"), {"hosts": ["127.0.0.8 many.test", "127.0.0.1 many.test"]}, "many"),
        (realm("127.0.0.1", defaults=" udp_preference_limit = 1\n"), {}, "from stream"),
        (
            realm("127.0.0.1", defaults=" udp_preference_limit = 1\n"),
            {"blocked": "udp"},
            "from stream",
        ),
    ],
    ids=lambda value: None,
)
def test_a_kdc_that_kinit_finds(tmp_path, text, scene, line):
    """By the DNS or by krb5.conf, by UDP or TCP: kinit works, and nothing contradicts it."""
    document = doctor_on(tmp_path, text, *USER, **scene)
    assert found(document) == set() and "kinit-works" in found(document, "note")
    assert line in message(document, "kdc-answers")


@pytest.mark.parametrize(
    "text, scene, code",
    [
        (realm("127.0.0.1"), {"blocked": "udp"}, "kdc-udp-blocked"),
        (realm("127.0.0.1"), {"blocked": "tcp"}, "kdc-tcp-blocked"),
        (realm("https://127.0.0.1/KdcProxy", "127.0.0.1"), {"blocked": "tcp"}, "kdc-tcp-blocked"),
        (realm("127.0.0.5", "127.0.0.1"), {"silent": ["127.0.0.5"]}, "kdc-silent"),
        (realm("[::1]:88", "127.0.0.1"), {}, "kdc-silent"),
        (realm("kdc.example.test # main"), {}, "krb5-conf-line"),
        (realm("kdc.example.test none.test"), {}, "krb5-conf-line"),
        ("\ufeff" + realm("kdc.example.test"), {}, "krb5-conf-ignored"),
    ],
    ids=lambda value: value if isinstance(value, str) and "-" in value else None,
)
def test_a_warning_beside_a_kinit_that_works(tmp_path, text, scene, code):
    """It names what kinit did in vain, or the line that means something else."""
    document = doctor_on(tmp_path, text, *USER, **scene)
    assert code in found(document, "warning") and found(document, "error") == set()
    assert {"kinit-works", "kdc-answers"} <= found(document, "note")


@pytest.mark.parametrize(
    "text, code, words",
    [
        (realm("tcp/kdc.example.test:88"), "kdc-unreachable", "line 7: this is Heimdal's syntax"),
        (
            realm("none.test kdc.example.test"),
            "kdc-unreachable",
            "line 7: a line names only one KDC",
        ),
        (
            realm("kdc.example.test,127.0.0.1"),
            "kdc-unreachable",
            "takes the whole value as the host",
        ),
        (realm("127.0.0.1:88 # main"), "no-kdc", "not support comments at the end of a line"),
        (realm("::1", "127.0.0.1"), "no-kdc", "line 7: libkrb5 refuses this address"),
        (realm("127.0.0.1:99999"), "no-kdc", "a port is at most 65535"),
        (realm("HTTPS://127.0.0.1/KdcProxy"), "no-kdc", "write https:// in lower case"),
        (DNS, "no-kdc", "No SRV records found"),
    ],
    ids=lambda value: None,
)
def test_a_realm_that_does_not_work(tmp_path, text, code, words):
    """The error about KDCs and the user's have kinit's message and the cause, with its line."""
    document = doctor_on(tmp_path, text, *USER)
    assert {code, "kinit-no-kdc"} == found(document, "error")
    for row in document["findings"]:
        if row["severity"] == "error":
            assert words in row["message"] and "kinit: " in row["message"]
            if text != DNS:
                assert row["next"] == "correct line 7 of %s/conf/krb5.conf" % tmp_path


@pytest.mark.skipif(bool(find_plugin(TLS, is_installed=True)), reason="k5tls is installed")
def test_a_plugin_that_is_missing(tmp_path):
    """The KDC is behind HTTPS, and kinit cannot speak it: no circle, but the plugin's name."""
    document = doctor_on(tmp_path, realm("https://127.0.0.1/KdcProxy"), *USER, open=[443])
    assert "k5tls" in message(document, "kdc-tls-missing")
    assert "k5tls" in message(document, "kinit-no-kdc")


@pytest.mark.skipif(not find_plugin(TLS), reason="takes the plugin k5tls")
@pytest.mark.parametrize(
    "kdcs, warnings",
    [
        (["https://proxy.test/KdcProxy"], set()),
        (["https://proxy.test/KdcProxy", "127.0.0.5"], set()),
        (["127.0.0.5", "https://proxy.test/KdcProxy"], {"kdc-silent"}),
    ],
)
def test_a_kdc_behind_https(tmp_path, kdcs, warnings):
    """A proxy answers (MS-KKDCP), alone or beside a blocked KDC: no error is found."""
    anchors = "  http_anchors = FILE:%s/conf/proxy.pem\n" % tmp_path
    text = realm(*kdcs).replace(" }\n", anchors + " }\n")
    scene = {"hosts": ["127.0.0.1 proxy.test"], "proxy": "proxy.test", "plugins": [TLS]}
    document = doctor_on(tmp_path, text, *USER, silent=["127.0.0.5"], **scene)
    assert found(document, "error") == set() and found(document, "warning") == warnings
    assert {"kinit-works", "kdc-proxied"} <= found(document, "note")


@pytest.mark.skipif(not find_plugin(LOCATOR), reason="takes sssd's locator plugin")
def test_a_kdc_that_sssd_finds(tmp_path):
    """The plugin has no line in the trace; the address that was asked has."""
    scene = {"kdcinfo": "127.0.0.1", "plugins": [LOCATOR]}
    document = doctor_on(tmp_path, DNS + " dns_lookup_kdc = false\n", *USER, **scene)
    assert found(document) == set() and "kinit-works" in found(document, "note")
    assert "127.0.0.1:88" in message(document, "kdc-answers")


def test_a_module_line(tmp_path):
    """libkrb5 looks for the module and reads nothing else: the finding names the line."""
    text = "module /nowhere/x.so:x\n" + realm("127.0.0.1")
    document = doctor_on(tmp_path, text, *USER)
    assert "line 1: this line loads a module" in message(document, "krb5-conf-module")
    assert {"no-kdc", "kinit-no-kdc"} == found(document, "error")


@pytest.mark.parametrize("config", ["{directory}/conf", "/nowhere/x:{directory}/conf/krb5.conf"])
def test_krb5_config_as_a_directory_and_as_several_paths(tmp_path, config):
    """libkrb5 reads the directory, and skips what does not exist."""
    document = doctor_on(tmp_path, realm("127.0.0.1"), *USER, config=config)
    assert found(document) == set() and "kinit-works" in found(document, "note")
