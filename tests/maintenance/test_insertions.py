"""An insertion moves only where its anchor is, exactly once."""

import sys

import pytest

from jhpatch.errors import Refused
from jhpatch.maintenance import insertions
from testing.patch_files import PATH, UPSTREAM, patched

pytestmark = pytest.mark.skipif(
    sys.version_info < (3, 8), reason="rebase itself requires Python 3.8"
)


def of_patch():
    """What the patch of ``app`` inserts."""
    return insertions.insertions_of(UPSTREAM, patched(UPSTREAM), PATH)


def test_the_insertions_of_a_patch():
    """An import, a call and two decorators, each with the method that contains it."""
    assert [(row.kind, row.text.strip(), row.owner) for row in of_patch()] == [
        ("import", "from app._helper import on_open, on_save, on_start", ""),
        ("call", "on_start(self)", "ContentsHandler.__init__"),
        ("decorator", "@on_open", "ContentsHandler.get"),
        ("decorator", "@on_save", "ContentsHandler._save"),
    ]


def test_they_move_back_to_where_they_came_from():
    """Into the same file: the same bytes."""
    assert insertions.insert(of_patch(), UPSTREAM, PATH) == patched(UPSTREAM)


def test_they_move_with_their_anchor():
    """Into a file with other lines above, and with another indentation."""
    newer = UPSTREAM.replace(b"import json\n", b"import json\nimport os\n")
    newer = newer.replace(
        b"class PageHandler", b"class NewHandler:\n    pass\n\n\nclass PageHandler"
    )
    assert insertions.insert(of_patch(), newer, PATH) == patched(newer)


SAVE = b'''\
    async def _save(self, model, path):
        """Saves a model."""
        return path
'''
GET = b"    @web.authenticated\n    async def get"


def test_the_order_of_methods_does_not_matter():
    """``_save`` above ``get``: the same insertions, in another order."""
    newer = UPSTREAM.replace(b"\n" + SAVE, b"").replace(GET, SAVE + b"\n" + GET)
    assert newer.count(b"def _save") == newer.count(b"def get(self, path=") == 1
    assert insertions.insert(of_patch(), newer, PATH) == patched(newer)


@pytest.mark.parametrize(
    "change",
    [
        {"text": "@on_open\n    x = 1"},
        {"text": "@on_open  # and more\n    @on_save"},
        {"text": "# nothing"},
    ],
)
def test_the_result_is_parsed_again(change):
    """Another insertion than before, or one at another place, is refused at the end."""
    import_, call, get, save = of_patch()
    with pytest.raises(Refused):
        insertions.insert((import_, call, get._replace(**change), save), UPSTREAM, PATH)


def test_a_result_that_is_not_equivalent_is_named():
    """The line, and what was expected and found there."""
    import_, call, get, save = of_patch()
    twice = get._replace(text="@on_open\n    @on_save")
    with pytest.raises(Refused) as refused:
        insertions.insert((import_, call, twice, save), UPSTREAM, PATH)
    error = refused.value
    assert "not equivalent" in error.message
    line = patched(UPSTREAM).split(b"\n").index(b"    @on_open") + 1
    assert error.path == "%s, line %d" % (PATH, line)
    assert error.expected == "@on_open\n    @on_save at ContentsHandler.get"
    assert error.found == "@on_open at ContentsHandler.get"


def test_each_uncertain_place_is_named():
    """The first as the error, the others with it, each with its line."""
    newer = UPSTREAM.replace(b"_save(self, model, path)", b"_save(self, model, path, force)")
    newer = newer.replace(b"settings = settings\n", b"settings = settings\n        more()\n")
    newer = newer.replace(b"import Handler", b"import Handler, B")
    with pytest.raises(Refused) as refused:
        insertions.insert(of_patch(), newer, PATH)
    errors = [refused.value, *refused.value.further]
    assert [error.message.split()[-2] for error in errors] == [
        "ContentsHandler.__init__",
        "ContentsHandler._save",
    ]
    assert all(error.path.startswith(PATH + ", line ") for error in errors)


@pytest.mark.parametrize(
    "old, new, message",
    [
        (b"import json\n", b"", "removes lines"),
        (
            b"import json\n",
            b"import json\nimport os\n",
            "rebase can insert only some imports",
        ),
        (b"from app.base", b"from app.base import B\nfrom app.base", None),
        (
            b"import Handler\n",
            b"import Handler\nfrom app.b import B\n",
            "rebase can insert only some imports",
        ),
        (b"        return path\n", b"        return path\n        f()\n", None),
        (
            b"        return json",
            b"        f()\n        return json",
            "rebase can insert only some imports",
        ),
        (
            b"    def get(",
            b"    @f(\n        1)\n    def get(",
            "rebase can insert only some imports",
        ),
    ],
)
def test_only_three_kinds_of_change_are_insertions(old, new, message):
    """A from-import before those of its package, a decorator on a line, a last call."""
    after = UPSTREAM.replace(old, new, 1)
    if message is None:
        assert len(insertions.insertions_of(UPSTREAM, after, PATH)) == 1
        return
    with pytest.raises(Refused) as refused:
        insertions.insertions_of(UPSTREAM, after, PATH)
    assert message in refused.value.message
