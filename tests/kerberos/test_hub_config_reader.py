"""Statements of a configuration file."""

import sys

import pytest

from tests.kerberos.hub_configs import config_of, source_of


@pytest.mark.parametrize(
    "text, expected",
    [
        ("c.A.x = 1", 1),
        ("c['A']['x'] = 1", 1),
        ("c['A'].x = 1", 1),
        ("k = c.A; k.x = 1", 1),
        ("k = l = c.A; l['x'] = 1", 1),
        ("config = get_config()\nconfig.A.x = 1", 1),
        ("c.A.y = c.A.x = 1", 1),
        ("c.A.y, c.A.x = 2, 1", 1),
        ("c.A.y, c.A.x = PAIR", 2),
        ("c.A.x, k = 1, c.A", 1),
        ("(c.A.y, c.A.z), c.A.x = (2, 3), 1", 1),
        ("(c.A.y, c.A.x), c.A.z = (find(), 1), 3", 1),
        ("(c.A.y, c.A.x), c.A.z = ((2, 1), 3)", 1),
        ("d = {'a': 2}; e = d; d |= {'a': 1}; c.A.x = e['a']", 1),
        ("c.A.x: int = 1", 1),
        ("setattr(c.A, 'x', 1)", 1),
        ("setattr(c, 'A', c.A); k = c['A']; setattr(k, 'x', 1)", 1),
        ("c.A.x = 1; c.A.x += 2", 3),
        ("if True:\n    c.A.x = 1\nelse:\n    c.A.x = 2", 1),
        ("DEBUG = False\nc.A.x = 1\nif DEBUG: c.A.x = 2", 1),
        ("try:\n    c = get_config()\nexcept NameError:\n    pass\nc.A.x = 1", 1),
        ("try:\n    pass\nfinally:\n    c.A.x = 1", 1),
        ("if find(): c.A.x = 2\nc.A.x = 1", 1),
        ("class K:\n    c.A.x = 1", 1),
        ("def f(c):\n    c.A.x = 2\nc.A.x = 1", 1),
        ("def f():\n    x = 2\nx = 1\nc.A.x = x", 1),
        ("x = 1\ndef f():\n    x = 2\nc.A.x = x", 1),
    ],
)
def test_what_is_certain(text, expected):
    """The last value of the setting."""
    config = config_of("PAIR = (1, 2)\n" + text + "\n")
    assert config.settings["A.x"] == expected and not config.unread


@pytest.mark.parametrize(
    "text, what",
    [
        ("if find(): c.A.x = 1", "is set under a condition"),
        ("if find(): pass\nelse: c.A.x = 1", "is set under a condition"),
        ("for i in x: c.A.x = 1", "is set in a loop"),
        ("while x: c.A.x = 1", "is set in a loop"),
        ("for c.A.x in y: pass", "is set in a loop"),
        ("try: c.A.x = 1\nexcept OSError: pass", "is set in a try statement"),
        ("with open('f') as f: c.A.x = 1", "is set in a with statement"),
        ("def f(): c.A.x = 1", "is set in a function that may not run"),
        ("def f():\n    if y: c.A.x = 1", "is set in a function that may not run"),
        ("class K:\n    def f(self): c.A.x = 1", "is set in a function that may not run"),
        ("def f(): return setattr(c.A, 'x', 1)", "is set in a function that may not run"),
        ("f = lambda: c.A.update(x=1)", "is set in a function that may not run"),
        ("del c.A.x", "is deleted"),
        ("del c['A']['x']", "is deleted"),
        ("if find(): y = 1\nc.A.x = y", "is set under a condition"),
        ("for y in z: pass\nc.A.x = y", "is set in a loop"),
        ("y = 1\nwhile z:\n    c.A.x = y\n    y = 2\nc.A.x = y", "is set in a loop"),
        ("y = 1\ndef f():\n    global y\n    y = 2\nf()\nc.A.x = y", "is computed"),
        ("def f():\n    global y\n    y = 2\ny = 1\nf()\nc.A.x = y", "is computed"),
        ("y = []\ny.append(1)\nif y: c.A.x = 1", "is set under a condition"),
        ("c.A.y = []\nif c.A.y: c.A.x = 1", "is set under a condition"),
        ("d = {'a': 2}; e = d; d |= find(); c.A.x = e['a']", "is computed"),
        ("y = 1\nfrom z import *\nc.A.x = y", "may come from a star import"),
        ("y = 1\ndel y\nc.A.x = y", "is computed"),
        ("*y, z = 1, 2\nc.A.x = z", "is computed"),
        ("a, b = find()\nc.A.x = a", "is computed"),
        ("c.A.x = y = find()", "is computed"),
        ("c.A.x += 1", "is computed"),
        ("import y\nc.A.x = y.z", "is computed"),
    ],
)
def test_what_is_not_known(text, what):
    """The setting is unknown, although it had a value before."""
    config = config_of("c.A.x = 7\n" + text + "\n" if "+=" not in text else text + "\n")
    assert config.computed["A.x"].what == what and "A.x" not in config.settings


@pytest.mark.parametrize("loop", ["for i in z:", "while z:"])
def test_a_loop_is_read_as_any_of_its_passes(loop):
    """A name that it binds may have another value than before the first one."""
    text = "first = True\n%s\n    if not first: c.A.x = 1\n    first = False\n"
    config = config_of("c.A.x = 7\n" + text % loop)
    assert config.computed["A.x"].what == "is set in a loop"


