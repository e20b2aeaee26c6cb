"""pip, uv, conda and dpkg at work on a patched site, and on one where a run has died."""

import os
import shutil
import subprocess

import pytest

from integration.faults.children import die_at, run_in_child
from integration.faults.managers import MANAGERS, slim_wheel
from jhpatch.transaction import transaction
from testing.trees import times, tree

INSTALLED = "5.7.10"
# What becomes of it. 5.7.16 has the very bytes of 5.7.10 in both modules, 6.0.0 in one,
# 5.7.8 in the other one; 7.6.5 has neither module.
CHANGES = {
    "to a release of the same bytes": "5.7.16",
    "upgraded": "6.0.0",
    "downgraded": "5.7.8",
    "to a release that needs no patch": "7.6.5",
    "reinstalled": INSTALLED,
    "uninstalled": None,
}
PATCHES = ("notebook/kerberos-open", "notebook/kerberos-save")
PAGE, CONTENTS = "notebook/notebook/handlers.py", "notebook/services/contents/handlers.py"
HELPER = "notebook/_jhpatch_kerberos/__init__.py"


@pytest.fixture(scope="session")
def wheels(tmp_path_factory):
    """A folder with a wheel of each release."""
    folder = str(tmp_path_factory.mktemp("wheels"))
    for version in sorted({INSTALLED, *filter(None, CHANGES.values())}):
        slim_wheel(version, folder)
    return folder


@pytest.fixture(scope="session")
def labs(wheels, tmp_path_factory):
    """For a manager's name: itself, and what its releases look like, each made once."""
    made = {}

    def lab(name):
        if name not in made:
            if name == "dpkg" and (os.geteuid() or not shutil.which("dpkg-deb")):
                pytest.skip("takes root and dpkg")
            made[name] = Lab(MANAGERS[name](wheels), str(tmp_path_factory.mktemp(name)))
        return made[name]

    return lab


class Lab:
    """What a manager's environments look like, fresh and patched."""

    def __init__(self, manager, folder):
        self.manager = manager
        self._folder = folder
        self._tops = {}
        self._trees = {}

    def copy(self, top, version, state, at=None):
        """An environment with a release in ``top``: fresh, applied, or where a run died."""
        shutil.rmtree(top, ignore_errors=True)
        subprocess.run(["cp", "-a", self._top(version, state, at), top], check=True)
        return top

    def picture(self, version, state):
        """What its site looks like."""
        key = (version, state)
        if key not in self._trees:
            self._trees[key] = picture(self.manager.site(self._top(version, state)))
        return self._trees[key]

    def _top(self, version, state, at=None):
        key = (version, state, at)
        if key not in self._tops:
            top = os.path.join(self._folder, "-".join(map(str, key)).replace("/", "_"))
            self._build(top, version, state, at)
            self._tops[key] = top
        return self._tops[key]

    def _build(self, top, version, state, at):
        if state == "fresh":
            os.makedirs(top)
            self.manager.make(top)
            if version is not None:
                self.manager.put(top, version)
            return
        died_of = {"apply": "fresh", "revert": "applied"}.get(state, "fresh")
        self.copy(top, version, died_of)
        where = self.manager.where(top)
        if at is not None:
            die_at(state, where, at)
        elif version is not None:
            code, document = run_in_child("apply", *where)
            assert code == 0, document


def picture(site):
    """All that a manager and jhpatch have put into a site, folders too.

    Of RECORD without the rows of scripts: in their first line is where they lie.
    """
    found = {path: row for path, row in tree(site).items() if not _is_ours(path)}
    for path in found:
        if path.endswith(".dist-info/RECORD"):
            with open(os.path.join(site, path), "rb") as file:
                rows = [row for row in file.read().splitlines(True) if row[:3] != b"../"]
            found[path] = (b"".join(rows),) + found[path][1:]
    return found


def _is_ours(path):
    return path == ".jhpatch" or path.startswith(".jhpatch/")


# After a whole apply.


def states(document):
    """The states of the two patches."""
    patches = [one for site in document["sites"] for one in site["patches"]]
    return [one["state"] for one in patches if one["patch"] in PATCHES]


def expected(version):
    """What is honest to say of a release that has taken the place of a patched one."""
    if version is None:
        return "absent"
    return "not-needed" if version == "7.6.5" else "superseded"


