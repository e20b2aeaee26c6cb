"""What is reported of the hub's configuration: the files of the field, and the lists of lines."""

import pytest

from jhpatch.kerberos.hub_config import HubConfig, with_templates
from jhpatch.kerberos.hub_config_checks import check_hub_config
from tests.kerberos.findings_of import findings_of
from tests.kerberos.hub_configs import CASES, PATH, config_of


@pytest.mark.parametrize("name", sorted(CASES))
def test_a_file_of_the_field(name):
    """Each has its findings, with the lines that they are about, and no other."""
    text, expected = CASES[name]
    found = [row.code + (row.path or "").partition(PATH)[2] for row in findings_of(text)]
    assert found == expected


def note_of(text):
    """The one note about what is not read; empty if there is none."""
    (*rows,) = (row for row in check_hub_config(config_of(text)) if row.code == "config-not-read")
    assert len(rows) <= 1
    return rows[0].message if rows else ""


@pytest.mark.parametrize(
    "text, expected",
    [
        (
            "for f in files:\n    load_subconfig(f)",
            "line 2: the path in load_subconfig() is computed",
        ),
        ("exec(text)", "line 1: exec() can change any setting"),
        ("from site import *", "line 1: from site import *"),
        ("c[name].x = 1", "line 1: the name in c[…] is computed"),
        ("c.JupyterHub.spawner_class = f()", "line 1: c.JupyterHub.spawner_class is computed"),
        (
            "c.JupyterHub.authenticator_class = f()",
            "line 1: c.JupyterHub.authenticator_class is computed",
        ),
        ("c.update({'A': 1})", "line 1: c.update()"),
        ("setattr(c.A, name, 1)", "line 1: c.A is passed to a function"),
        ("del c.KerberosTicket.policy", "line 1: c.KerberosTicket.policy is deleted"),
        (
            "def f():\n    c.KerberosTicket.timeout = 1\nf()",
            "line 2: c.KerberosTicket.timeout is set in a function that may not run",
        ),
        (
            "try:\n    c.KerberosTicket.timeout = 1\nexcept OSError: pass",
            "line 2: c.KerberosTicket.timeout is set in a try statement",
        ),
        (
            "while x:\n    c.KerberosTicket.timeout = 1",
            "line 2: c.KerberosTicket.timeout is set in a loop",
        ),
        (
            "k = find()\nk.KerberosTicket.timeout = 1",
            "line 2: KerberosTicket belongs to an object that may not be the configuration",
        ),
        ("if x:\n    load_subconfig('/a')", "line 2: load_subconfig('/a') under a condition"),
        ("c.JupyterHub.ip = find()\nfor s in x:\n    c.JupyterHub.services.append(s)", ""),
    ],
)
def test_what_is_not_read_is_listed(text, expected):
    """With its line; what is no matter for tickets is left out."""
    assert note_of(text + "\n") == expected


@pytest.mark.parametrize("value", ["False", "not True", "0"])
def test_a_service_that_is_disabled(value):
    """Nobody obtains a ticket: that is a warning with the line, whatever the value's type."""
    pytest.importorskip("traitlets", minversion="5.10")
    (row,) = check_hub_config(config_of("c.KerberosTicket.enabled = %s\n" % value))
    assert (row.code, row.severity, row.path) == ("service-disabled", "warning", PATH + ":1")


def test_a_long_list_ends():
    """After twenty lines the number of the others is enough."""
    note = note_of("exec(a)\n" * 30)
    assert note.count("exec()") == 20 and note.endswith("; and 10 more")


def test_a_line_of_another_file_names_it():
    """Only those of the first file have no path."""
    config = config_of("exec(a)\n")._replace(path="/other.py")
    (note,) = check_hub_config(config)
    assert note.message == PATH + ":1: exec() can change any setting"


def test_a_template_of_the_command_line_is_known():
    """The setting that is not read is not listed then."""
    config = with_templates(config_of("c.KerberosTicket.keytab = f()\n"), {"keytab": "/k"})
    assert not list(check_hub_config(config))


def test_no_configuration_has_no_finding():
    """Its settings are the defaults."""
    assert not list(check_hub_config(HubConfig()))
