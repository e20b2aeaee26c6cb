"""Changed and removed statements, carried to another release by the syntax tree."""

import ast
import sys

import pytest

from jhpatch.errors import Refused
from jhpatch.maintenance import statements

pytestmark = pytest.mark.skipif(
    sys.version_info < (3, 8), reason="rebase itself requires Python 3.8"
)
BEFORE = '''\
"""A module."""
import os


class Session:
    def __init__(self, retries=0):
        self.retries = retries
        self.open = True

    def send(self, request, timeout=None):
        # upstream's comment
        for attempt in range(3):
            try:
                return self.get(request)
            except OSError:
                continue
        return None


def get(url):
    session = Session()
    if url:
        return session.send(url)
    return None
'''
OTHER = BEFORE.replace("import os", "import os\nimport sys").replace(
    "self.open = True", "self.open = True\n        self.more = sys.path"
)
"""The next release: other lines, and a statement more in ``__init__``."""


def ported(*pairs, target=OTHER):
    """The other release with the change that makes ``pairs`` of the first."""
    after = BEFORE
    for old, new in pairs:
        assert after.count(old) == 1, old
        after = after.replace(old, new)
    data = statements.port(BEFORE.encode(), after.encode(), target.encode(), "a.py")
    return data.decode()


CHANGES = {
    "a changed statement": [("self.retries = retries", "self.retries = retries or 3")],
    "a changed condition": [("if url:", "if url and True:")],
    "a removed statement": [("        self.open = True\n", "")],
    "a new statement": [
        ("    session = Session()\n", "    session = Session()\n    url = str(url)\n")
    ],
    "a new statement at the start": [
        ("        # upstream's", "        timeout = 5\n        # upstream's")
    ],
    "in a loop": [
        (
            "return self.get(request)",
            "request = str(request)\n                return self.get(request)",
        )
    ],
    "in an except clause": [("                continue", "                request = None")],
    "another exception": [("except OSError:", "except (OSError, ValueError):")],
    "a new method": [("    def send(", "    def more(self):\n        return 1\n\n    def send(")],
    "a new comment": [("    if url:", "    # why\n    os.getcwd()\n    if url:")],
    "several": [
        ("self.retries = retries", "self.retries = 1"),
        ("import os", "import re\nimport os"),
        ("    return None\n", "    return 0\n"),
    ],
    "two imports for one": [("import os", "import re\nimport os.path")],
    "a changed argument": [("def get(url):", "def get(url, more=None):")],
}


@pytest.mark.parametrize("name", sorted(CHANGES))
def test_what_is_carried(name):
    """The other release has the same change, and nothing else of it is changed."""
    pairs = CHANGES[name]
    if name == "several":
        pairs = [*pairs[:2], ("url)\n    return None\n", "url)\n    return 0\n")]
    expected = OTHER
    for old, new in pairs:
        assert expected.count(old) == 1
        expected = expected.replace(old, new)
    result = ported(*pairs)
    assert ast.dump(ast.parse(result)) == ast.dump(ast.parse(expected))
    # A new first statement goes right after the head of its block, above its comments.
    assert result == expected or name == "a new statement at the start"


REFUSED = {
    "the statement is another": ("self.retries = retries", "self.retries = int(retries)"),
    "the function is gone": ("def __init__", "def setup"),
    "the function is there twice": (
        "    def send(",
        "    def __init__(self, retries=0):\n        self.retries = retries\n\n    def send(",
    ),
    "the function is declared in another way": ("retries=0", "retries=1"),
    "the statement is there twice": (
        "        self.open = True\n",
        "        self.open = True\n        if self.open:\n            self.retries = retries\n",
    ),
    "the statement is in another function": (
        "        self.retries = retries\n        self.open = True\n",
        "        self.open = True\n\n    def late(self, retries):\n"
        "        self.retries = retries\n",
    ),
    "the release does not parse": ("import os", "import os = 1"),
}


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_what_is_doubtful_is_refused(name):
    """The statement must be there exactly once, in the same function declared the same way."""
    old, new = REFUSED[name]
    assert BEFORE.count(old) == 1
    with pytest.raises(Refused):
        ported(("self.retries = retries", "self.retries = 3"), target=BEFORE.replace(old, new))


def test_new_statements_between_neighbours():
    """Both neighbours must be there, one after the other."""
    change = ("        self.open = True\n", "        self.open = True\n        self.last = None\n")
    with pytest.raises(Refused):
        ported(change)  # the other release has a statement more behind it
    assert "self.last = None" in ported(change, target=BEFORE + "\n\nx = 1\n")


def test_a_name_that_the_release_has_no_more():
    """New statements use what the old release has: it was renamed in the new one."""
    change = ("    session = Session()\n", "    session = Session()\n    os.getcwd()\n")
    assert "os.getcwd()" in ported(change)
    with pytest.raises(Refused) as error:
        ported(change, target=BEFORE.replace("import os", "import sys"))
    assert error.value.expected == "os"


def test_the_indentation_is_that_of_the_release():
    """A statement that moved into a deeper block of the same function is refused."""
    deeper = BEFORE.replace(
        "        self.open = True\n", "        if retries:\n            self.open = True\n"
    )
    with pytest.raises(Refused, match="the indentation of"):
        ported(("self.open = True", "self.open = False"), target=deeper)


def test_a_change_of_comments_alone_is_no_change():
    """The tree is the same: there is nothing to carry."""
    with pytest.raises(Refused, match="no statement"):
        ported(("# upstream's comment", "# ours"))


def test_the_last_statement_of_a_block_stays():
    """A block without a statement is none."""
    target = BEFORE.replace("        self.open = True\n", "").replace("retries = retries", "x = 1")
    with pytest.raises(Refused):
        ported(("        self.retries = retries\n", ""), target=target)