@pytest.mark.skipif(sys.version_info < (3, 10), reason="needs match")
def test_a_match_statement():
    """Its cases are conditions."""
    config = config_of("match find():\n    case 1:\n        c.A.x = 1\n")
    assert config.computed["A.x"].what == "is set under a condition"


@pytest.mark.parametrize(
    "text, what",
    [
        ("c[name].x = 1", "the name in c[…] is computed"),
        ("c.A[name] = 1", "the name in c.A[…] is computed"),
        ("c.A = {}", "c.A is replaced"),
        ("c.A = c.B", "c.A is replaced"),
        ("del c.A", "a part of c is deleted"),
        ("c.S.environment['X'] = 1", "the dictionary has no value yet, so the hub does not start"),
        ("x.Spawner.y = 1", "Spawner belongs to an object that may not be the configuration"),
        (
            "x['Spawner']['y'] = 1",
            "Spawner belongs to an object that may not be the configuration",
        ),
        ("import a.b\na.b.C.authenticate = f", "the class or module a.b.C is changed"),
        ("import a.b\nsetattr(a.b.C, 'authenticate', f)", "the class or module a.b.C is changed"),
        ("import a.b\nsetattr(a.b.C, find(), f)", "the class or module a.b.C is changed"),
        ("class K: pass\nK.authenticate = f", "the class or module K is changed"),
        ("setattr(c.A, find(), 1)", "c.A is passed to a function"),
        ("raise SystemExit", "raise: the hub does not start"),
        ("if True: raise SystemExit", "raise: the hub does not start"),
        ("import sys\nsys.exit(find())", "sys.exit(): the hub does not start"),
        ("from sys import exit as stop\nstop()", "sys.exit(): the hub does not start"),
        ("exit(1)", "exit(): the hub does not start"),
        ("from a import *", "from a import *"),
        ("+".join("1" * 600), "the code is nested too deeply"),
    ],
)
def test_what_is_listed(text, what):
    """It can set something: what, nobody knows."""
    assert what in [row.what for row in source_of(text + "\n").unread]


@pytest.mark.parametrize(
    "end", ["raise OSError", "import sys; sys.exit()", "if True:\n    quit()\n    c.A.x = 3"]
)
def test_nothing_after_the_end_counts(end):
    """The file ends there."""
    assert config_of("c.A.x = 1\n%s\nc.A.x = 2\n" % end).settings == {"A.x": 1}


@pytest.mark.parametrize(
    "end", ["if find(): exit()", "def f(): exit()", "try: raise OSError\nexcept OSError: pass"]
)
def test_an_end_that_may_not_come(end):
    """The file is read on: without the rest there is no hub."""
    config = config_of("c.A.x = 1\n%s\nc.A.x = 2\n" % end)
    assert config.settings == {"A.x": 2} and not config.unread


@pytest.mark.parametrize(
    "text", ["c.x = 1", "d.A = 1", "x = 1", "c.A.x", "x.y.z = 1", "x[0] = 1", "a = b = c", "x.y"]
)
def test_what_is_no_setting(text):
    """A setting is ``c.Class.name``."""
    config = config_of(text + "\n")
    assert not config.settings and not config.computed and not config.unread


def test_an_entry_of_an_unknown_dictionary():
    """It is not known: other names may stand for the same dictionary."""
    text = "c.S.e = find()\nc.S.e['K'] = '/x'\nd = dict(find())\nd['K'] = '/y'\nc.T.e = d\n"
    config = config_of(text + "if x: c.T.e['K'] = 1\n")
    assert config.computed["S.e"].what == "is computed"
    assert config.settings["T.e"].entries["K"].what == "is set under a condition"


def test_nothing_is_run(tmp_path):
    """Neither a call at the top nor one in a class or a default."""
    path = str(tmp_path / "ran")
    call = "open(%r, 'w')" % path
    text = "%s\nclass A(%s):\n    x = %s\ndef f(x=%s): pass\n@(lambda f: %s)\ndef g(): pass\n"
    if sys.version_info < (3, 9):
        text = text.replace("@(lambda f: %s)", "# %s")
    source_of(text % ((call,) * 5))
    assert not (tmp_path / "ran").exists()


def test_traitlets_agrees(tmp_path):
    """What is known is what traitlets makes of the same file."""
    loader = pytest.importorskip("traitlets.config.loader")
    text = (
        "import os\nBASE = '/home'\nk = c.KerberosTicket\nk.keytab = BASE + '/{username}'\n"
        "c['KerberosTicket']['timeout'] = 7\nc.KerberosTicket.update({'policy': 'warn'})\n"
        "c.A.x, c.A.y = 1, [2]\nc.A.z = c.A.x\nc.Spawner.environment = {'A': 'b'}\n"
        "c.Spawner.environment['B'] = 'c'\nc.Spawner.environment.update(C='d')\n"
        "c.merge({'M': {'x': f'{BASE}/%d' % 3}})\nif BASE == '/home': c.A.w = '%s' % BASE\n"
        "for i in [1]: c.A.loop = i\nc.A.computed = os.getpid()\n"
    )
    (tmp_path / "config.py").write_text(text)
    real = loader.PyFileConfigLoader("config.py", str(tmp_path)).load_config()
    known = config_of(text)
    assert set(known.computed) == {"A.loop", "A.computed"}
    for name, value in known.settings.items():
        section, _, key = name.partition(".")
        assert real[section][key] == value, name
    assert len(known.settings) == 9
