"""The settings of sections as one value."""

import pytest

from jhpatch.kerberos.class_definition import ClassDefinition
from jhpatch.kerberos.hub_config import Environment, Function, HubConfig, Place
from jhpatch.kerberos.hub_config_settings import hub_config_of
from tests.kerberos.hub_configs import PATH, config_of, source_of


@pytest.mark.parametrize(
    "value, kind",
    [
        ("1", int),
        ("{'a': 1}", dict),
        ("{'a': find()}", Environment),
        ("lambda name: name", Function),
    ],
)
def test_values(value, kind):
    """Constants, dictionaries, functions."""
    config = config_of("c.A.x = %s\n" % value)
    assert type(config.settings["A.x"]) is kind and config.place("A.x") == PATH + ":1"


def test_classes():
    """A class is a dotted name or a definition, where a setting takes one."""
    text = "import a.b\nclass K(a.b.C): pass\nc.A.x_class = %s\nc.A.x = %s\n"
    config = config_of(text % ("a.b.C", "a.b.C"))
    assert config.settings == {"A.x_class": "a.b.C"} and set(config.computed) == {"A.x"}
    config = config_of(text % ("K", "K"))
    assert isinstance(config.settings["A.x_class"], ClassDefinition)
    assert set(config.computed) == {"A.x"}


def test_a_setting_that_is_only_read_is_not_set():
    """traitlets makes an empty entry of it, which changes nothing."""
    assert hub_config_of(source_of("c.A.x\n").config, ()) == HubConfig()


def test_the_entries_of_a_dictionary_have_places():
    """A finding on one of them names its line."""
    config = config_of("c.A.e = {\n    'x': 1}\nc.A.e['y'] = 2\n")
    assert config.places["A.e.x"] == Place(PATH, 2) and config.places["A.e.y"] == Place(PATH, 3)


def test_a_section_in_a_section_is_listed():
    """Only settings of KerberosTicket: for others it does not matter."""
    config = config_of("c.PAMAuthenticator.KerberosTicket.x = 1\nc.A.B.x = 1\n")
    assert [row.what for row in config.unread] == [
        "c.PAMAuthenticator.KerberosTicket.x is set in a nested section"
    ]
    assert not config.settings
