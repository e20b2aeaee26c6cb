"""Small sites, as pip left them and patched: to be broken, and compared."""

import os
import shutil
import subprocess
from typing import Any, Callable, Dict, NamedTuple, Optional, Tuple

from testing.package_patches import FILES, HELPER, ONE_FILE, small
from testing.trees import tree

RELEASE = ("notebook", "6.5.7")
"""Two patches that share RECORD and the helper."""

Picture = Dict[str, Any]


class Lab(NamedTuple):
    """Folders to copy from, and what each file is in the one and in the other."""

    pristine: str
    applied: str
    before: Picture
    after: Picture
    outdated: str = ""
    """With an older version of the patches; its helper is one file."""
    older: Optional[Picture] = None
    options: Tuple[str, ...] = ()
    """More options of each command."""

    @property
    def wholes(self) -> Dict[str, Picture]:
        """The states that a site can have."""
        found = {"before": self.before, "after": self.after}
        return found if self.older is None else dict(found, older=self.older)

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
            for path in set(found).union(*self.wholes.values())
            if found.get(path) not in [whole.get(path) for whole in self.wholes.values()]
        }

    def state(self, site: str) -> str:
        """``before``, ``after`` or ``older``; anything else fails with what is wrong."""
        found = picture(site)
        wrong = {
            name: {
                path: (found.get(path), whole.get(path))
                for path in set(found) | set(whole)
                if found.get(path) != whole.get(path)
            }
            for name, whole in self.wholes.items()
        }
        nearest = min(wrong, key=lambda name: len(wrong[name]))
        assert not wrong[nearest], (nearest, wrong[nearest])
        return nearest

    def is_mixed(self, site: str) -> bool:
        """Whether it is none of the whole states."""
        found = tree(site)
        wholes = self.wholes.values()
        paths = [path for path in set().union(*wholes) if not path.startswith(".jhpatch")]
        return all(any(found.get(p) != whole.get(p) for p in paths) for whole in wholes)

    def is_importable(self, site: str) -> bool:
        """Whether each patched module finds the helper that it imports."""
        found = tree(site)
        patched = [
            path
            for path in self.after
            if path in self.before
            and path.endswith(".py")
            and found.get(path) != self.before[path]
        ]
        added = [
            {path: row for path, row in whole.items() if path.endswith(".py")}
            for whole in (self.after, self.older)
            if whole
        ]
        return not patched or any(
            all(found.get(p) == row for p, row in files.items() if p not in self.before)
            for files in added
        )


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


def build_with_packages(folder: str, run: Callable[..., Any]) -> Lab:
    """A lab in ``folder`` whose patches add a package; an older version of them, a file."""
    app = small(folder)
    pristine, outdated, applied = (
        os.path.join(folder, name) for name in ("pristine", "outdated", "applied")
    )
    options = ("--patches", app.patches)
    for text in (ONE_FILE, FILES):
        app.patch(text)
        site = outdated if text is ONE_FILE else applied
        shutil.copytree(app.site, site, symlinks=True)
        assert run("apply", "--site", site, *options) == 0
    os.rename(app.site, pristine)
    assert os.path.exists(os.path.join(outdated, HELPER))
    pictures = (picture(site) for site in (pristine, applied))
    return Lab(pristine, applied, *pictures, outdated, picture(outdated), options)
