"""list, status, diff, apply, revert: each in each state of a site, and with their options."""

import os
import sys
import time

from tests.commands.documents import scenes, states
from tests.commands.documents.scenes import CORE, FACE, A, body, hooked
from tests.commands.documents.states import STATES, app, edited, other, patched, tree, unlisted
from tests.commands.documents.table import OF_SITES, TREE, WHERE, add, put_off, then

# Each state by itself, and without a change.

FEW = ("pristine", "applied", "modified", "interrupted", "state unreadable", "nothing here")
FORGOTTEN = "the catalog has forgotten it"
"""A state that has another tree."""

for _name, *_steps in STATES:
    _first = [] if _name == FORGOTTEN else [tree]
    for _command in OF_SITES:
        _some = FEW if _command in ("status", "apply") else FEW[1:4]
        _long = _name not in _some
        add("%s/%s" % (_command, _name), _command, *(_first + _steps), long=_long)
    for _command in ("apply", "revert"):
        _words, _long = _command + " --dry-run", _name not in ("outdated", "modified")
        add("%s/dry run, %s" % (_command, _name), _words, *(_first + _steps), long=_long)


# Every state at once, a site each: of apply and revert those that can be changed together.


def every(command, what, names, words):
    """A scenario of the sites in these states. What only reads has one set of them for all."""
    chosen = [(name.replace(" ", "-").replace(",", ""), steps) for name, *steps in names]

    def build(scene):
        for name, steps in chosen:
            one = scene.beside(name)
            for each in steps:
                each(one)

    only_reads = command in ("list", "status", "diff")
    top = "{2}" if only_reads else "{0}"
    where = [word for name, _ in chosen for word in ("--site", "%s/%s/site" % (top, name))]
    step = then("shared", "states", build) if only_reads else build
    add("%s/every state%s" % (command, what), words, tree, step, where=where + TREE)


REFUSED = (
    *("of a newer jhpatch", "modified", "modified after apply", "added file modified"),
    *("a file is missing", "all modified", "unlisted, with known bytes"),
    *("unlisted, with other bytes", "editable", "two dist-infos", "a symlink"),
    *("RECORD is a symlink", "egg-link", "a symlink after apply", "another build"),
    *("the release has the added file", "the release has another file there"),
    *("upgraded to what is unlisted",),
)
NEVER = (
    *("modified", "modified after apply", "added file modified", "a file is missing"),
    *("all modified", "a symlink after apply"),
)
"""What revert refuses."""
_here = [row for row in STATES if row[0] != FORGOTTEN]
_broken = [row for row in _here if row[0].startswith(("state", "journal", "interrupted, orig"))]
_whole = [row for row in _here if row not in _broken]
for _command in ("list", "status -v", "status", "diff"):
    every(_command.split()[0], ", verbose" * (_command[-2:] == "-v"), _here, _command)
for _command, _names in (("apply", REFUSED), ("revert", NEVER)):
    _refused = [row for row in _whole if row[0] in _names]
    _fine = [
        row for row in _whole if row not in _refused and row[0] != "interrupted, foreign since"
    ]
    every(_command, " that is refused", _refused, _command)
    every(_command, " that is refused, dry run", _refused, _command + " --dry-run")
    every(_command, " that is broken", _broken, _command)
    every(_command, " that is changed", _fine, _command)
    every(_command, " that is changed, dry run", _fine, _command + " --dry-run")

# More or less to say, several sites, environments, what is running.

pristine = (tree, app, other)
applied = (tree, patched("applied"))


def raw_site(scene):
    """A site whose path is not UTF-8."""
    raw = os.path.join(os.fsencode(scene.folder), b"\xff \xc3\xa4\nx")
    scene.app()
    os.rename(scene.path("site"), os.fsdecode(raw))
    scene.odd = os.fsdecode(raw)


def sites(*prepared):
    """Sites "one", "two", …, each with ``app`` as a method of the scene leaves it."""

    def step(scene):
        for name, method in zip(("one", "two", "three"), prepared):
            getattr(scene, method)(where=name)

    return step


