"""Extension modules that Python imports in place of a module beside them, such as mypyc's.

A patch of such a module would have no effect (importlib.machinery.FileFinder: the suffixes of
extension modules come before ``.py``).
"""

import re
from typing import Optional

from jhpatch.errors import Refused
from jhpatch.system.rooted_files import RootDir

_SUFFIX = re.compile(r"\.(cpython-(?P<version>\d+)[a-z]*(-[\w-]+)?\.|abi3\.)?so\Z")


def compiled_copy(root: RootDir, path: str, version: str) -> Optional[str]:
    """Return the extension module that a Python of ``version`` imports instead, or None.

    ``version`` is as in ``Environment``; "" counts those of any Python.
    """
    parent, slash, name = path.rpartition("/")
    if not name.endswith(".py"):
        return None
    stem, digits = name[: -len(".py")], re.sub(r"\D", "", version)
    try:
        with root.directory(parent) as directory:
            names = sorted(directory.names())
    except OSError:
        return None
    for other in names:
        match = _SUFFIX.match(other, len(stem)) if other.startswith(stem + ".") else None
        if match and match.group("version") in (None, digits or match.group("version")):
            return parent + slash + other
    return None


def refusal(patch: str, site: str, path: str, copy: str) -> Refused:
    """Return the refusal of a patch of a module that Python does not import from source."""
    return Refused(
        "%s would have no effect: Python imports %s in place of %s" % (patch, copy, path),
        path="%s/%s" % (site, path),
        expected="a module that Python imports from its source",
        found=copy,
        next="build the distribution from patched source, or install a build without compiled "
        "modules",
    )
