"""The files that a patch adds: the rows ``Adds`` of its header, and the bytes of their sources."""

import errno
import os
import re
from typing import Callable, List, Union

from jhpatch.errors import BadPatch
from jhpatch.namedtuple import NamedTuple
from jhpatch.system.files import read_file
from jhpatch.system.rooted_files import RootDir, is_relative

CAP = 1024 * 1024  # bytes of a patch file, or of a source
DEPLOYED = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "deployed")
_ODD_FILES = {
    errno.EINVAL: "a patch that is no regular file",
    errno.EFBIG: "a patch of more than 1 MiB",
}


class Addition(NamedTuple):
    """A file that a patch adds: its path from the site's root, and the file it is copied from."""

    path: str
    source: str
    content: Union[bytes, BadPatch]
    """The bytes of the source, or why they cannot be read."""

    @property
    def is_helper(self) -> bool:
        """Whether it is one of the modules that come with jhpatch."""
        return os.path.dirname(self.source) == DEPLOYED

    @property
    def data(self) -> bytes:
        """The bytes that are added. Raises BadPatch where they cannot be read."""
        if isinstance(self.content, BadPatch):
            raise self.content
        return self.content


def parse(value: str, file: str, read: "Callable[[str], bytes]") -> Addition:
    """The row ``Adds: value`` of the patch file ``file``; ``read`` as ``read_patch``.

    Raises BadPatch for a row that breaks the rules; a source that cannot be read is for
    whoever wants its bytes.
    """
    target, _, source = (part.strip() for part in value.partition("<"))
    helper = re.match(r"helper:([a-z]+)\Z", source)
    if is_of_a_package(target) and helper:
        path = os.path.join(DEPLOYED, helper.group(1) + ".py")
        if not os.path.isfile(path):
            raise BadPatch("a helper that there is not", path=file, found=source)
        return Addition(target, path, _content(lambda: read(path)))
    if is_of_a_package(target) and is_relative(source) and ":" not in source:
        tree = os.path.dirname(os.path.dirname(file))
        content = _content(lambda: _beneath(tree, source, target, file))
        return Addition(target, os.path.join(tree, source), content)
    raise BadPatch(
        "an Adds row that cannot be read",
        path=file,
        expected="<path from the site's root> < helper:<name> or <path in the tree>",
        found=value[:120],
    )


def _content(read: Callable[[], bytes]) -> Union[bytes, BadPatch]:
    try:
        return read()
    except BadPatch as error:
        return error


def read_patch(path: str) -> bytes:
    """A patch file, or a helper. A symlink is followed: package managers install them so.

    Raises BadPatch.
    """
    try:
        return read_file(path, CAP).data
    except (OSError, ValueError) as error:
        words = "cannot read a patch: %s" % getattr(error, "strerror", error)
        raise BadPatch(_ODD_FILES.get(getattr(error, "errno", 0), words), path=path)


def _beneath(tree: str, path: str, target: str, file: str) -> bytes:
    """A plain file of the patch directory, never one outside. Raises BadPatch."""
    try:
        with RootDir(tree) as root:
            found = root.read(path, CAP)
        if found is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
        return found.data
    except OSError as error:
        raise BadPatch(
            "cannot read a file that a patch adds: %s: %s" % (target, error.strerror),
            path=file,
            expected="a plain file in the tree, reached through no symlink",
            found=path,
        )


def is_of_a_package(path: str) -> bool:
    """Whether ``path`` may be of what a release has shipped, and the file system takes it."""
    parts = path.split("/")
    fits = len(path) < 1024 and max(len(part.encode("utf-8")) for part in parts) < 256
    return is_relative(path) and fits and not _is_foreign(path, parts)


def _is_foreign(path: str, parts: List[str]) -> bool:
    """What is not a package's own: our folder, the metadata that proves what a release shipped,
    and bytecode. Names that a diff or a RECORD would have to quote are nobody's."""
    ours = parts[0] == ".jhpatch" or parts[0].endswith((".dist-info", ".egg-info"))
    bytecode = "__pycache__" in parts or path.endswith((".pyc", ".pyo"))
    return ours or bytecode or re.search(r'[\s"\\\x00-\x1f\x7f]', path) is not None