def all_sites(count):
    """The options that name them."""
    names = ("one", "two", "three")[:count]
    return [word for name in names for word in ("--site", "{0}/" + name)] + TREE


def old_process(scene):
    """A server of the site that has begun before the patch was applied."""
    scene.app()
    scene.running(scene.path("site/bin/jupyter-notebook"))
    time.sleep(0.2)


def old_process_since(scene):
    """And the patch is applied."""
    old_process(scene)
    scene.ran("apply", *WHERE)


def environment(*steps, **options):
    """A virtual environment, "env", with ``app``."""

    def step(scene):
        site = scene.environment(more=options.get("more", ""))
        scene.app(where=site)
        for one in steps:
            one(scene)

    return step


def outside(scene):
    """A virtual environment that sees the site of its base, with ``app`` there."""
    scene.environment(more="include-system-site-packages = true\n")
    scene.app(where="base/lib/python3.9/site-packages")


def shadowed(scene):
    """A copy of ``app`` in a folder that a .pth file adds, behind the one that is imported."""
    site = scene.environment()
    scene.app(where=site)
    scene.app(where="env/more")
    scene.write(site + "/more.pth", scene.path("env/more") + "\n")


def archived(scene):
    """``app`` in an archive that a .pth file adds."""
    site = scene.environment()
    path = scene.wheel("app", "1.0", {"app-1.0.dist-info/METADATA": b"Version: 1.0\n"})
    scene.write(site + "/more.pth", path + "\n")


def own_environment(scene):
    """jhpatch runs in the environment that it looks at."""
    minor = "python%d.%d" % sys.version_info[:2]
    text = "home = %s/bin\nversion = %d.%d.%d\n" % ((sys.base_prefix,) + sys.version_info[:3])
    scene.write("env/pyvenv.cfg", text)
    os.makedirs(scene.path("env/bin"))
    scene.python = scene.path("env/bin/python")
    os.symlink("%s/bin/%s" % (sys.base_prefix, minor), scene.python)
    scene.app(where="env/lib/%s/site-packages" % minor)
    import packaging
    import patch_ng

    for name, path in (
        ("patch_ng.py", patch_ng.__file__),
        ("packaging", os.path.dirname(packaging.__file__)),
    ):
        os.makedirs(scene.path("modules"), exist_ok=True)
        os.symlink(path, scene.path("modules/" + name))
    scene.environ["PYTHONPATH"] += ":" + scene.path("modules")


def conda(scene):
    """What conda has in its environments."""
    scene.write("env/conda-meta/history", "")


RAW = ["--site", "{1}"] + TREE
ENV = ["--python", "{0}/env/bin/python"] + TREE
ALL = """\
import subprocess, sys, time

argv, running = sys.argv[2:], []
for python in filter(None, sys.argv[1].split(",")):
    words = [python, python.replace("python", "jupyterhub-singleuser")]
    child = subprocess.Popen(words, executable="/bin/sh", stdin=subprocess.PIPE)
    running.append(child)
    while True:
        with open("/proc/%d/cmdline" % child.pid, "rb") as file:
            if b"singleuser" in file.read():
                break
        time.sleep(0.01)
code = subprocess.call(argv)
for child in running:
    child.kill()
    child.wait()
sys.exit(code)
"""


def only_running(*names):
    """jhpatch sees no processes but servers of these environments, each with ``app``."""

    def step(scene):
        pythons = []
        for name in names:
            site = scene.environment(name)
            scene.app(where=site)
            scene.write(name + "/bin/jupyterhub-singleuser", "read line\n")
            pythons.append(scene.path(name + "/bin/python"))
        script = scene.write("all.py", ALL)
        alone = ["unshare", "--pid", "--fork", "--mount-proc"]
        scene.before = alone + [sys.executable, script, ",".join(pythons)]

    return step


