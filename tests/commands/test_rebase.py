"""``jhpatch rebase``: a patch moves to another release, or a person is told why not."""

import os
import re
import sys

import pytest

from jhpatch.patchset import catalog, engine
from testing import ROOT
from testing.index import made_wheel, serving
from testing.patch_files import PATH, UPSTREAM, patch_text, patched, put
from testing.trees import tree as picture
from tests.commands.rebasing import SAVE, moved_on, needs_syntax_trees, newer, patches, rebase

__all__ = ["newer", "patches", "rebase"]


@pytest.mark.skipif(sys.version_info >= (3, 8), reason="of the older Pythons")
def test_an_old_python_is_told_so(rebase, newer):
    """Syntax trees before Python 3.8 lack what is needed: exit code 1, and what to do."""
    answer = rebase("--to", newer("1.3", moved_on()))
    assert (answer.code, answer.error["expected"]) == (1, "Python 3.8 or later")


@needs_syntax_trees
def test_an_edition_is_carried(rebase, newer, patches):
    """To a wheel: the same pieces at the same methods, both hashes, and the diff of the diffs."""
    answer = rebase("--to", newer("1.3", moved_on()))
    assert answer.code == 0, answer.error
    candidate = answer.document["candidate"]
    assert candidate["path"] == os.path.join(patches, "app", "1.3-hooks.patch")
    with open(candidate["path"]) as file:
        assert file.read() == candidate["text"]
    assert candidate["text"] == patch_text(moved_on(), versions="==1.3")
    assert "-Versions: >=1.0,<=1.2\n+Versions: ==1.3\n" in candidate["diff"]
    (edition,) = [e for e in catalog.editions([patches]) if e.name == "1.3-hooks"]
    after = engine.after_of(edition, {PATH: moved_on()})
    assert after == {PATH: patched(moved_on())}


@needs_syntax_trees
def test_a_dry_run_writes_nothing(rebase, newer, patches):
    """The same answer, and no file."""
    before = picture(patches)
    answer = rebase("--to", newer("1.3", moved_on()), "--dry-run")
    assert (answer.code, answer.document["would_change"]) == (0, True)
    assert answer.document["candidate"]["edition"] == "1.3-hooks"
    assert picture(patches) == before


@pytest.mark.slow
@needs_syntax_trees
def test_to_a_release(jhpatch, patches, tmp_path, monkeypatch):
    """pip brings both wheels; a prerelease is named exactly."""
    served = str(tmp_path / "served")
    made_wheel(served, "app", "1.0", {PATH: UPSTREAM})
    made_wheel(served, "app", "2.0rc1", {PATH: moved_on()})
    with serving(served) as address:
        monkeypatch.setenv("PIP_INDEX_URL", address)
        arguments = ["app/hooks", "--patches", patches, "--to"]
        answer = jhpatch(None, "rebase", *(arguments + ["2.0rc1"]))
        absent = jhpatch(None, "rebase", *(arguments + ["2.0"]))
    assert answer.code == 0, answer.error
    assert "Versions: ==2.0rc1\n" in answer.document["candidate"]["text"]
    assert absent.code == 1
    assert "app==2.0" in absent.error["message"] + absent.error["next"]
    step = absent.error["next"].partition("; for an unpublished release: ")[2]
    assert " rebase app/hooks --patches %s --to FILE " % patches in step
    assert step.endswith(" --release 2.0")


@pytest.mark.slow
@needs_syntax_trees
@pytest.mark.parametrize(
    "version, versions",
    [
        ("1.3", ">=1.0,<=1.3"),
        ("2.0", ">=1.0,<=1.2 | ==2.0"),
        ("1.3rc1", ">=1.0,<=1.2 | ==1.3rc1"),
        ("0.9", ">=1.0,<=1.2 | ==0.9"),
    ],
)
def test_known_bytes_only_widen_the_range(rebase, newer, patches, version, versions):
    """A release with the same file: the edition names it too, and no other is made."""
    answer = rebase("--to", newer(version, UPSTREAM))
    assert answer.code == 0
    assert os.listdir(os.path.join(patches, "app")) == ["1.0-hooks.patch"]
    with open(os.path.join(patches, "app", "1.0-hooks.patch")) as file:
        assert file.read() == patch_text(versions=versions)
    again = rebase("--to", newer(version, UPSTREAM))
    assert (again.code, again.document["changed"]) == (0, False)
    assert "nothing to do" in again.document["notes"]


