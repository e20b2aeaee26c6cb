"""Patch files as they are written: their text, their hashes, their place in a tree."""

import re
from typing import Dict, Iterable, Tuple

from jhpatch.errors import BadPatch, Failed, Refused, shell_command
from jhpatch.patchset import engine
from jhpatch.patchset.edition import Edition, edition_of
from jhpatch.system import sha256
from jhpatch.system.files import write_file

_UNKNOWN = "0" * 64
_ROW = re.compile(r"^(Before|After): *(\S+).*$", re.M)


def text_of(fields: Iterable[Tuple[str, str]], diff: str) -> str:
    """A patch file; a value of several lines is folded (RFC 822, section 3.1)."""
    head = ("%s: %s\n" % (name, value.replace("\n", "\n ")) for name, value in fields)
    return "".join(head) + "---\n" + diff


def unhashed(path: str) -> Edition:
    """A patch file whose hashes may be wrong or missing yet: they are read as zeros.

    Raises BadPatch for anything else that is wrong with the header, Failed.
    """
    head, mark, diff = _text(path).partition("\n---\n")
    blank = _ROW.sub(r"\1: \2 sha256:" + _UNKNOWN, head)
    return edition_of(path, (blank + mark + diff).encode("utf-8"))


def filled(edition: Edition, files: Dict[str, bytes]) -> str:
    """The text of the patch file with the hashes of ``files``, unpatched ones by path.

    Raises BadPatch where there is no such file, or where the diff does not fit.
    """
    for one in edition.changes:
        if one.path not in files:
            raise BadPatch(
                "the release has no such file", edition.file, expected=one.path, found="nothing"
            )
    after = engine.unchecked_after_of(edition, files)
    data = {"Before": files, "After": after}

    def row(match: "re.Match[str]") -> str:
        name, path = match.group(1), match.group(2)
        return "%s: %s sha256:%s" % (name, path, sha256.sha256(data[name][path]))

    head, mark, diff = _text(edition.file).partition("\n---\n")
    return _ROW.sub(row, head) + mark + diff


def versioned(edition: Edition, versions: str) -> str:
    """The text of the patch file with another ``Versions``."""
    head, mark, diff = _text(edition.file).partition("\n---\n")
    return re.sub(r"(?m)^Versions:.*$", "Versions: " + versions, head) + mark + diff


def write(path: str, text: str, is_new: bool = False) -> None:
    """Puts a patch file into its place, whole. Raises Refused where a new one is there, Failed."""
    try:
        write_file(path, text.encode("utf-8"), is_new=is_new)
    except FileExistsError:
        raise Refused(
            "a patch file of this name is there",
            path=path,
            expected="none",
            found="one",
            next=shell_command("rm", path) + ", or --output FILE",
        )
    except OSError as error:
        raise Failed("cannot write a patch file: %s" % error.strerror, path=path)


def _text(path: str) -> str:
    try:
        with open(path, encoding="utf-8", newline="") as file:
            return file.read()
    except (OSError, UnicodeDecodeError) as error:
        raise Failed("cannot read a patch file: %s" % error, path=path)