for _command in OF_SITES:
    _some = _command not in ("status", "apply")
    add("%s/pristine, verbose" % _command, _command + " -v", *pristine, long=_some)
    add("%s/pristine, quiet" % _command, _command + " -q", *pristine, long=_some)
    add(
        "%s/pristine, on a terminal" % _command,
        _command,
        *pristine,
        kind="terminal",
        long=_command in ("apply", "revert"),
    )
    _mixed = sites("app", "patched", "app")
    add("%s/two sites" % _command, _command, tree, _mixed, where=all_sites(2), long=_some)
    add("%s/three sites" % _command, _command, tree, _mixed, where=all_sites(3), long=_some)
    _some = _command != "apply"
    _file = then("write", "tree", "")
    _nowhere = ["--python", "/nowhere/bin/python"]
    add("%s/a site that is no folder" % _command, _command, tree, long=_some)
    add("%s/a tree that is no folder" % _command, _command, app, long=_some)
    add("%s/a tree that is a file" % _command, _command, app, _file, long=_some)
    add("%s/a Python that is not there" % _command, _command, where=_nowhere, long=_some)
    _words = _command + " --nonsense"
    add("%s/an unknown option" % _command, _words, *pristine, kind="argparse", long=_some)
for _command in OF_SITES[1:]:
    _some = _command not in ("status", "apply")
    add("%s/applied, verbose" % _command, _command + " -v", *applied, long=_some)
    add("%s/applied, quiet" % _command, _command + " -q", *applied, long=True)
    add("%s/an environment" % _command, _command, tree, environment(), where=ENV, long=_some)
    add("%s/outside of the environment" % _command, _command, tree, outside, where=ENV, long=_some)
    add("%s/shadowed" % _command, _command, tree, shadowed, where=ENV, long=_some)
    _words = _command + (" --lock-timeout 0.1" if _command in ("apply", "revert") else "")
    add("%s/at work" % _command, _words, tree, then("journal", alive=True), then("locked"))
for _command, _state in (
    ("status", patched("applied")),
    ("apply", app),
    ("revert", patched("applied")),
):
    add("%s/changed, on a terminal" % _command, _command, tree, _state, kind="terminal")
    add("%s/a path that is not UTF-8" % _command, _command, tree, raw_site, where=RAW)

add("status/modified, verbose", "status -v", tree, app, other, edited(A))
add("status/modified, quiet", "status -q", tree, app, other, edited(A))
add("status/three sites, verbose", "status -v", tree, _mixed, where=all_sites(3))
add("status/the same site twice", "status", *pristine, where=WHERE + ["--site", "{0}/site/"])
add("status/an old process", "status", tree, old_process_since)
add("status/in an archive", "status", tree, archived, where=ENV)
add("status/of conda", "status", tree, environment(conda), where=ENV)
add("status/a folder of no Python", "status", tree, app, where=["--python", "{0}/site"] + TREE)
add("status/its own environment", "status", tree, own_environment, where=TREE, hides="minor")
add("status/all", "status --all", tree, only_running("one", "two"), where=TREE, needs="unshare")
add("status/all, nothing runs", "status --all", tree, only_running(), where=TREE, needs="unshare")

# diff of one patch; its output on a terminal is coloured.

add("diff/one", "diff app/first", *pristine)
add("diff/one, spelled otherwise", "diff OTHER.app/one", *pristine)
add("diff/one of two applied", "diff app/first", *applied)
add("diff/one that is absent", "diff app/first", tree, other)
add("diff/one that is not needed", "diff app/first", tree, unlisted("2.0"))
add("diff/one that there is not", "diff app/none", *pristine)

# Patches that cannot be applied.


def with_patch(name, text):
    """One more file in the tree."""
    return then("write", "tree/" + name, text)


def only_patch(text, name="app/1.0-first.patch"):
    """A tree with this patch alone."""
    return then("tree", {name: text})


