"""Sections and dictionaries that other code has, and code that can change any setting."""

import sys

import pytest

from tests.kerberos.findings_of import findings_of
from tests.kerberos.hub_configs import config_of


@pytest.mark.parametrize(
    "text",
    [
        "for s in (c.A,): s.x = 2",
        "L = [c.A]\nc.A.x = 3\nL[0].x = 2",
        "[s.update(x=2) for s in [c.A]]",
        "s = c.A or None\ns.x = 2",
        "s = c.A if find() else None\ns.x = 2",
        "if find(): s = c.A\nelse: s = c.B\ns.x = 2",
        "class K:\n    s = c.A\nK.s.x = 2",
        "class K:\n    s = c\nK.s.A.x = 2",
        "n.s = c.A\nn.s.x = 2",
        "d = {'s': c.A}\nd['s'].x = 2",
        "s, t = u = c.A, 1\ns.x = 2",
        "with closing(c.A) as s: s.x = 2",
        "def f(s=c.A): s.x = 2\nf()",
        "def f(): return c.A\nf().x = 2",
        "f = lambda s=c.A: s.update(x=2)\nf()",
        "find(c.A)\nc.A.x = 3",
        "find(*[c])\nc.A.x = 3",
        "find(get_config)\nc.A.x = 3",
        "setattr(c.A, name, 2)",
        "u = c.A.update\nu(x=2)",
        "list(map(c.A.__setitem__, ['x'], [2]))",
        "c.A.__dict__",
        "for s in c.values(): s.x = 2",
        "c.pop('A').x = 3",
        "c.get(find()).x = 2",
        "for s in ['A']: c[s].x = 2",
        "s = c.A\ndel c.A\ns.x = 3",
        "def f(): c.A.x = 2\nc.A.x = 3\nf()",
        "def f(): s.x = 2\ns = c.A\nc.A.x = 3\nf()",
        "def f():\n    def g(): s.x = 2\n    g()\ns = c.A\nc.A.x = 3\nf()",
        "def f(): config.A.x = 2\nconfig = get_config()\nc.A.x = 3\nf()",
        "def f():\n    global s\n    s = c.A\nf()\nc.A.x = 3\ns.x = 2",
        "def f():\n    c.A.x = 2\n    yield\nc.A.x = 3\nnext(f())",
        "class K:\n    s = c.B\n    def f(self): s.x = 2\ns = c.A\nc.A.x = 3\nK().f()",
        "class K:\n    def __init__(self): c.A.x = 2\nc.A.x = 3\nK()",
        "def print(x): c.A.x = 2\nc.A.x = 3\nprint(1)",
        "def f(): c.A.x['k'] = 2\nc.A.x = {}\nf()",
        "def f(): c.A.x.update(k=2)\nc.A.x = {}\nf()",
        "def f(): c.A.x.append(2)\nc.A.x = []\nf()",
        "c.A.x = [1]\nfor y in c.A.values(): y.append(2)",
        "d = {'x': [1]}\nc.A.update(d)\nd['x'].append(2)",
        "d = {'A': {'x': 1}}\nc.merge(d)\nd['A']['x'] = 2",
        "import builtins\nbuiltins.exec(text)",
        "1 > 2 > c.A.update(x=2)",
        "[0 for c.A.x in (2,)]",
        "[0 for c.A['x'] in (2,)]",
        "K = 1\ndef f(): globals()['K'] = 2\nf()\nc.A.x = K",
        "y = 1\nclass K:\n    global y\n    y = 2\nc.A.x = y",
        "t = [1]\nc.A.x = c.A.y = t\nc.A.y.append(2)",
        "c.A.x = [1]\nc.A.x.append(2)",
        "c.A.x = c.A.y = [1]\nc.A.y.append(2)",
        "d = {'k': [1]}\nd['k'].append(2)\nc.A.x = d['k']",
        "y = ([1],)\ny[0].append(2)\nc.A.x = y",
        # one that only changes what was before
        "c.A.pop('x')",
        "c.A.clear()",
        "c.clear()",
        "del c.A",
        "del c['A']",
        "c.A |= {'x': 2}",
        "c |= {'A': {'x': 2}}",
        "c.A[name] = 2",
        "c.A = find()",
        "c.A = c.B",
        "c.setdefault('B', {})['x'] = 2",
        "c.merge(find())",
        "c.A.update(find())",
        "exec(text)",
        "load_subconfig(name)",
        "load_subconfig('/other.py')",
        "if find(): load_subconfig('/other.py')",
        "+".join("1" * 600),
    ],
)
def test_a_section_that_is_not_followed(text):
    """Its settings are not known, those that it does not name among them."""
    config = config_of("c.A.x = 1\n" + text + "\n")
    assert "A.x" not in config.settings and "A.x" in config.computed
    assert all(row.place.line for row in config.unread)


