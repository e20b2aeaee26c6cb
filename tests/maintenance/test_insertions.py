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


@pytest.mark.parametrize(
    "old, new, message",
    [
        (b"import json\n", b"", "takes lines away"),
        (b"import json\n", b"import json\nimport os\n", "no import, decorator or last call"),
        (b"from app.base", b"from app.base import B\nfrom app.base", None),
        (b"import Handler\n", b"import Handler\nfrom app.b import B\n", "no import, decorator or"),
        (b"        return path\n", b"        return path\n        f()\n", None),
        (b"        return json", b"        f()\n        return json", "no import, decorator or"),
        (
            b"    def get(",
            b"    @f(\n        1)\n    def get(",
            "no import, decorator or last call",
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
