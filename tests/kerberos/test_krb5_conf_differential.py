"""jhpatch's own reading of krb5.conf against libkrb5's, on generated files."""

import os
import random
import shutil
import subprocess

import pytest

from jhpatch.kerberos import krb5_conf, libkrb5
from testing.users import ROOT_ONLY

pytestmark = pytest.mark.skipif(not libkrb5.is_available(), reason="no libkrb5 to compare with")
SEED, FILES = 20261129, 2000
BLANKS = ("", " ", "\t", "  ", " \t ", "\v", "\f", "\r", "\u00a0")
NAMES = ("libdefaults", "realms", "domain_realm", "a b", "", "X.TEST", " x ", "é", "a*b")
TAGS = (
    "default_realm",
    "kdc",
    "kdc",
    "x",
    "*",
    "final*",
    "two words",
    "",
    "é",
    "kdc\t",
    "#x",
    "[",
)
VALUES = (
    *("X.TEST", "kdc.x.test:88", "a b", "a # b", "", "{", "{ # x", "{ }", "}", "=", "a = b", "é"),
    *(
        '"quoted"',
        '"a \\" b" c',
        '"a\\tb\\n\\\\',
        '"',
        '"open  ',
        "'x'",
        "\\",
        "https://x/y",
        "x;",
    ),
)
ENDS = ("\n", "\n", "\n", "\r\n", "\r", " \n", "\t\r\n", "\0\n", "\n\n", "\u00a0\n", "")


def line(random_, directory):
    """A line, its end included."""
    pick = random_.choice
    kind = random_.random()
    if kind < 0.17:
        text = "[%s]%s" % (pick(NAMES), pick(("", "", "", "*", " ", "* ", " *", " # x", "x")))
    elif kind < 0.55:
        text = pick(TAGS) + pick(BLANKS) + "=" + pick(BLANKS) + pick(VALUES)
    elif kind < 0.62:
        text = pick(
            ("X = {", "X =", "X = ", "Y*={", "X = {\t", "{", " {", "{ x", "}", "}*", "} x")
        )
    elif kind < 0.74:
        text = pick(("}", "}", "}", "{"))
    elif kind < 0.82:
        text = pick(("# x", "; x", "#", " # [a]", "\ufeff[libdefaults]", "text", "\0", ""))
    elif kind < 0.86:
        text = pick(("include", "includedir")) + pick((" ", "\t", "", "x ", "  "))
        text += directory + pick(("/one.conf", "/d", "/d/", "/none", "", "/d ", "/one.conf # x"))
    elif kind < 0.87:
        text = pick(("module x:y", "module", "module\tx", "modulex"))
    elif kind < 0.89:
        text = (
            pick(("# ", "x = ", "")) + "x" * random_.randint(2030, 2060) + pick(("", " = y", "#"))
        )
        text += pick(("", "x = y" * 820))
    else:
        return "\n"
    return pick(("", "", "", "", "", " ", "\t", "\u00a0")) + text + pick(ENDS)


def text(random_, directory):
    """The text of a file: most begin with a section, and have few lines."""
    head = random_.choice(("[libdefaults]\n", "[realms]\n X = {\n", "[a]\nb = c\n", ""))
    count = random_.choice((1, 2, 3, 4, 6, 9, 14))
    return head + "".join(line(random_, directory) for _ in range(count))


def by_tag(profile):
    """The values of each tag, in their order."""
    values = {}
    for path, value in profile.relations:
        values.setdefault(path, []).append(value)
    return values


@pytest.fixture
def included(tmp_path):
    """A directory with the files that generated ones include, and an empty one, ``files``."""
    (tmp_path / "d").mkdir()
    (tmp_path / "d/x.conf").write_text("[realms]\n X = {\n kdc = included\n }\n")
    (tmp_path / "d/y_1-Z").write_text("[realms]\n X = {\n kdc = plain name\n }\n")
    for name in ("y.bak", ".hidden.conf", "z.CONF", "z~"):
        (tmp_path / "d" / name).write_text("[broken")
    (tmp_path / "d/sub").mkdir()
    (tmp_path / "one.conf").write_text("[libdefaults]\n default_realm = ONE.TEST\n")
    (tmp_path / "files").mkdir()
    return tmp_path


@pytest.mark.slow
def test_two_thousand_files(tmp_path, included, monkeypatch):
    """Both accept the same files, for the same kind of reason, and have the same values."""
    library, random_ = libkrb5._LIBRARY, random.Random(SEED)
    accepted = 0
    for number in range(FILES):
        path = str(tmp_path / "files" / ("%d.conf" % number))
        data = text(random_, str(tmp_path)).encode("utf-8")
        with open(path, "wb") as file:
            file.write(data)
        environ = {"KRB5_CONFIG": path}
        real = krb5_conf.read_profile(environ)
        monkeypatch.setattr(libkrb5, "_LIBRARY", "libnone.so")
        model = krb5_conf.read_profile(environ)
        monkeypatch.setattr(libkrb5, "_LIBRARY", library)
        assert (model.is_model, real.is_model) == (True, False)
        kinds = [error.kind for error in real.errors]
        assert [error.kind for error in model.errors] == kinds, data
        assert by_tag(model) == by_tag(real), data
        accepted += not kinds
        os.unlink(path)
    assert FILES // 4 < accepted < FILES * 3 // 4  # both are tried often enough


_KINIT = """\
for file in "$1"/*; do
  printf '%s ' "${file##*/}"
  KRB5_CONFIG=$file kinit -k -t /none -c MEMORY: x 2>&1 </dev/null | tr -d '\\0\\n\\r'
  echo
done
"""


@ROOT_ONLY
@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("kinit"), reason="no kinit")
def test_two_thousand_files_as_kinit_reads_them(tmp_path, included):
    """kinit starts where doctor finds no error, and has a default realm where doctor has one.

    In a network namespace: nothing answers there, and nothing is waited for.
    """
    random_, expected = random.Random(SEED + 1), {}
    for number in range(FILES):
        path = str(tmp_path / "files" / str(number))
        with open(path, "wb") as file:
            data = text(random_, str(tmp_path)).encode("utf-8")
            file.write(data)
        profile = krb5_conf.read_profile({"KRB5_CONFIG": path})
        if b"module" not in data:  # kinit would load it
            expected[str(number)] = (not profile.errors, profile.realm is not None)
    argv = ["unshare", "-n", "sh", "-c", _KINIT, "sh", str(tmp_path / "files")]
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert done.returncode == 0, done.stderr
    said = dict(line.split(" ", 1) for line in done.stdout.decode("utf-8", "replace").splitlines())
    for number, (starts, has_realm) in expected.items():
        shown = (number, said[number], (tmp_path / "files" / number).read_bytes())
        assert ("while initializing Kerberos 5 library" not in said[number]) == starts, shown
        if starts:
            assert ("does not specify default realm" not in said[number]) == has_realm, shown
    assert len(expected) > FILES // 2
