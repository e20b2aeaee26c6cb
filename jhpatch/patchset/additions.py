"""The files that a patch adds: the ``Adds`` rows of its header and the bytes of their sources."""

import errno
import os
import re
from typing import Callable, List, Union

from jhpatch.errors import BadPatch
from jhpatch.namedtuple import NamedTuple
from jhpatch.system.files import read_file
from jhpatch.system.rooted_files import RootDir, is_relative

CAP = 1024 * 1024  # bytes of a patch file or a source
DEPLOYED = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "deployed")
_FILE_ERRORS = {
    errno.EINVAL: "a patch that is no regular file",
    errno.EFBIG: "a patch of more than 1 MiB",
}


class Addition(NamedTuple):
    """A file that a patch adds: its path from the site's root, and the source of its copy."""

    path: str
    source: str
    content: Union[bytes, BadPatch]
    """The bytes of the source, or the error of reading it."""

    @property
    def is_helper(self) -> bool:
        """Whether the source is a module that comes with jhpatch."""
        return os.path.dirname(self.source) == DEPLOYED

    @property
    def data(self) -> bytes:
        """The bytes that are added. Raises BadPatch if the source cannot be read."""
        if isinstance(self.content, BadPatch):
            raise self.content
        return self.content


def parse(value: str, file: str, read: "Callable[[str], bytes]") -> Addition:
    """Parse the row ``Adds: value`` of the patch file ``file``; ``read`` as ``read_patch``.

    Raises BadPatch for an invalid row. The error of reading a source is raised later, by
    ``Addition.data``.
    """
    target, _, source = (part.strip() for part in value.partition("<"))
    helper = re.match(r"helper:([a-z]+)\Z", source)
    if is_of_a_package(target) and helper:
        path = os.path.join(DEPLOYED, helper.group(1) + ".py")
        if not os.path.isfile(path):
            raise BadPatch("a helper that there is not", path=file, found=source)
        return Addition(target, path, _read_content(lambda: read(path)))
    if is_of_a_package(target) and is_relative(source) and ":" not in source:
        patch_dir = os.path.dirname(os.path.dirname(file))
        content = _read_content(lambda: _read_source(patch_dir, source, target, file))
        return Addition(target, os.path.join(patch_dir, source), content)
    raise BadPatch(
        "an Adds row that cannot be read",
        path=file,
        expected="<path from the site's root> < helper:<name> or <path in the tree>",
        found=value[:120],
    )


def _read_content(read: Callable[[], bytes]) -> Union[bytes, BadPatch]:
    try:
        return read()
    except BadPatch as error:
        return error


def read_patch(path: str) -> bytes:
    """Read a patch file or a helper; follow symlinks, which some package managers install.

    Raises BadPatch.
    """
    try:
        return read_file(path, CAP).data
    except (OSError, ValueError) as error:
        message = "cannot read a patch: %s" % getattr(error, "strerror", error)
        raise BadPatch(_FILE_ERRORS.get(getattr(error, "errno", 0), message), path=path)


def _read_source(patch_dir: str, path: str, target: str, file: str) -> bytes:
    """Read a regular file of the patch directory, never one outside. Raises BadPatch."""
    try:
        with RootDir(patch_dir) as root:
            content = root.read(path, CAP)
        if content is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
        return content.data
    except OSError as error:
        raise BadPatch(
            "cannot read a file that a patch adds: %s: %s" % (target, error.strerror),
            path=file,
            expected="a plain file in the tree, reached through no symlink",
            found=path,
        )


def is_of_a_package(path: str) -> bool:
    """Return whether ``path`` can be a file of a release, and a valid path of the file system."""
    parts = path.split("/")
    fits = len(path) < 1024 and max(len(part.encode("utf-8")) for part in parts) < 256
    return is_relative(path) and fits and not _is_unpatchable(path, parts)


def _is_unpatchable(path: str, parts: List[str]) -> bool:
    """Return whether no patch may change a path: .jhpatch, the metadata that proves what a
    release shipped, bytecode, and names that a diff or a RECORD would have to quote."""
    is_metadata = parts[0] == ".jhpatch" or parts[0].endswith((".dist-info", ".egg-info"))
    is_bytecode = "__pycache__" in parts or path.endswith((".pyc", ".pyo"))
    return is_metadata or is_bytecode or re.search(r'[\s"\\\x00-\x1f\x7f]', path) is not None
