"""KRB5CCNAME of the spawner."""

import pytest

from jhpatch.kerberos.hub_config import HubConfig
from jhpatch.kerberos.spawner_environment import check_environment, named_cache
from tests.kerberos.hub_configs import PATH, config_of

BASE = "c.Spawner.environment = {'KRB5CCNAME': '/base'}\n"
SUDO = "c.JupyterHub.spawner_class = 'sudospawner.SudoSpawner'\n"


@pytest.mark.parametrize(
    "text, expected",
    [
        ("", None),
        (BASE, "/base"),
        (BASE + "c.Spawner.environment['KRB5CCNAME'] = '/x'\n", "/x"),
        (BASE + "c.Spawner.environment.update({'A': 'b'})\n", "/base"),
        ("c.Spawner.environment.update({'KRB5CCNAME': '/x'})\n", "/x"),
        (BASE + "c.LocalProcessSpawner.environment.update({'KRB5CCNAME': '/x'})\n", "/x"),
        (BASE + "c.LocalProcessSpawner.environment = {'A': 'b'}\n", None),
        (BASE + "c.LocalProcessSpawner.environment = {'A': find()}\n", None),
        (BASE + "c.SudoSpawner.environment = {'KRB5CCNAME': '/x'}\n", "/base"),
        (SUDO + BASE + "c.SudoSpawner.environment = {'KRB5CCNAME': '/x'}\n", "/x"),
        (SUDO + BASE + "c.LocalProcessSpawner.environment = {'KRB5CCNAME': '/x'}\n", "/x"),
        ("c.Spawner.environment = {**find(), 'KRB5CCNAME': '/x'}\n", "/x"),
        ("c.Spawner.environment = {'KRB5CCNAME': ''}\n", None),
    ],
)
def test_the_most_specific_section_counts(text, expected):
    """A dictionary replaces that of a base class; an update changes it."""
    named = named_cache(config_of(text))
    assert (named.name, named.unread) == (expected, None)


@pytest.mark.parametrize(
    "text",
    [
        BASE,
        BASE + "c.Spawner.environment.update({'A': 'b'})\n",
        "c.Spawner.environment.update({'KRB5CCNAME': '/x'})\n",
        BASE + "c.LocalProcessSpawner.environment.update({'KRB5CCNAME': '/x'})\n",
        BASE + "c.LocalProcessSpawner.environment.update({'A': 'b'})\n",
        BASE + "c.LocalProcessSpawner.environment = {'A': 'b'}\n",
        BASE + "c.SudoSpawner.environment = {'KRB5CCNAME': '/x'}\n",
        "c.LocalProcessSpawner.environment.update({'KRB5CCNAME': '/x'})\n" + BASE,
        "c.LocalProcessSpawner.environment.update({'KRB5CCNAME': '/x'})\n"
        "c.SudoSpawner.environment.update({'A': 'b'})\n",
    ],
)
def test_traitlets_agrees(text, tmp_path):
    """Real classes with the same bases have the same KRB5CCNAME."""
    config = pytest.importorskip("traitlets.config")

    class Spawner(config.Configurable):
        environment = pytest.importorskip("traitlets").Dict(config=True)

    class LocalProcessSpawner(Spawner):
        pass

    class SudoSpawner(LocalProcessSpawner):
        pass

    (tmp_path / "config.py").write_text(text)
    loader = pytest.importorskip("traitlets.config.loader").PyFileConfigLoader
    for kind, head in ((LocalProcessSpawner, ""), (SudoSpawner, SUDO)):
        settings = loader("config.py", str(tmp_path)).load_config()
        real = kind(config=settings).environment.get("KRB5CCNAME")
        named = named_cache(config_of(head + text))
        assert named.name == real or named.unread.what.startswith("is kept only by traitlets 5")


@pytest.mark.parametrize(
    "text, what",
    [
        ("c.Spawner.environment = find()\n", "is computed"),
        (BASE + "c.LocalProcessSpawner.environment = find()\n", "is computed"),
        ("c.Spawner.environment = {'KRB5CCNAME': find()}\n", "is computed"),
        ("c.Spawner.environment = {'KRB5CCNAME': '/x', **find()}\n", "is computed"),
        ("c.Spawner.environment = {'A': 'b', **find()}\n", "is computed"),
        ("c.Spawner.environment = {'KRB5CCNAME': lambda spawner: 'x'}\n", "is a function"),
        ("c.Spawner.environment = {'KRB5CCNAME': 7}\n", "is not a string"),
        (BASE + "if x: c.Spawner.environment['KRB5CCNAME'] = 1\n", "is set under a condition"),
        (
            BASE + "c.LocalProcessSpawner.environment.update({'A': 'b'})\n",
            "is kept only by traitlets 5 and later",
        ),
        (
            "c.JupyterHub.spawner_class = 'site.Own'\n"
            "c.LocalProcessSpawner.environment = {'KRB5CCNAME': '/x'}\n",
            "applies if the spawner is a LocalProcessSpawner",
        ),
    ],
)
def test_what_is_not_known(text, what):
    """The reason has its line."""
    named = named_cache(config_of(text))
    assert named.name is None and named.unread.what == what
    assert str(named.unread.place) == "%s:%d" % (PATH, text.count("\n"))


@pytest.mark.parametrize(
    "name, expected",
    [
        ("/tmp/krb5cc", "environment-ccache-shared"),
        ("FILE:/tmp/krb5cc_{uid}", "environment-ccache-shared"),
        ("DIR:/tmp/x", "environment-ccache-shared"),
        ("MEMORY:", "ccache-unsupported"),
        ("KEYRING:session:x", "ccache-unsupported"),
        ("KCM:", None),
        ("KEYRING:persistent", None),
    ],
)
def test_a_cache_for_all_users(name, expected):
    """A value is not a template: a path is the same for all users."""
    config = HubConfig({"Spawner.environment": {"KRB5CCNAME": name}})
    assert [row.code for row in check_environment(config)] == ([expected] if expected else [])


@pytest.mark.parametrize(
    "head",
    [
        "c.JupyterHub.spawner_class = 'dockerspawner.DockerSpawner'\n",
        "c.JupyterHub.spawner_class = 'systemd'\nc.SystemdSpawner.isolate_tmp = True\n",
        "c.JupyterHub.spawner_class = 'site.Own'\n",
        "c.JupyterHub.spawner_class = find()\n",
    ],
)
def test_servers_that_share_no_path(head):
    """Nothing is wrong, or it is not known whether something is."""
    assert not list(check_environment(config_of(head + BASE)))
    assert list(check_environment(config_of(SUDO + BASE)))
