"""The unified diff of two versions of a file, as patch(1) and git read it.

difflib's own ``unified_diff`` ignores lines that are frequent in a long file (autojunk),
and then shows unchanged lines as changed.
"""

from typing import Iterator, List, Optional

_CONTEXT = 3


def diff(
    path: str, before: Optional[bytes], after: Optional[bytes], new_path: Optional[str] = None
) -> str:
    """Return the diff of a file, which may be renamed to ``new_path``; None means no file.

    Paths start with ``a/`` and ``b/``; hunks have three lines of context. "" if the bytes
    are equal. Bytes that are not UTF-8 become surrogates (PEP 383). An empty file that is
    created or removed is in git's form, because a unified diff has no form for it.
    """
    if b"" in (before, after) and None in (before, after):
        mode, index = "deleted file mode", "e69de29..0000000"
        if before is None:
            mode, index = "new file mode", "0000000..e69de29"
        names = path, new_path or path
        return "diff --git a/%s b/%s\n" % names + "%s 100644\nindex %s\n" % (mode, index)
    from difflib import SequenceMatcher

    old, new = _lines(before), _lines(after)
    groups = list(SequenceMatcher(None, old, new, autojunk=False).get_grouped_opcodes(_CONTEXT))
    if before == after or not groups:
        return ""
    rows = [
        "--- %s\n" % _name("a/", path, before),
        "+++ %s\n" % _name("b/", new_path or path, after),
    ]
    for group in groups:
        old_range = _range(group[0][1], group[-1][2])
        rows.append("@@ -%s +%s @@\n" % (old_range, _range(group[0][3], group[-1][4])))
        for tag, i1, i2, j1, j2 in group:
            if tag == "equal":
                rows += _marked(" ", old[i1:i2])
            else:
                rows += _marked("-", old[i1:i2])
                rows += _marked("+", new[j1:j2])
    return "".join(rows)


def _name(prefix: str, path: str, data: Optional[bytes]) -> str:
    """Return the name of a file; one with a space ends in a tab, as git and patch(1) need it."""
    if data is None:
        return "/dev/null"
    return prefix + path + "\t" * (" " in path)


def _marked(mark: str, lines: List[str]) -> Iterator[str]:
    return (mark + line for line in lines)


def _range(start: int, end: int) -> str:
    """Return a hunk's range, from line 1; an empty one names the line before it (POSIX diff)."""
    count = end - start
    if count == 1:
        return str(start + 1)
    return "%d,%d" % (start + 1 if count else start, count)


def _lines(data: Optional[bytes]) -> List[str]:
    lines = (data or b"").decode("utf-8", "surrogateescape").split("\n")
    last = [lines[-1] + "\n\\ No newline at end of file\n"] if lines[-1] else []
    return [line + "\n" for line in lines[:-1]] + last
