"""Calls whose effect is certain, and those that are listed."""

import pytest

from jhpatch.kerberos.hub_config import Place, Unread
from jhpatch.kerberos.hub_config_reader import read_source
from jhpatch.kerberos.hub_config_settings import hub_config_of
from jhpatch.kerberos.hub_config_values import Section
from tests.kerberos.hub_configs import PATH, config_of


def settings_of(text):
    """The settings that a file makes, and what is not read."""
    config = config_of(text + "\n")
    return dict(config.settings), [row.what for row in config.unread]


@pytest.mark.parametrize(
    "text",
    [
        "c.A.update({'x': 1})",
        "c.A.update(x=1)",
        "c.A.setdefault('x', 1)",
        "c.A.x = 1; c.A.setdefault('x', 2)",
        "c.A.merge({'x': 1})",
        "c.merge({'A': {'x': 1}})",
        "from traitlets.config import Config\nc.merge(Config({'A': {'x': 1}}))",
        "from traitlets.config import Config\nc.merge(Config(A=dict(x=1)))",
        "import os\nc.A.x = 1 if os.path.join('/a', 'b') == '/a/b' else 2",
        "from os.path import dirname\nc.A.x = 1 if dirname(__file__) == '/etc/jupyterhub' else 2",
        "import os\nc.A.x = 1 if os.path.abspath('/a/../b') == '/b' else 2",
        "print(c.A, len(c.A)); c.A.x = 1",
        "c.A.x = {'y': 1}.get('y')",
        "c.A.x = c.A.get('y', 1)",
        "d = {'x': 1}; e = d.copy(); d['x'] = 2; c.A.update(e)",
        "get_config().A.x = 1",
    ],
)
def test_what_is_certain(text):
    """One setting, and nothing that is listed."""
    assert settings_of(text) == ({"A.x": 1}, [])


@pytest.mark.parametrize(
    "text, what",
    [
        ("c.A.update(find())", "the effect of c.A.update() is unknown"),
        ("c.A.update({find(): 1})", "the effect of c.A.update() is unknown"),
        ("c.A.merge(find())", "the effect of c.A.merge() is unknown"),
        ("c.A.pop('x')", "c.A.pop()"),
        ("c.clear()", "c.clear()"),
        ("c.A.y; c.merge({'A': {'x': 1}})", "the effect of c.merge() is unknown"),
        ("configure(c)", "c is passed to a function"),
        ("configure(config=c.A)", "c.A is passed to a function"),
        ("eval(text)", "eval() can change any setting"),
        ("globals()['c']", "globals() can change any setting"),
        ("load_subconfig(name)", "the path in load_subconfig() is computed"),
        ("load_subconfig('/a', find())", "the path in load_subconfig() is computed"),
        ("load_subconfig('/a')", "load_subconfig('/a'): the file is not read"),
    ],
)
def test_what_is_listed(text, what):
    """It can set something: what, nobody knows."""
    assert settings_of(text)[1] == [what]


@pytest.mark.parametrize(
    "text, known",
    [
        ("d.update(y=2)", {"x": 1, "y": 2}),
        ("d.update({'x': 2})", {"x": 2}),
        ("d.setdefault('x', 2)", {"x": 1}),
        ("d.setdefault('y', 2)", {"x": 1, "y": 2}),
        ("d.update(find())", {}),
        ("d.pop('x')", {}),
        ("find(d)", {}),
        ("print(d)", {"x": 1}),
        ("if find(): d.update(x=2)", {}),
        ("if find(): d.update(y=2)", {"x": 1}),
    ],
)
def test_changes_of_a_dictionary(text, known):
    """Also if it is a setting by now; entries that may have changed are not known."""
    config = config_of("d = {'x': 1}\nc.A.e = d\n%s\n" % text)
    value = config.settings["A.e"]
    entries = getattr(value, "entries", value)
    assert {key: item for key, item in entries.items() if isinstance(item, int)} == known


def test_a_file_that_is_loaded_is_merged():
    """With the settings of both, the later counts; a relative name is listed too."""
    asked = []

    def load(name, directory):
        asked.append((name, directory))
        section = Section()
        section.get("A").set("x", 2, None)
        return section

    text = b"c.A.x = 1\nload_subconfig('s.py')\nload_subconfig('s', path='/d')\nc.A.y = c.A.x\n"
    source = read_source(text, PATH, load)
    assert asked == [("s.py", None), ("s", "/d")]
    assert source.config.get("A").entries == {"x": 2, "y": 2}
    assert [row.place.line for row in source.unread] == [2]


@pytest.mark.parametrize(
    "text, known",
    [
        ("if find(): load_subconfig('/a')\nc.B.y = 3", {"A.y": 1, "B.y": 3}),
        ("def f(): load_subconfig('/a')\nc.A.x = 3\nf()\nc.B.y = 3", {"A.y": 1, "B.y": 3}),
        ("for i in find(): load_subconfig('/rest')\nc.B.y = 3", {"B.y": 3}),
    ],
)
def test_a_file_that_may_be_loaded(text, known):
    """What it sets is not known; if it can set anything, nothing before it is."""

    def load(name, directory):
        section = Section()
        section.get("A").set("x", 2, Place("/a", 1))
        if name == "/rest":
            section.forget(Unread(Place("/a", 2), "exec() can change any setting"))
        return section

    source = read_source(("c.A.x = c.A.y = 1\n" + text).encode(), PATH, load)
    config = hub_config_of(source.config, source.unread, PATH)
    assert config.settings == known and "A.x" in config.computed
    assert [row.place.line for row in config.unread] == [2]


@pytest.mark.parametrize("call", ["values()", "items()", "get(find())"])
def test_what_a_method_returns_has_the_same_dictionaries(call):
    """Code can change them there: their entries are not known from then on."""
    text = "d = {'k': {'a': 1}}\ne = d.%s\nc.A.x = d['k']['a']\n" % call
    why = config_of(text).computed["A.x"]
    assert why.what == "is changed by %s()" % call.partition("(")[0]