@needs_syntax_trees
def test_a_range_does_not_grow_over_another_edition(rebase, newer, patches):
    """1.4 has the bytes of 1.2, and 1.3 has others."""
    assert rebase("--to", newer("1.3", moved_on())).code == 0
    answer = rebase("--to", newer("1.4", UPSTREAM))
    assert "Versions: >=1.0,<=1.2 | ==1.4\n" in answer.document["candidate"]["text"]
    catalog.editions([patches])  # no overlap


METHOD = b'    @web.authenticated\n    async def get(self, path=""):\n'
ABSENT, TWICE = "occurs 0 times", "occurs 2 times"
OTHER, NOWHERE, BROKEN = "the declaration ", "no import before", "cannot parse"
LATE = b"Handler = 1\n\n\nclass A:\n    pass\n\n\nfrom app.base import B"
DOUBTFUL = {
    "renamed": (ABSENT, b"async def _save(", b"async def save("),
    "another class": (ABSENT, b"class ContentsHandler(", b"class FilesHandler("),
    "twice": (TWICE, SAVE, b"    def _save(self):\n        pass\n\n" + SAVE),
    "a class twice": (TWICE, b"class PageHandler(", b"class ContentsHandler("),
    "conditional": (ABSENT, b"    async def _save", b"    if True:\n     async def _save"),
    "no coroutine": (OTHER, b"async def _save(", b"def _save("),
    "another argument": (OTHER, b"_save(self, model, path)", b"_save(self, model, path, force)"),
    "a default": (OTHER, b"_save(self, model, path)", b"_save(self, model, path=None)"),
    "no decorator": (OTHER, b"    @web.authenticated\n", b""),
    "another decorator": (OTHER, b"@web.authenticated", b"@authenticated"),
    "one more decorator": (OTHER, METHOD, b"    @authorized\n" + METHOD),
    "one more below": (OTHER, b"    async def get", b"    @authorized\n    async def get"),
    "another ending": (OTHER, b"settings = settings\n", b"settings = settings\n        more()\n"),
    "a return": (OTHER, b"settings = settings\n", b"settings = settings\n        return None\n"),
    "a condition": (OTHER, b"        self.settings =", b"        if settings:\n            x ="),
    "no import": (NOWHERE, b"from app.base import Handler", b"Handler = object"),
    "a late import": (NOWHERE, b"from app.base import Handler", LATE),
    "broken": (BROKEN, b"import json", b"import json ("),
    "print": (BROKEN, b"import json", b"print 'json'"),
    "latin-1": ("not UTF-8", b"import json", b"import json  # caf\xe9"),
    "a coding": ("not UTF-8", UPSTREAM, b"# coding: latin-1\n# caf\xe9\n" + UPSTREAM),
}


@needs_syntax_trees
@pytest.mark.parametrize("what", sorted(DOUBTFUL))
def test_what_is_doubtful_is_left_to_a_person(rebase, newer, patches, what):
    """Exit code 5, where it is and what was expected there, and nothing is written."""
    message, old, new = DOUBTFUL[what]
    assert UPSTREAM.count(old) == 1
    before = picture(patches)
    answer = rebase("--to", newer("1.3", UPSTREAM.replace(old, new)))
    assert answer.code == 5
    assert answer.error["path"].startswith(PATH)
    assert message in answer.error["message"]
    assert "by hand" in answer.error["next"]
    assert picture(patches) == before


@needs_syntax_trees
def test_each_doubtful_place_is_reported(rebase, newer):
    """``findings`` has them all, the first of which is the error."""
    data = UPSTREAM.replace(b"path)", b"path, *more)").replace(SAVE, SAVE + b"d")
    data = data.replace(b"def get(", b"def got(").replace(b"def __init__", b"def __new__")
    answer = rebase("--to", newer("1.3", data))
    findings = answer.document["findings"]
    assert [row["message"].partition(" ")[0] for row in findings] == [
        "ContentsHandler.__init__",
        "ContentsHandler.get",
        "ContentsHandler._save",
    ]
    assert findings[0] == answer.error


@needs_syntax_trees
def test_a_release_that_needs_no_patch(rebase, newer, patches):
    """Nothing to do, and why."""
    text = "Package: app\nVersions: 3.*\nDescription: d\nNot-Needed: it is built in\n---\n"
    put(patches, text, "3.0-hooks.patch")
    answer = rebase("--to", newer("3.1", moved_on()))
    assert (answer.code, answer.document["candidate"]) == (0, None)
    assert answer.document["notes"] == ["3.1 needs no patch: it is built in", "nothing to do"]


