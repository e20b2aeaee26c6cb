"""What the names of a notebook stand for while no session runs, and after one was stopped."""

import types

import pytest

from jhpatch.deployed.spark_names import Lazy, Names


@pytest.fixture
def session():
    """A session that does not run."""
    return types.SimpleNamespace(objects={}, on_change=None, get=lambda name: [name])


@pytest.fixture
def names(session, monkeypatch):
    """The names of an empty notebook."""
    monkeypatch.setenv("SPARK_HOME", "/nonexistent")
    found = Names(session, types.SimpleNamespace(user_ns={}, user_ns_hidden={}))
    found.put()
    return found._namespace


def test_a_use_starts_the_session_and_a_look_does_not(names):
    """``repr`` is a look, an attribute is a use."""
    assert "connects when it is used" in repr(names["sc"])
    assert names["spark"].count("spark") == 1


def test_names_follow_the_session(names, session):
    """Also those that the user has given to it; what is in their place stays."""
    names["sc"] = 5
    session.objects = {"spark": object(), "sc": object()}
    session.on_change()
    assert names["spark"] is session.objects["spark"] and names["sc"] == 5
    names["mine"] = names["spark"]
    session.objects = {}
    session.on_change()
    assert type(names["mine"]) is Lazy and type(names["spark"]) is Lazy and names["sc"] == 5