_CHANGE = {A: (body("a"), hooked(body("a")))}
_TEXT = scenes.patch("app", "==1.0", _CHANGE)
BAD = [
    ("no header", "no header\n"),
    ("an unknown field", _TEXT.replace("Description:", "Colour: blue\nDescription:")),
    ("a field twice", _TEXT.replace("Description:", "Versions: ==1.0\nDescription:")),
    ("no field Package", scenes.patch("app", "==1.0", _CHANGE, Package=None)),
    ("another distribution", scenes.patch("other", "==1.0", _CHANGE)),
    ("open-ended", scenes.patch("app", ">=1.0", _CHANGE)),
    ("not a hash", _TEXT.replace("sha256:", "sha256:x", 1)),
    ("no After", "\n".join(row for row in _TEXT.split("\n") if row[:6] != "After:")),
    ("a path that is not beneath", _TEXT.replace("app/a.py", "../a.py")),
    ("another After", _TEXT.replace(scenes.sha(hooked(body("a"))), "0" * 64)),
    ("another context", _TEXT.replace("\n # 3", "\n # three")),
    ("a diff that is none", _TEXT.replace("\n@@ -", "\n@ -")),
    ("an unknown helper", scenes.patch("app", "==1.0", _CHANGE, ["app/x.py < helper:x"])),
    ("no source", scenes.patch("app", "==1.0", _CHANGE, ["app/x.py < app/x.py"])),
    ("a source outside", scenes.patch("app", "==1.0", _CHANGE, ["app/x.py < ../x.py"])),
]
_TWO = scenes.patch("app", "==1.0", {A: (body("a"), hooked(body("a"), "twin = 1\n"))})
_FOLDER = scenes.patch("app", "==1.0", _CHANGE, ["none/sub/_face.py < app/_face.py"])
_BROKEN = scenes.patch("app", "==1.0", {A: (body("a"), hooked(body("a"), "x = = 1\n"))})

for _name, _text in BAD:
    _some = _name not in ("no header", "another After", "another context")
    add("apply/a patch with %s" % _name, "apply", app, only_patch(_text), long=_some)
    add("lint/a patch with %s" % _name, ["lint"] + TREE, only_patch(_text), long=True)
add(
    "lint/every bad patch",
    ["lint"] + TREE,
    then("tree", {"app/1.0-bad%d.patch" % at: text for at, (_, text) in enumerate(BAD)}),
)
for _command in ("list", "status", "diff"):
    add("%s/a bad patch" % _command, _command, app, only_patch("no header\n"))
    _wrong = only_patch(dict(BAD)["another After"])
    add("%s/a patch with another After" % _command, _command, app, _wrong, long=_command == "list")
add("apply/a name that says nothing", "apply", app, only_patch(_TEXT, "app/first.patch"))
add(
    "apply/two editions for a release",
    "apply",
    *pristine + (with_patch("app/1.1-first.patch", _TEXT),),
)
add("apply/two patches for a file", "apply", *pristine + (with_patch("app/1.0-twin.patch", _TWO),))
add(
    "apply/a patch for a file of an applied one",
    "apply app/twin",
    *applied + (with_patch("app/1.0-twin.patch", _TWO),),
)
add("apply/no folder to add to", "apply", app, only_patch(_FOLDER), with_patch("app/_face.py", ""))
add("apply/does not compile, and no Python is named", "apply", app, only_patch(_BROKEN))
add(
    "apply/does not compile in an environment",
    "apply",
    environment(),
    only_patch(_BROKEN),
    where=ENV,
)

# apply and revert of some, with their options.

