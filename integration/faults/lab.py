"""One small real site, as pip left it and patched: to be broken, and compared."""

import os
import shutil
import subprocess
from typing import Any, Callable, Dict, NamedTuple

from testing.trees import tree

RELEASE = ("notebook", "6.5.7")
"""Two patches that share RECORD and the helper."""

Picture = Dict[str, Any]


class Lab(NamedTuple):
    """Two folders to copy from, and what each file is in the one and in the other."""

    pristine: str
    applied: str
    before: Picture
    after: Picture

    def copy(self, source: str, target: str) -> str:
        """A site of its own in ``target``."""
        shutil.rmtree(target, ignore_errors=True)
        subprocess.run(["cp", "-a", source, target], check=True)
        return target

    def aged(self, site: str) -> str:
        """The site as if written long ago: a file of this second costs a call more."""
        for above, _, names in os.walk(site):
            for name in names:
                os.utime(os.path.join(above, name), (10**9, 10**9), follow_symlinks=False)
        return site

    def torn(self, site: str) -> Dict[str, Any]:
        """Files that are neither as before nor as after; temporary ones do not count."""
        found = {path: row for path, row in tree(site).items() if not _is_ours(path)}
        return {
            path: found.get(path)
            for path in set(found) | set(self.before) | set(self.after)
            if found.get(path) not in (self.before.get(path), self.after.get(path))
        }

    def state(self, site: str) -> str:
        """``before`` or ``after``; anything else fails with what is wrong."""
        found = picture(site)
        wrong = {
            name: {
                path: (found.get(path), whole.get(path))
                for path in set(found) | set(whole)
                if found.get(path) != whole.get(path)
            }
            for name, whole in (("before", self.before), ("after", self.after))
        }
        nearest = min(wrong, key=lambda name: len(wrong[name]))
        assert not wrong[nearest], (nearest, wrong[nearest])
        return nearest

    def is_mixed(self, site: str) -> bool:
        """Whether some files are as before and others as after."""
        found = tree(site)
        differ = [p for p in self.before if self.before[p] != self.after.get(p)]
        return len({found.get(path) == self.before[path] for path in differ}) == 2

    def is_importable(self, site: str) -> bool:
        """Whether each patched module finds the helper that it imports."""
        found = tree(site)
        helpers = [path for path in self.after if path.endswith("_jhpatch_kerberos.py")]
        patched = [
            path
            for path in self.after
            if path in self.before
            and path.endswith(".py")
            and found.get(path) != self.before[path]
        ]
        return not patched or all(found.get(path) == self.after[path] for path in helpers)


def picture(site: str) -> Picture:
    """A site with all that is in it; of .jhpatch the names and modes: state tells the time."""
    return {
        path: row[1:] if path.startswith(".jhpatch") else row for path, row in tree(site).items()
    }


def _is_ours(path: str) -> bool:
    return any(part.startswith(".jhpatch") for part in path.split("/"))


def build(folder: str, environment: str, run: Callable[..., Any]) -> Lab:
    """A lab in ``folder`` from a site of ``RELEASE``; ``run`` runs a jhpatch command."""
    pristine, applied = os.path.join(folder, "pristine"), os.path.join(folder, "applied")
    shutil.copytree(environment, pristine, symlinks=True)
    shutil.copytree(environment, applied, symlinks=True)
    assert run("apply", "--site", applied) == 0
    return Lab(pristine, applied, picture(pristine), picture(applied))
