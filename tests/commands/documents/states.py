"""The states that a site can be in: how each comes about, as steps of a scene."""

import json
import os
import shutil

from tests.commands.documents import scenes
from tests.commands.documents.scenes import FACE, INFO, A, B, body
from tests.commands.documents.table import then

tree = then("tree")
app, other = then("app"), then("other")


def patched(name):
    """``apply`` has been there."""
    return then("patched", name)


def unrecorded(scene):
    """The patch is there, the record is not."""
    scene.patched()
    scene.remove("site/.jhpatch")


def reinstalled(scene):
    """The release's files have come again, as pip puts them there."""
    scene.patched()
    scene.remove("site/app", "site/" + INFO)
    scene.app()


def reinstalled_beside(scene):
    """The same by a manager that does not know the added file."""
    scene.patched()
    scene.remove("site/" + INFO)
    scene.app()


def mixed(scene):
    """The added file is gone, the modules are patched."""
    scene.patched()
    scene.remove("site/" + FACE)


def edited(*names):
    """Somebody has written into these files."""

    def step(scene):
        for name in names:
            scene.append("site/" + name)

    return step


def unlisted(version, **changed):
    """A release that no patch names."""
    return then("app", version=version, **changed)


def upgraded(version, stays):
    """Another release over the patched one; the added file may stay."""

    def step(scene):
        scene.patched()
        kept = scene.read("site/" + FACE)
        scene.remove("site/app", "site/" + INFO)
        scene.app(version=version)
        if stays:
            scene.write("site/" + FACE, kept)

    return step


def removed(scene):
    """Taken away by a manager that does not know the added file."""
    scene.patched()
    scene.remove("site/" + INFO, "site/" + A, "site/" + B)


def editable(scene):
    """PEP 610."""
    scene.app()
    text = json.dumps({"url": "file:///x", "dir_info": {"editable": True}})
    scene.write("site/%s/direct_url.json" % INFO, text)


def two_infos(scene):
    """What an upgrade that died leaves behind."""
    scene.app()
    shutil.copytree(scene.path("site/" + INFO), scene.path("site/app-1.1.dist-info"))


def linked_module(scene):
    """A module that is a symlink."""
    scene.app()
    os.rename(scene.path("site/" + A), scene.path("site/elsewhere.py"))
    os.symlink(scene.path("site/elsewhere.py"), scene.path("site/" + A))


def linked_record(scene):
    """RECORD that is a symlink."""
    scene.app()
    os.rename(scene.path("site/%s/RECORD" % INFO), scene.path("record"))
    os.symlink(scene.path("record"), scene.path("site/%s/RECORD" % INFO))


def egg_link(scene):
    """As setuptools has it."""
    scene.app()
    scene.remove("site/" + INFO)
    scene.write("site/app.egg-link", "/somewhere\n.")


def egg_info(scene):
    """Without a RECORD."""
    scene.app()
    scene.remove("site/" + INFO)
    scene.write("site/app-1.0.egg-info/PKG-INFO", "Metadata-Version: 1.0\nVersion: 1.0\n")


def linked_after(scene):
    """Patched, and then turned into a symlink."""
    scene.patched()
    os.rename(scene.path("site/" + A), scene.path("site/elsewhere.py"))
    os.symlink(scene.path("site/elsewhere.py"), scene.path("site/" + A))


def another_build(scene):
    """RECORD states bytes that no patch knows."""
    scene.app(a=body("another build"))


def own_face(data):
    """The release has a file in the place of the one that the patch would add."""
    return lambda scene: scene.dist(
        {"app/__init__.py": b"", A: body("a"), B: body("b"), FACE: data}
    )


def forgotten(scene):
    """The catalog has no patch for ``app`` any more."""
    scene.patched()
    files = scenes.tree_files()
    scene.tree({name: text for name, text in files.items() if name.startswith("other-app")})


def text_in(name, text, mode=0o644):
    """A file of .jhpatch with this text, beside a patched ``app``."""

    def step(scene):
        scene.patched()
        scene.write("site/.jhpatch/" + name, text, mode)

    return step


def linked_state(scene):
    """A state that is a symlink."""
    scene.patched()
    os.rename(scene.path("site/.jhpatch/state.json"), scene.path("state.json"))
    os.symlink(scene.path("state.json"), scene.path("site/.jhpatch/state.json"))


def damaged_original(scene):
    """A saved original that was changed."""
    scene.patched()
    name = "site/.jhpatch/originals/" + scenes.sha(body("a"))
    scene.append(name)


def no_original(scene):
    """A saved original that is gone, of a run that died."""
    scene.journal()
    scene.remove("site/.jhpatch/originals")


def foreign_after(scene):
    """A run has died, and somebody has changed a file of it since."""
    scene.journal()
    scene.append("site/" + A)


def abandoned(scene):
    """What a pip that broke off has renamed."""
    scene.write("site/~pp-1.0.dist-info/METADATA", "Name: app\nVersion: 1.0\n")


def empty(scene):
    """A site with nothing in it."""
    os.makedirs(scene.path("site"))


HOSTILE = '{"schema": 1, "tool": "0", "distributions": [{"name": "../x"}]}'
TWICE = '{"schema": 1, "schema": 1, "tool": "0", "distributions": []}'

STATES = [
    ("pristine", app, other),
    ("applied", patched("applied")),
    ("applied, unrecorded", unrecorded),
    ("outdated", patched("older")),
    ("of a newer jhpatch", patched("newer")),
    ("superseded", reinstalled),
    ("superseded, with the added file", reinstalled_beside),
    ("a mix of versions", mixed),
    ("modified", app, other, edited(A)),
    ("modified after apply", patched("applied"), edited(A)),
    ("added file modified", patched("applied"), edited(FACE)),
    ("a file is missing", app, then("remove", "site/" + A)),
    ("all modified", app, edited(A, B)),
    ("unlisted, with known bytes", unlisted("1.5"), other),
    ("unlisted, with other bytes", unlisted("1.5", a=body("later"), b=body("later"))),
    ("editable", editable, other),
    ("two dist-infos", two_infos),
    ("a symlink", linked_module),
    ("RECORD is a symlink", linked_record),
    ("egg-link", egg_link),
    ("egg-info", egg_info),
    ("a symlink after apply", linked_after),
    ("another build", another_build),
    ("the release has the added file", own_face(scenes.tree_files()["app/_face.py"].encode())),
    ("the release has another file there", own_face(b"own = 1\n")),
    ("not needed", unlisted("2.0")),
    ("not needed, leftovers", upgraded("2.0", True)),
    ("upgraded to what is unlisted", upgraded("1.5", True)),
    ("absent, leftovers", removed),
    ("absent beside another", other),
    ("the catalog has forgotten it", forgotten),
    ("interrupted", then("journal")),
    ("interrupted, foreign since", foreign_after),
    ("interrupted, originals gone", no_original),
    ("state unreadable", text_in("state.json", "{")),
    ("state of a newer schema", text_in("state.json", '{"schema": 99}')),
    ("state hostile", text_in("state.json", HOSTILE)),
    ("state with a name twice", text_in("state.json", TWICE)),
    ("state is a symlink", linked_state),
    ("state that others can write", text_in("state.json", HOSTILE, 0o666)),
    ("journal unreadable", text_in("journal.json", "not JSON")),
    ("journal of a newer schema", text_in("journal.json", '{"schema": 99}')),
    ("journal hostile", text_in("journal.json", '{"schema": 1, "pid": -1}')),
    ("nothing here", empty),
    ("nothing but what pip has left", abandoned),
]