add("apply/one", "apply app/first", *pristine)
add("apply/one, spelled otherwise", "apply OTHER.app/one", *pristine)
add(
    "apply/the second of two",
    "apply app/second",
    tree,
    app,
    then("ran", "apply", "app/first", *WHERE),
)
add("apply/one that is absent", "apply app/first", tree, other)
add("apply/one that there is not", "apply app/none", *pristine)
add("apply/one of the outdated", "apply app/first", tree, patched("older"))
add("apply/unlisted is allowed", "apply --allow-unlisted", tree, unlisted("1.5"))
add(
    "apply/other bytes are not allowed",
    "apply --allow-unlisted",
    tree,
    unlisted("1.5", a=body("later")),
)
add(
    "apply/one of two sites is refused",
    "apply",
    tree,
    sites("app", "app"),
    lambda scene: scene.append("one/" + A),
    where=all_sites(2),
)
add("apply/the lock is held", "apply --lock-timeout 0.1", *pristine + (then("locked"),))
add("apply/a time that is none", "apply --lock-timeout soon", *pristine, kind="argparse")
add("apply/an old process", "apply", tree, old_process)
add("apply/its own environment", "apply", tree, own_environment, where=TREE, hides="minor")
add(
    "apply/a broken Python",
    "apply",
    tree,
    environment(then("write", "env/bin/python", "#!/bin/sh\necho no\n", 0o755)),
    where=ENV,
)


def open_site(scene):
    """A site that everybody can write."""
    scene.app()
    os.chmod(scene.path("site"), 0o777)


def open_tree(scene):
    """A tree of patches that everybody can write."""
    scene.app()
    os.chmod(scene.path("tree/app/1.0-first.patch"), 0o666)


for _command in ("apply", "revert"):
    add("%s/a tree that all can write" % _command, _command, tree, open_tree, needs="root")
add("apply/a site that all can write", "apply", tree, open_site, needs="root")

add("revert/one", "revert app/first", *applied)
add("revert/one, spelled otherwise", "revert OTHER.app/one", *applied)
add("revert/one that there is not", "revert app/none", *applied)
add("revert/one that is not applied", "revert app/first", *pristine)
add("revert/the tree is gone", "revert", patched("applied"), then("tree", {}))
add("revert/modified, forced", "revert --force", tree, patched("applied"), edited(A))
add("revert/added file modified, forced", "revert --force", tree, patched("applied"), edited(FACE))
add("revert/modified, not by us, forced", "revert --force", tree, app, edited(A))
add("revert/a saved original is damaged", "revert", tree, states.damaged_original)
add("revert/the lock is held", "revert --lock-timeout 0.1", *applied + (then("locked"),))
add("revert/an old process", "revert", tree, old_process_since)

# list: what is described.

add("list/nothing of its own", "list", then("tree", {}), app)
add(
    "list/two trees",
    "list",
    *pristine
    + (
        then(
            "tree",
            {"app/1.0-more.patch": scenes.patch("app", "==1.0", {CORE: (body("a"), body("b"))})},
            "more",
        ),
    ),
    where=WHERE + ["--patches", "{0}/more"],
)


put_off(
    "list",
    *("a bad patch", "every state", "interrupted", "modified", "nothing of its own"),
)
put_off(
    "status",
    *("a folder of no Python", "a patch with another After", "applied, verbose"),
    *("every state", "in an archive", "modified, quiet", "modified, verbose", "of conda"),
    *("outside of the environment", "pristine, quiet", "shadowed", "three sites, verbose"),
    *("two sites",),
)
put_off(
    "revert",
    *("a path that is not UTF-8", "a tree that all can write", "added file modified, forced"),
    *("an old process", "at work", "changed, on a terminal", "dry run, modified"),
    *("every state that is changed, dry run", "every state that is refused, dry run"),
    *("modified, not by us, forced", "one that there is not", "one, spelled otherwise"),
    *("the lock is held",),
)
put_off(
    "apply",
    *("a broken Python", "a name that says nothing", "a patch for a file of an applied one"),
    *("a patch with another context", "a patch with no header", "a time that is none"),
    *("a tree that is a file", "a tree that is no folder", "an environment"),
    *("an unknown option", "applied, verbose", "does not compile, and no Python is named"),
    *("dry run, modified", "every state that is changed, dry run"),
    *("every state that is refused, dry run", "one", "one of the outdated"),
    *("other bytes are not allowed", "outside of the environment", "pristine, quiet"),
    *("pristine, verbose", "shadowed", "the second of two", "two sites"),
)
put_off(
    "diff",
    *("a bad patch", "one of two applied", "one that is not needed", "one that there is not"),
    *("one, spelled otherwise",),
)