@pytest.mark.parametrize(
    "text",
    [
        "e = d or {}\ne['k'] = 2",
        "e = d if find() else {}\ne['k'] = 2",
        "for e in [d]: e['k'] = 2",
        "e = [d]\ne[0]['k'] = 2",
        "def f(e=d): e['k'] = 2\nf()",
        "n.e = d\nn.e['k'] = 2",
        "u = d.update\nu(k=2)",
        "def f(): d['k'] = 2\nf()",
        "def f(): d['k'] = 2\nd = {'k': 1}\nf()",
        "def f(): d.update(k=2)\nd['k'] = 1\nf()",
        "n = {'e': d}\nfor e in n.values(): e['k'] = 2",
        "n = {}\nn.update(e=d)\nn['e']['k'] = 2",
        "n = {'e': d}\nn.pop('e')['k'] = 2",
        "n = {'e': {'k': 1}}\nn.get(find())['k'] = 2\nd = n['e']",
        "n = {'e': {'k': 1}}\nm = dict(n)\nm['e']['k'] = 2\nd = n['e']",
        "n = {'e': {'k': 1}}\nn[find()]['k'] = 2\nd = n['e']",
        "c.B.e = d\nif find(): c.B.e = {}\nc.B.e['k'] = 2",
        "x = find()\ny = x\nx['k'] = 1\ny['k'] = 2\nd = x",
        "e = d\nfrom z import *\ne['k'] = 2",
    ],
)
def test_a_dictionary_that_is_not_followed(text):
    """Its entries are not known."""
    config = config_of("d = {'k': 1}\n%s\nc.A.x = d['k']\n" % text)
    assert "A.x" not in config.settings and "A.x" in config.computed


@pytest.mark.parametrize(
    "text",
    [
        "c.A.pop('y')",
        "exec(text)",
        "assert find(), c.A.pop('y')",
        "load_subconfig(name)",
        "c.merge(find())",
        "def f(): c.A.y = 1",
        "for k, v in c.A.items(): print(k, v)",
        "if 'x' in c.A: pass",
        "print(f'{c.A}', len(c.A), c.A)",
    ],
)
def test_a_setting_that_is_made_later_is_known(text):
    """The code before it has no part in it."""
    assert config_of(text + "\nc.A.x = 1\n").settings == {"A.x": 1}


@pytest.mark.skipif(sys.version_info < (3, 8), reason="needs :=")
@pytest.mark.parametrize(
    "text",
    [
        "[y := 2 for _ in (1,)]",
        "any((y := 2) for _ in (1,))",
        "(y := [1]).append(2)",
    ],
)
def test_an_assignment_in_an_expression(text):
    """In a comprehension it may not happen."""
    assert "A.x" in config_of("y = 1\n%s\nc.A.x = y\n" % text).computed


@pytest.mark.skipif(sys.version_info < (3, 10), reason="needs match")
@pytest.mark.parametrize("pattern", ["y", "{'a': y}", "{**y}", "[*y]", "1 as y"])
def test_a_name_in_a_pattern(pattern):
    """It is bound if the pattern matches."""
    text = "y = 1\nmatch find():\n    case %s: pass\nc.A.x = y\n" % pattern
    assert "A.x" in config_of(text).computed


@pytest.mark.parametrize(
    "text, line",
    [
        ("for k, v in find(): setattr(c.KerberosTicket, k, v)", "c.KerberosTicket is passed"),
        (
            "for k, v in find(): c.KerberosTicket[k] = v",
            "the name in c.KerberosTicket[…] is computed",
        ),
        ("c.KerberosTicket.pop('keytab')", "c.KerberosTicket.pop()"),
        ("exec(text)", "exec() can change any setting"),
        ("for s in find(): c[s].x = 1", "the name in c[…] is computed"),
    ],
)
def test_one_note_and_no_error(text, line):
    """What was wrong before may be right after that line."""
    (note,) = findings_of("c.KerberosTicket.keytab = 'relative'\n" + text + "\n")
    assert note.code == "config-not-read" and note.message.startswith("line 2: " + line)


def test_the_names_of_a_class():
    """Neither its functions nor the classes in it see them."""
    text = "K = 1\nclass A:\n    K = 2\n    class B:\n        c.A.x = K\n    c.A.y = K\n"
    assert config_of(text).settings == {"A.x": 1, "A.y": 2}
