"""Which spawners run a server as its user, on this host, with this /tmp."""

import sys
import types

import pytest

from jhpatch.deployed.kerberos.spawners import is_local, may_refuse_a_spawn, named_ccache

BASES = {
    "LocalProcessSpawner": ["Spawner"],
    "SudoSpawner": ["LocalProcessSpawner"],
    "SystemdSpawner": ["Spawner"],
    "SimpleLocalProcessSpawner": ["LocalProcessSpawner"],
    "DockerSpawner": ["Spawner"],
    "WrapSpawner": ["Spawner"],
    "ProfilesSpawner": ["WrapSpawner"],
    "MySpawner": ["LocalProcessSpawner"],
    "KubeSpawner": ["Spawner"],
}


def spawner(name, **attributes):
    """Return a spawner whose class has this name, and bases by theirs."""

    def kind(name):
        return type(name, tuple(kind(base) for base in BASES.get(name, [])), {})

    made = kind(name)()
    vars(made).update(attributes)
    return made


@pytest.mark.parametrize(
    "name, attributes, expected",
    [
        ("LocalProcessSpawner", {}, True),
        ("MySpawner", {}, True),
        ("SudoSpawner", {}, True),
        ("SystemdSpawner", {"username_template": "{USERNAME}"}, True),
        ("SystemdSpawner", {"username_template": "jupyter-{USERNAME}"}, False),
        ("SystemdSpawner", {"dynamic_users": True}, False),
        ("SystemdSpawner", {"isolate_tmp": True}, False),
        ("SimpleLocalProcessSpawner", {}, False),
        ("DockerSpawner", {}, False),
        ("WrapSpawner", {}, False),
        ("ProfilesSpawner", {}, False),
        ("KubeSpawner", {}, False),
    ],
)
def test_what_is_local(name, attributes, expected):
    """By the names of the classes, and by the options that hide a user or its /tmp."""
    assert is_local(spawner(name, **attributes)) is expected


@pytest.mark.parametrize(
    "value, expected",
    [
        ("FILE:/tmp/x", "FILE:/tmp/x"),
        ("", None),
        (None, None),
        (7, None),
        (lambda spawner: "FILE:/tmp/" + spawner.name, "FILE:/tmp/one"),
        (lambda spawner: 7, None),
    ],
)
def test_a_named_cache(value, expected):
    """A text, or what a callable returns for the spawner; rubbish is no name."""
    assert named_ccache({"KRB5CCNAME": value}, types.SimpleNamespace(name="one")) == expected


def test_a_spawn_is_refused_only_where_the_hub_survives_it(monkeypatch):
    """JupyterHub before SpawnException exits after some failures in a row."""
    module = types.ModuleType("jupyterhub.spawner")
    monkeypatch.setitem(sys.modules, "jupyterhub.spawner", module)
    assert not may_refuse_a_spawn()
    module.SpawnException = Exception
    assert may_refuse_a_spawn()
