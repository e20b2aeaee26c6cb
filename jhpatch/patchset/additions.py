"""The files that a patch adds: the ``Adds`` rows of its header and the bytes of their sources."""

import errno
import os
import re
from typing import Callable, Dict, List, Tuple, Union

from jhpatch.errors import BadPatch
from jhpatch.namedtuple import NamedTuple
from jhpatch.system.files import read_file
from jhpatch.system.rooted_files import RootDir, is_relative

CAP = 1024 * 1024  # bytes of a patch file or a source
DEPLOYED = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "deployed")


def _kerberos(face: str, *modules: str) -> Tuple[Tuple[str, str], ...]:
    """Return a set of ``deployed/kerberos/`` whose ``__init__.py`` is the module ``face``."""
    names = [(name, name) for name in modules] + [("__init__", face)]
    return tuple((name + ".py", "kerberos/%s.py" % source) for name, source in names)


_KERBEROS = (
    *"namedtuple errors account ccache process identity principal_map settings traits".split(),
    *"schedule metrics canonical programs cache_child fork_server forked_process".split(),
    *"store temporary stuck kinit".split(),
)
_HUB = "breaker requests hub_log spawners on_loop hub hub_renewer startup".split()
SETS: Dict[str, Tuple[Tuple[str, str], ...]] = {
    "kerberos-hub": _kerberos("hub_face", *_KERBEROS, *_HUB),
    "kerberos-server": _kerberos("server_face", *_KERBEROS, "on_loop", "server_renewer"),
}
"""Modules of ``DEPLOYED`` that are added together, by the name of the set: the name of each
file, and its source. They are in the order of writing: each after those that it imports."""
_FILE_ERRORS = {
    errno.EINVAL: "the patch is not a regular file",
    errno.EFBIG: "the patch is larger than 1 MiB",
}


class Addition(NamedTuple):
    """A file that a patch adds: its path from the site's root, and the source of its copy."""

    path: str
    source: str
    content: Union[bytes, BadPatch]
    """The bytes of the source, or the error that reading it raised."""

    @property
    def is_helper(self) -> bool:
        """Whether the source is a module that comes with jhpatch."""
        return self.source.startswith(DEPLOYED + os.sep)

    @property
    def data(self) -> bytes:
        """The bytes that are added. Raises BadPatch if the source cannot be read."""
        if isinstance(self.content, BadPatch):
            raise self.content
        return self.content


def parse(value: str, file: str, read: "Callable[[str], bytes]") -> Tuple[Addition, ...]:
    """Parse the row ``Adds: value`` of the patch file ``file``; ``read`` as ``read_patch``.

    The row of a set yields the files of the set, in their order. Raises BadPatch for an invalid
    row. ``Addition.data`` raises the error of a source that cannot be read.
    """
    target, _, source = (part.strip() for part in value.partition("<"))
    kind, colon, name = source.partition(":")
    if target.endswith("/") and is_of_a_package(target + "x") and kind == "deployed" and colon:
        if name not in SETS:
            raise BadPatch(
                "Adds names an unknown set of files",
                path=file,
                expected=", ".join("deployed:" + known for known in sorted(SETS)),
                found=source[:120],
            )
        return tuple(_deployed(target + path, part, read) for path, part in SETS[name])
    if is_of_a_package(target) and kind == "helper" and re.match(r"[a-z]+\Z", name):
        if not os.path.isfile(os.path.join(DEPLOYED, name + ".py")):
            raise BadPatch("Adds names an unknown helper", path=file, found=source)
        return (_deployed(target, name + ".py", read),)
    if is_of_a_package(target) and is_relative(source) and not colon:
        patch_dir = os.path.dirname(os.path.dirname(file))
        content = _read_content(lambda: _read_source(patch_dir, source, target, file))
        return (Addition(target, os.path.join(patch_dir, source), content),)
    raise BadPatch(
        "an Adds row cannot be parsed",
        path=file,
        expected="<path from the site's root> < helper:<name> or <path in the patch "
        "directory>, or <directory>/ < deployed:<set>",
        found=value[:120],
    )


def _deployed(target: str, part: str, read: "Callable[[str], bytes]") -> Addition:
    source = os.path.join(DEPLOYED, part)
    return Addition(target, source, _read_content(lambda: read(source)))


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
        message = "cannot read the patch: %s" % getattr(error, "strerror", error)
        step = None
        if isinstance(error, PermissionError):
            step = "run the same command as a user who can read the patch"
        text = _FILE_ERRORS.get(getattr(error, "errno", 0), message)
        raise BadPatch(text, path=path, next=step)


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
            expected="a regular file in the patch directory, not through a symlink",
            found=path,
        )


def is_of_a_package(path: str) -> bool:
    """Return whether ``path`` can name a file of a release that a patch can change."""
    parts = path.split("/")
    if re.search("[\ud800-\udfff]", path):
        return False  # not UTF-8, as a header and a RECORD are
    fits = len(path) < 1024 and max(len(part.encode("utf-8")) for part in parts) < 256
    return is_relative(path) and fits and not _is_unpatchable(path, parts)


def _is_unpatchable(path: str, parts: List[str]) -> bool:
    """Return whether no patch may change a path.

    Such paths are .jhpatch, the metadata that proves what a release shipped, bytecode, and names
    that a diff or a RECORD would have to quote.
    """
    is_metadata = parts[0] == ".jhpatch" or parts[0].endswith((".dist-info", ".egg-info"))
    is_bytecode = "__pycache__" in parts or path.endswith((".pyc", ".pyo"))
    return is_metadata or is_bytecode or _has_quoted_name(path)


def _has_quoted_name(path: str) -> bool:
    """Return whether git or RECORD would quote a path, or a header would strip it."""
    is_stripped = any(part != part.strip() for part in path.split("/"))
    return is_stripped or re.search(r'[^\S ]|["\\\x00-\x1f\x7f]', path) is not None