@pytest.mark.parametrize("manager", sorted(MANAGERS))
@pytest.mark.parametrize("change", sorted(CHANGES))
def test_a_manager_at_work_after_apply(labs, tmp_path, manager, change, tally):
    """status says what it is now; apply and revert end with every file of one release."""
    lab, version = labs(manager), CHANGES[change]
    for command in ("apply", "revert"):
        top = lab.copy(str(tmp_path / command), INSTALLED, "applied")
        lab.manager.put(top, version)
        where, site = lab.manager.where(top), lab.manager.site(top)
        before = times(site)
        code, document = run_in_child("status", *where)
        assert set(states(document)) == {expected(version)}, document
        assert code == 3
        assert times(site) == before
        code, document = run_in_child(command, *where)
        assert code == 0, document
        ends_as(lab, site, version, command)
        assert run_in_child("revert", *where)[0] == (0 if version else 5)
        ends_as(lab, site, version, "revert")
        tally("unusual site: package manager after apply")


def ends_as(lab, site, version, command):
    """Every file is of one release, patched or not, and nothing else is there."""
    assert differences(lab, site, version, "applied" if command == "apply" else "fresh") == {}
    if command == "revert" or version in (None, "7.6.5"):
        assert not os.path.exists(os.path.join(site, ".jhpatch"))


def differences(lab, site, version, state):
    """Each path that is not as a release's own, or as its patch's: found, and wanted."""
    found, wanted = picture(site), lab.picture(version, state)
    both = {path: (found.get(path), wanted.get(path)) for path in set(found) | set(wanted)}
    return {path: two for path, two in both.items() if two[0] != two[1]}


# Between a kill and the recovery.

JOURNAL = ".jhpatch/journal.json"
KILLS = {
    "apply": ("stage " + CONTENTS, "replace " + PAGE, "replace " + CONTENTS, "commit " + JOURNAL),
    "revert": (
        *("stage " + PAGE, "replace " + CONTENTS, "replace " + HELPER),
        *("replace .jhpatch/state.json", "commit " + JOURNAL),
    ),
}
WHERE = [(command, at) for command in sorted(KILLS) for at in KILLS[command]]


@pytest.mark.parametrize("manager", sorted(MANAGERS))
@pytest.mark.parametrize("change", sorted(CHANGES))
def test_a_manager_between_kill_and_recovery(labs, tmp_path, manager, change, tally, thorough):
    """No old byte over a newer release, no phantom, and the next command ends well."""
    lab, version = labs(manager), CHANGES[change]
    # A tenth of the places for each pair of manager and change, without --long.
    shift = sorted(MANAGERS).index(manager) + sorted(CHANGES).index(change)
    chosen = WHERE if thorough else WHERE[shift % 10 :: 10]
    for number, (died, at) in enumerate(chosen):
        top = lab.copy(str(tmp_path / str(number)), INSTALLED, died, at)
        lab.manager.put(top, version)
        where, site = lab.manager.where(top), lab.manager.site(top)
        before = times(site)
        code, document = run_in_child("status", *where)
        assert code == 3, document
        assert {one["journal"] for one in document["sites"]} == {"interrupted"}, document
        assert times(site) == before
        for command in ("recover", "apply", "revert"):
            copy = str(tmp_path / command)
            shutil.rmtree(copy, ignore_errors=True)
            subprocess.run(["cp", "-a", top, copy], check=True)
            try:
                recovers(lab, copy, version, command, died)
            except AssertionError as error:
                raise AssertionError(
                    "%s after %s died ahead of %s: %s" % (command, died, at, error)
                )
            tally("package manager between kill and recovery")


def recovers(lab, top, version, command, died):
    """A command on a site where a run has died and a manager was at work since."""
    where, site = lab.manager.where(top), lab.manager.site(top)
    if command == "recover":
        shown = _diff(where)
        with transaction.locked(site):
            pass
        assert _diff(where) == shown, "diff shows another site than recovery leaves"
        wrong = [differences(lab, site, version, state) for state in ("fresh", "applied")]
        # What apply had added, conda and dpkg leave there: that is superseded, and not broken.
        left = {path for path, (_, wanted) in wrong[0].items() if wanted is None}
        added = set(lab.picture(INSTALLED, "applied")) - set(lab.picture(INSTALLED, "fresh"))
        if not (died == "revert" and left == set(wrong[0]) and left <= added | {"notebook"}):
            assert {} in wrong, min(wrong, key=len)
        phantoms = {path for path in left if os.path.isdir(os.path.join(site, path))}
        phantoms -= {os.path.dirname(path) for path in left}
        assert not phantoms, phantoms
        return
    code, document = run_in_child(command, *where)
    assert code == (0 if version else code), document
    assert code in (0, 5), document
    ends_as(lab, site, version, command)
    assert run_in_child("revert", *where)[0] == (0 if version else 5)
    ends_as(lab, site, version, "revert")


def _diff(where):
    return "".join(site["diff"] or "" for site in run_in_child("diff", *where)[1]["sites"])