@needs_syntax_trees
def test_a_file_that_is_gone(rebase, patches, tmp_path):
    """The release has moved the module: nothing is searched for."""
    wheel = made_wheel(str(tmp_path / "wheels"), "app", "1.3", {"app/views.py": UPSTREAM})
    answer = rebase("--to", wheel)
    assert (answer.code, answer.error["path"]) == (5, PATH)


@needs_syntax_trees
@pytest.mark.parametrize(
    "old, new",
    [
        (b"        return json.dumps(path)\n", b"        return json.dumps([path])\n"),
        (b"        return json", b"        path += ''\n        return json"),
        (b'        """A model."""\n', b""),
    ],
    ids=["changed", "in the middle", "removed"],
)
def test_changed_statements_are_carried(rebase, newer, patches, old, new):
    """Besides the imports, decorators and calls of the same patch."""
    assert UPSTREAM.count(old) == 1
    put(patches, patch_text(after=patched(UPSTREAM).replace(old, new)))
    answer = rebase("--to", newer("1.3", moved_on()))
    assert answer.code == 0, answer
    (edition,) = [one for one in catalog.editions([patches]) if one.fits("1.3")]
    after = engine.after_of(edition, {PATH: moved_on()})[PATH]
    assert after == patched(moved_on()).replace(old, new)


@needs_syntax_trees
def test_a_statement_that_the_release_has_no_more(rebase, newer, patches):
    """It is refused with the function that lacks it."""
    after = patched(UPSTREAM).replace(
        b"        return json", b"        path += ''\n        return json"
    )
    put(patches, patch_text(after=after))
    answer = rebase(
        "--to", newer("1.3", moved_on().replace(b"json.dumps(path)", b"json.dumps(0)"))
    )
    assert answer.code == 5
    assert "occurs 0 times" in answer.error["message"]


@needs_syntax_trees
def test_a_named_release_with_other_bytes(rebase, newer):
    """An edition that claims the release: its range must end first."""
    answer = rebase("--to", newer("1.1", moved_on()))
    assert answer.code == 5
    assert "1.0-hooks names 1.1" in answer.error["message"]


@needs_syntax_trees
def test_another_origin_is_refused(jhpatch, patches, newer):
    """``--from`` must be what the nearest edition is for."""
    wheel = newer("1.3", moved_on())
    answer = jhpatch(
        None, "rebase", "app/hooks", "--patches", patches, "--to", wheel, "--from", wheel
    )
    assert answer.code == 5
    assert answer.error["path"] == wheel


@needs_syntax_trees
@pytest.mark.parametrize(
    "arguments, code",
    [
        (["app/hooks"], 2),
        (["app/other", "--to", "1.3"], 2),
        (["app/hooks", "--to", "/nowhere/handlers.py"], 2),
        (["app/hooks", "--to", "newest"], 2),
        (["app/hooks", "--to", "app.whl"], 2),
        (["app/hooks", "--to", "other-1.0-py3-none-any.whl"], 2),
        (["app/hooks", "--to", "/nowhere/app-1.3-py3-none-any.whl"], 1),
    ],
)
def test_wrong_arguments(jhpatch, patches, arguments, code):
    """A defined exit code, a message, and what to type next."""
    answer = jhpatch(None, "rebase", *(arguments + ["--patches", patches]))
    assert answer.code == code
    assert answer.error["message"] and answer.error["next"]


@needs_syntax_trees
def test_a_real_release(jhpatch, wheel, tmp_path, monkeypatch):
    """jupyterhub 5.5.3's edition, carried to 6.0.0, is the edition that jhpatch has."""
    patches = str(tmp_path / "patches")
    name = "6.0.0-kerberos-login.patch"
    for file_name in ("5.5.3-kerberos-login.patch", name):
        with open(os.path.join(ROOT, "patches", "jupyterhub", file_name)) as file:
            put(patches, file.read(), file_name, "jupyterhub")
    with open(os.path.join(patches, "jupyterhub", name)) as file:
        known = file.read()
    os.unlink(os.path.join(patches, "jupyterhub", name))
    monkeypatch.setattr("jhpatch.patchset.catalog.own_patch_dir", lambda: patches)
    to, origin = wheel("jupyterhub", "6.0.0"), wheel("jupyterhub", "5.5.3")
    answer = jhpatch(None, "rebase", "jupyterhub/kerberos-login", "--to", to, "--from", origin)
    assert answer.code == 0, answer.error
    found = answer.document["candidate"]["text"]
    assert re.sub("Versions: .*", "", found) == re.sub("Versions: .*", "", known)
