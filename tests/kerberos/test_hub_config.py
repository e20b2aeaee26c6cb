"""The hub's configuration as a value."""

import pytest

from jhpatch.kerberos.hub_config import Function, HubConfig, Place, Unread, with_templates

UNREAD = Unread(Place("/c.py", 3), "is computed")


@pytest.mark.parametrize(
    "value, min_uid", [(1000, 1000), (0, 1), (-5, 1), ("1000", 1), (True, 1), (None, 1)]
)
def test_the_lowest_uid(value, min_uid):
    """It is never root's; what is no whole number is not used."""
    assert HubConfig({"KerberosTicket.min_uid": value}).min_uid == min_uid


def test_the_kinit_that_is_set():
    """It is empty if none is."""
    assert HubConfig({"KerberosTicket.kinit": "/k"}).kinit == "/k"
    assert HubConfig({"KerberosTicket.kinit": None}).kinit == HubConfig().kinit == ""


def test_the_place_of_a_setting():
    """FILE:LINE, of one that is not known too; none for what no file sets."""
    config = HubConfig({"A.b": 1}, {"A.c": UNREAD}, "/c.py", {"A.b": Place("/c.py", 2)})
    assert [config.place(name) for name in ("A.b", "A.c", "A.d")] == ["/c.py:2", "/c.py:3", None]
    assert str(Place("/c.py")) == "/c.py" and config.names == ("A.b", "A.c")


def test_templates_of_the_command_line():
    """They replace the file's; a principal replaces the map of principals too."""
    config = HubConfig(
        {"KerberosTicket.keytab": "/a", "KerberosTicket.principal_map": "/m"},
        {"KerberosTicket.ccache": UNREAD},
        places={"KerberosTicket.keytab": Place("/c.py", 1)},
    )
    assert with_templates(config, {"keytab": None, "ccache": None}) == config
    given = with_templates(config, {"ccache": "/c", "keytab": "/b"})
    assert given.ticket_setting("keytab") == "/b" and not given.computed
    assert given.ticket_setting("principal_map") == "/m"
    assert given.place("KerberosTicket.keytab") is None
    given = with_templates(config, {"principal": "alice"})
    assert given.ticket_setting("principal_map") == "" and given.computed


def test_a_function_is_never_called():
    """It is shown with its line, and it counts as callable."""
    function = Function("princ", 2)
    assert repr(function) == "<function princ, line 2>" and callable(function)
    with pytest.raises(NotImplementedError):
        function("alice")
