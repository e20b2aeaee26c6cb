"""The lines of krb5.conf are taken as libkrb5 takes them: klist is asked about each text."""

import os
import shutil
import subprocess

import pytest

from jhpatch.errors import JhpatchError
from jhpatch.kerberos import krb5_conf_text
from jhpatch.kerberos.krb5_conf_text import read_sources

TEXTS = {
    "plain": "[libdefaults]\n default_realm = X\n",
    "before any section": "default_realm = X\n",
    "a bracket is missing": "[libdefaults\n default_realm = X\n",
    "no equals sign": "[libdefaults]\n default_realm\n",
    "no tag": "[libdefaults]\n = X\n",
    "two tags": "[libdefaults]\n a b = X\n",
    "a brace is left open at the end": "[realms]\n X = {\n kdc = a\n",
    "a brace is left open before a section": "[realms]\n X = {\n[libdefaults]\n a = b\n",
    "a brace too many": "[realms]\n }\n",
    "a brace too many after one": "[realms]\n X = {\n }\n }\n",
    "a brace on the next line": "[realms]\n X =\n {\n kdc = a\n }\n",
    "no brace on the next line": "[realms]\n X =\n kdc = a\n",
    "braces in braces": "[a]\n b = {\n c = {\n d = e\n }\n f = g\n }\n h = i\n",
    "all on one line": "[realms]\n X = { kdc = a }\n",
    "words behind a value": "[libdefaults]\n default_realm = X ; y\n",
    "words behind a section": "[libdefaults] x\n",
    "words behind a brace": "[realms]\n X = {\n } x\n",
    "final marks": "[libdefaults]*\n a* = X\n[realms]\n X = {\n kdc = a\n }*\n",
    "a value in quotes": '[libdefaults]\n default_realm = "X"\n',
    "quotes without an end": '[libdefaults]\n default_realm = "X\n',
    "no value": "[libdefaults]\n a =\n",
    "an included file is missing": "include /nowhere/x\n[libdefaults]\n",
    "an included directory is missing": "includedir /nowhere\n[libdefaults]\n",
    "an include in a section": "[libdefaults]\ninclude /nowhere/x\n",
    "an include that is indented": "[libdefaults]\n include /nowhere/x\n",
    "CRLF": "[libdefaults]\r\n default_realm = X\r\n",
    "a byte order mark": "\ufeff[libdefaults]\n default_realm = X\n",
    "a module": "# x\nmodule x:y\n[libdefaults]\n",
    "an included directory in place of a file": "include /etc\n[libdefaults]\n",
    "a line that is too long": "[libdefaults]\n#" + " x" * 1100 + "\n",
    "comments": " # x\n; y\n[libdefaults]\n # a\n",
    "nothing": "",
}


def put(tmp_path, text, name="krb5.conf"):
    """Write a file; return its path."""
    path = tmp_path / name
    path.write_bytes(text.encode("utf-8"))
    path.chmod(0o644)
    return str(path)


def trust(path):
    """Trust each file."""


@pytest.mark.skipif(not shutil.which("klist"), reason="takes klist")
@pytest.mark.parametrize("name", sorted(TEXTS))
def test_what_libkrb5_refuses_is_an_error(tmp_path, name):
    """And nothing else is: klist reads the same text; it looks for the module in vain."""
    path = put(tmp_path, TEXTS[name])
    completed = subprocess.run(
        ["klist", "-c", "FILE:/nowhere/at/all"],
        env={"KRB5_CONFIG": path, "PATH": os.defpath, "LC_ALL": "C"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    refused = b"while initializing krb5" in completed.stdout or name == "a module"
    assert bool(read_sources((path,), trust).errors) == refused


def test_relations_have_their_lines():
    """Each directive has the number of its line, its sections and its value."""
    text = "# x\n[realms]\n X = {\n  kdc = a b\n }\ninclude /x \n"
    rows = krb5_conf_text.parse(text.encode()).directives
    assert rows == (
        ("relation", 4, ("realms", "X", "kdc"), "a b"),
        ("include", 6, (), "/x "),
    )


@pytest.mark.parametrize(
    "text, number, words",
    [
        ("[a]\n b = { # c\n d = e\n }\n", 4, "the brace in line 2 is a value"),
        ("[a]\n# " + "x " * 1100 + "\n", 2, "longer than 2047 bytes"),
        ("[a]\n b\n", 2, "a relation must have the form tag = value"),
        ("[a]\n include /x\n", 2, "include must begin at the first character"),
    ],
)
def test_an_error_names_its_line_and_its_cause(text, number, words):
    """libkrb5 names neither."""
    line, message = krb5_conf_text.parse(text.encode()).error
    assert line == number and words in message


def test_what_stands_before_the_first_section_is_kept():
    """libkrb5 ignores it, and it is for the finding to say so."""
    text = "\ufeff[a]\n# x\n b = c\n# " + "x " * 1100 + "\n[d]\n"
    rows = krb5_conf_text.parse(text.encode("utf-8")).directives
    assert [(row.kind, row.line) for row in rows] == [("ignored", 1), ("ignored", 3)]


def test_files_in_the_order_in_which_they_are_read(tmp_path):
    """An included file comes where its line is, and a directory by the names that count."""
    for name in ("b.conf", "a", ".c.conf", "d.conf~", "sub"):
        (tmp_path / "d").mkdir(exist_ok=True)
        if name == "sub":
            (tmp_path / "d" / name).mkdir()
        else:
            put(tmp_path / "d", "[s]\n t = %s\n" % name, name)
    path = put(tmp_path, "[s]\n t = 1\nincludedir %s/d\n t = 2\n" % tmp_path)
    sources = read_sources((path,), trust)
    assert [value for _, value in sources.relations] == ["1", "a", "b.conf", "2"]
    names = [os.path.basename(file.path) for file in sources.files]
    assert (names, sources.errors) == (["krb5.conf", "a", "b.conf"], ())


def test_hazards(tmp_path):
    """What libkrb5 would wait for, follow without an end, or should not trust."""
    os.mkfifo(str(tmp_path / "fifo"), 0o644)
    itself = put(tmp_path, "include %s/krb5.conf\n" % tmp_path)

    def refuse(path):
        raise JhpatchError("no", path=path)

    for path, check in ((str(tmp_path / "fifo"), trust), (itself, trust), (itself, refuse)):
        (error,) = read_sources((path,), check).errors
        assert error.is_hazard, path
    (error,) = read_sources((str(tmp_path / "none"),), trust).errors
    assert (error.kind, error.is_hazard) == ("missing", False)
