"""``c.KerberosTicket``: the traits, misspelt names, and where a setting is assigned."""

import re

import pytest
from traitlets import TraitError
from traitlets.config import Config

from jhpatch.deployed.kerberos.settings import HELP, Settings
from jhpatch.deployed.kerberos.traits import KerberosTicket, misspelt, place_of
from testing import ROOT
from tests.deployed.kerberos.values import WRONG


def of(**values):
    """The traits of a configuration."""
    return KerberosTicket(config=Config({"KerberosTicket": values}))


def test_the_defaults_are_the_tables():
    """One table of settings: each is a trait, with its sentence."""
    assert of().values() == Settings()
    traits = KerberosTicket.class_traits(config=True)
    assert set(Settings._fields) <= set(traits)
    for name in Settings._fields:
        assert traits[name].help == HELP[name]


def test_values_of_a_configuration():
    """Callables too; a whole number of seconds counts as seconds."""
    values = of(timeout=7, principal=str.upper, policy="require", ccache="/tmp/x").values()
    assert values == Settings(timeout=7.0, principal=str.upper, policy="require", ccache="/tmp/x")
    assert type(values.timeout) is float


CAST = [("timeout", True), ("timeout", 10**400), ("min_uid", True), ("enabled", 1)]
"""Values that traitlets makes others of before it asks."""


@pytest.mark.parametrize("name, value", [one for one in WRONG if one not in CAST])
def test_a_wrong_value_is_an_error_that_names_its_trait(name, value):
    """At the hub's start: the rules are those of the table."""
    with pytest.raises(TraitError) as error:
        of(**{name: value}).values()
    assert name in str(error.value)


def test_every_setting_is_in_the_docs():
    """Each with a row of the table, and no row without a setting."""
    with open(ROOT + "/docs/settings.md", encoding="utf-8") as file:
        rows = set(re.findall(r"^\| `c\.KerberosTicket\.(\w+)` \|", file.read(), re.M))
    assert rows == set(Settings._fields)


# Names.


@pytest.mark.parametrize(
    "name, hint",
    [("keytabs", "keytab"), ("princpal", "principal"), ("minuid", "min_uid"), ("xyz", "")],
)
def test_a_misspelt_setting_has_a_suggestion(name, hint):
    """traitlets says it in a warning that no hub shows, or in passing."""
    (line,) = misspelt(Config({"KerberosTicket": {name: 1, "timeout": 3}}))
    assert "no setting %r" % name in line
    assert ("did you mean %s?" % hint in line) if hint else ("did you mean" not in line)


@pytest.mark.parametrize("name", ["KerberosTickets", "KerberosTiket", "KerberosTicketS"])
def test_a_misspelt_section_has_a_suggestion(name):
    """All of its settings would be ignored."""
    (line,) = misspelt(Config({name: {"timeout": 3}}))
    assert repr(name) in line and "did you mean KerberosTicket?" in line


@pytest.mark.parametrize(
    "section",
    ["KerberosTicket", "KerberosAuthenticator", "Spawner", "JupyterHub", "KerberosSpawner"],
)
def test_other_sections_are_nobodys_business(section):
    """Other classes have names of their own; base classes of ours have settings too."""
    assert misspelt(Config({section: {"timeout": 3}})) == []
    assert misspelt(Config()) == []


def test_a_hostile_name_is_one_line():
    """Whatever a configuration calls it."""
    (line,) = misspelt(Config({"KerberosTicket": {"a\nb" + "x" * 9999: 1}}))
    assert line.isprintable() and len(line) <= 500


# Places.

CONFIG = """# c.KerberosTicket.timeout = 1
c = get_config()
c.KerberosTicket.timeout = 5
if True:
    c.KerberosTicket.timeout = -1  # the last one counts
c.KerberosTicket["retry"] = 0
c["KerberosTicket"].keytabs = "x"
c.KerberosTicket.timeouts = 3
c.KerberosTicket.policy, x = "maybe", "c.KerberosTicket.min_uid"
"""


@pytest.mark.parametrize(
    "message, line",
    [
        ("KerberosTicket.timeout must be from 0.1 to 3600, not -1", 5),
        ("KerberosTicket.retry must be", 6),
        ("KerberosTicket has no setting 'timeouts'; did you mean timeout?", 8),
        ("The 'policy' trait of a KerberosTicket instance expected any of", 9),
        ("KerberosTicket.ccache: the cache ", 0),
        ("something else", 0),
    ],
)
def test_a_message_has_the_place_of_the_setting(tmp_path, message, line):
    """``PATH:LINE: `` of the last assignment, or nothing."""
    path = tmp_path / "jupyterhub_config.py"
    path.write_text(CONFIG)
    assert place_of(message, str(path)) == ("%s:%d: " % (path, line) if line else "")


def test_a_real_message_has_its_place(tmp_path):
    """As traitlets words it, of this version."""
    path = tmp_path / "jupyterhub_config.py"
    path.write_text(CONFIG)
    for values, line in (({"policy": "maybe"}, 9), ({"timeout": "x"}, 5), ({"timeout": -1}, 5)):
        with pytest.raises(TraitError) as error:
            of(**values).values()
        assert place_of(str(error.value), str(path)) == "%s:%d: " % (path, line)


@pytest.mark.parametrize("path", [None, "", "/nowhere/config.py", "/"])
def test_without_a_file_there_is_no_place(path):
    """A configuration from the command line, or from a service."""
    assert place_of("KerberosTicket.timeout must be", path) == ""
