"""The values of expressions."""

import sys

import pytest

from tests.kerberos.hub_configs import PATH, config_of, source_of


def value_of(expression, before=""):
    """The value of a setting that is set to this expression; its reason if it is not known."""
    config = config_of("%s\nc.A.x = %s\n" % (before, expression))
    if "A.x" in config.computed:
        return config.computed["A.x"]
    return config.settings.get("A.x")


@pytest.mark.parametrize(
    "expression, expected",
    [
        ("'a' 'b'", "ab"),
        ("-5 * 2", -10),
        ("not 0", True),
        ("[1, (2, 'x')]", [1, (2, "x")]),
        ("{'a': {'b': 1}['b']}", {"a": 1}),
        ("(1, 2)[1]", 2),
        ("'%s/x' % NAME", "n/x"),
        ("f'/{NAME}/{{username}}'", "/n/{username}"),
        ("'/{}'.format(NAME)", "/n"),
        ("NAME or 'x'", "n"),
        ("'' or NAME", "n"),
        ("1 if NAME == 'n' else 2", 1),
        ("None", None),
        ("...", ...),
        ("dict(a=1, **{'b': 2})", {"a": 1, "b": 2}),
        ("c.A.y", 7),
        ("c['A']['y']", 7),
        ("__file__", PATH),
    ],
)
def test_what_is_certain(expression, expected):
    """Constants, names of constants, other settings."""
    assert value_of(expression, "NAME = 'n'\nc.A.y = 7") == expected


@pytest.mark.parametrize(
    "expression",
    [
        "os.environ['X']",
        "open('/x').read()",
        "find()",
        "'a' * 3",
        "f'{NAME!r}'",
        "f'{NAME:>5}'",
        "[find()]",
        "[x for x in (1, 2)]",
        "(1, 2)[5]",
        "{'a': 1}['b']",
        "{[]: 1}[[]]",
        "a < 1",
        "~1",
        "missing",
        "'a'.upper()",
        "find().x",
        "NAME.x",
    ],
)
def test_what_is_computed(expression):
    """It is not known, by the line of the setting."""
    why = value_of(expression, "import os; NAME = 'n'")
    assert (str(why.place), why.what) == (PATH + ":2", "is computed")


@pytest.mark.parametrize(
    "expression, name",
    [
        ("f.__globals__", "__globals__"),
        ("f.__builtins__", "__builtins__"),
        ("frame().f_globals", "f_globals"),
        ("builtins.exec", "exec"),
    ],
)
def test_an_attribute_by_which_code_changes_all_names(expression, name):
    """No name is known from then on."""
    text = "import builtins\nx = 1\n%s\nc.A.x = x\n" % expression
    assert ["%s() can change any setting" % name] == [row.what for row in source_of(text).unread]
    assert "A.x" in config_of(text).computed


def test_a_value_under_a_condition():
    """Neither of the two is taken."""
    assert value_of("1 if find() else 2").what == "is set under a condition"


@pytest.mark.parametrize(
    "text", ["find() and load_subconfig('/a')", "load_subconfig('/a') if find() else 1"]
)
def test_calls_under_a_condition(text):
    """Nothing is loaded."""
    (unread,) = source_of(text + "\n").unread
    assert unread.what == "load_subconfig('/a') under a condition"


def test_calls_in_a_comprehension():
    """They are listed; its names are its own."""
    source = source_of("x = 1\n[load_subconfig(x) for x in y if x]\nc.A.x = x\n")
    assert [row.what for row in source.unread] == ["the path in load_subconfig() is computed"]
    assert source.config.get("A").get("x") == 1


def test_a_function_that_names_krb5ccname():
    """Its line is listed: the hub can set it there."""
    text = "def hook(spawner):\n    spawner.environment['KRB5CCNAME'] = '/x'\nc.A.hook = hook\n"
    (unread,) = source_of(text).unread
    assert unread.place.line == 2 and unread.what.startswith("KRB5CCNAME is used in a function")


@pytest.mark.skipif(sys.version_info < (3, 8), reason="needs :=")
def test_a_name_in_an_expression():
    """It is bound as by an assignment."""
    assert value_of("(NAME := 'x') + NAME") == "xx"


def test_a_starred_name_is_not_known():
    """Neither is a list with one in it."""
    assert value_of("[*find()]").what == "is computed"
