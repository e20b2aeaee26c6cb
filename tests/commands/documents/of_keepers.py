"""lint, rebase, survey: with wheels, and a package index, that are made here."""

from tests.commands.documents import scenes
from tests.commands.documents.scenes import HANDLERS, HOOKS, A, B, body, hooked
from tests.commands.documents.states import tree
from tests.commands.documents.table import TREE, add, put_off, then

# lint


def stray(scene):
    """A file that no patch names, and a source that does not compile."""
    adds = ["app/x.py < app/x.py"]
    text = scenes.patch("app", "==1.0", {A: (body("a"), hooked(body("a")))}, adds)
    scene.tree({"app/1.0-first.patch": text, "app/x.py": "x = = 1\n", "app/notes.txt": ""})


def many(scene):
    """Several faults in one tree."""
    files = {
        "app/1.0-hooks.patch": scenes.hooks_patch(),
        "app/1.2-hooks.patch": scenes.hooks_patch(versions=">=1.2,<=2.3"),
        "app/1.0-twin.patch": scenes.hooks_patch(versions="==1.0"),
        "app/1.3-named.patch": scenes.hooks_patch(versions="==1.4"),
        "app/2.0-needless.patch": scenes.hooks_patch(versions="2.*", Not_Needed="it is"),
    }
    scene.tree(files)


def hooks(scene):
    """A tree with ``app/hooks`` for 1.0 to 1.2, and wheels of 1.0, 1.1 and 1.2."""
    scene.tree({"app/1.0-hooks.patch": scenes.hooks_patch()})
    for version in ("1.0", "1.1", "1.2"):
        scene.wheel("app", version, {HOOKS: HANDLERS})


def unhashed(scene):
    """The hashes are not filled in yet."""
    hooks(scene)
    text = scenes.hooks_patch(Before=HOOKS, After=HOOKS + " sha256:?")
    scene.tree({"app/1.0-hooks.patch": text})


def index(*versions):
    """A package index that has wheels of ``app`` of these releases, and a pip that asks it."""

    def step(scene):
        scene.pip(",".join(versions))
        for version in versions:
            data = moved_on() if version in ("1.3", "1.3rc1", "0.9") else HANDLERS
            scene.wheel("app", version, {} if version == "1.4" else {HOOKS: data}, "index")

    return step


def moved_on(data=HANDLERS):
    """The next release: an import and a method more."""
    data = data.replace(b"import json\n", b"import json\nimport os\n")
    return data + b"\n    def more(self):\n        pass\n"


WHEEL = "{0}/wheels/app-1.0-py3-none-any.whl"

add("lint/sound", ["lint"] + TREE, hooks)
add("lint/sound, verbose", ["lint", "-v"] + TREE, hooks)
add("lint/sound, quiet", ["lint", "-q"] + TREE, hooks)
add("lint/findings", ["lint"] + TREE, many)
add("lint/findings, quiet", ["lint", "-q"] + TREE, many)
add("lint/findings, on a terminal", ["lint"] + TREE, many, kind="terminal")
add("lint/stray files", ["lint"] + TREE, stray)
add("lint/of a tree of sites", ["lint"] + TREE, tree)
add("lint/a tree that is no folder", ["lint"] + TREE)
add("lint/with a wheel", ["lint", "--wheel", WHEEL] + TREE, hooks)
add(
    "lint/with a wheel of other bytes",
    ["lint", "--wheel", WHEEL] + TREE,
    hooks,
    then("wheel", "app", "1.0", {HOOKS: moved_on()}),
)
add(
    "lint/with a wheel without the file",
    ["lint", "--wheel", WHEEL] + TREE,
    hooks,
    then("wheel", "app", "1.0", {}),
)
add("lint/with a folder of wheels", ["lint", "--wheels", "{0}/wheels"] + TREE, hooks)
add("lint/with pip", ["lint", "--wheels", "{0}/kept"] + TREE, hooks, index("1.2", "1.0"))
add("lint/with a pip that fails", ["lint", "--wheels", "{0}/kept"] + TREE, hooks, index("1.0"))
add("lint/what is no wheel", ["lint", "--wheel", "app.zip"] + TREE, hooks)
add(
    "lint/a wheel that is not there",
    ["lint", "--wheel", "/nowhere/app-1.0-py3-none-any.whl"] + TREE,
    hooks,
)
add("lint/hashes", ["lint", "--fix-hashes", "--wheel", WHEEL] + TREE, unhashed)
add("lint/hashes, quiet", ["lint", "-q", "--fix-hashes", "--wheel", WHEEL] + TREE, unhashed)
add("lint/hashes without a wheel", ["lint", "--fix-hashes"] + TREE, unhashed)
add(
    "lint/hashes of another release",
    ["lint", "--fix-hashes", "--wheel", "{0}/wheels/app-1.3-py3-none-any.whl"] + TREE,
    unhashed,
    then("wheel", "app", "1.3", {HOOKS: HANDLERS}),
)
add(
    "lint/hashes of another file",
    ["lint", "--fix-hashes", "--wheel", WHEEL] + TREE,
    unhashed,
    then("wheel", "app", "1.0", {HOOKS: b"# above\n" + HANDLERS}),
)
add(
    "lint/hashes of no file",
    ["lint", "--fix-hashes", "--wheel", WHEEL] + TREE,
    unhashed,
    then("wheel", "app", "1.0", {}),
)
add("lint/installed", "lint --installed")
add("lint/an unknown option", "lint --nonsense", kind="argparse")

# create


def edited_site(scene):
    """A site with ``app``, one of whose modules was edited, and the wheel of its release."""
    files = {A: body("a"), B: body("b"), "app/__init__.py": b""}
    scene.dist(files)
    scene.wheel("app", "1.0", files)
    scene.write("site/" + A, body("a").replace(b"# 3\n", b"# three\n"))


def create(name, *more, **options):
    """A scenario of ``app/try``."""
    words = ["create", "app/try", "--site", "{0}/site"] + TREE
    words += ["--wheel", WHEEL, "--description", "what it does, and why", *more]
    add("create/" + name, words, options.pop("prepare", edited_site), **options)


create("made")
create("made, dry run", "--dry-run")
create("made, dry run, on a terminal", "--dry-run", kind="terminal")
create("made, quiet", "-q")
create("refused, nothing is edited", prepare=lambda scene: scene.dist({A: body("a")}))
create("an unknown option", "--nonsense", kind="argparse")

# rebase


def newer(version, data, name="app", path=HOOKS):
    """A wheel of another release."""
    return then("wheel", name, version, {path: data})


def rebase(name, to, *prepare, **options):
    """A scenario of ``app/hooks`` from the wheel of 1.0; ``more`` words."""
    words = ["rebase", options.pop("patch", "app/hooks")] + TREE
    words += ["--to", to] if to else []
    words += ["--from", WHEEL] if options.pop("origin", True) else []
    needs = options.pop("needs", "3.8")
    add("rebase/" + name, words + options.pop("more", []), hooks, *prepare, needs=needs, **options)


def other_file(name, data):
    """A file in the scene."""
    return then("write", name, data)


NEWER = "{0}/wheels/app-1.3-py3-none-any.whl"
FILE = "{0}/handlers.py"
moved = newer("1.3", moved_on())
needless = then(
    "write",
    "tree/app/3.0-hooks.patch",
    scenes.patch("app", "3.*", {}, Not_Needed="it is built in"),
)

rebase("carried", NEWER, moved)
rebase("carried, quiet", NEWER, moved, more=["-q"])
rebase("carried, dry run", NEWER, moved, more=["--dry-run"])
rebase("carried, on a terminal", NEWER, moved, kind="terminal")
rebase("carried to a file", FILE, other_file("handlers.py", moved_on()), more=["--release", "1.3"])
rebase(
    "carried from a file",
    FILE,
    other_file("handlers.py", moved_on()),
    other_file("before.py", HANDLERS),
    origin=False,
    more=["--release", "1.3", "--from", "{0}/before.py"],
)
rebase("carried to an output", NEWER, moved, more=["--output", "{0}/out.patch"])
rebase("carried by pip", "1.3", index("1.3", "1.2", "1.0"), origin=False)
rebase("pip knows no such release", "1.9", index("1.3", "1.0"))
rebase("widened", NEWER, newer("1.3", HANDLERS))
rebase("widened, dry run", NEWER, newer("1.3", HANDLERS), more=["--dry-run"])
rebase("named", "{0}/wheels/app-2.0-py3-none-any.whl", newer("2.0", HANDLERS))
rebase("covered", "{0}/wheels/app-1.1-py3-none-any.whl")
rebase(
    "covered, with other bytes", "{0}/wheels/app-1.1-py3-none-any.whl", newer("1.1", moved_on())
)
rebase("not needed", "{0}/wheels/app-3.1-py3-none-any.whl", needless, newer("3.1", moved_on()))
for _name, _old, _new in (
    ("the method is gone", b"async def get", b"async def fetch"),
    ("the method is another", b'get(self, path="")', b"get(self, path)"),
    ("another ending", b"settings = settings\n", b"settings = settings\n        more()\n"),
    ("no import", b"from app.base import Handler", b"Handler = object"),
    ("not UTF-8", b"import json", b"import json  # caf\xe9"),
):
    rebase("refused, " + _name, NEWER, newer("1.3", HANDLERS.replace(_old, _new)))
rebase("refused, the file is gone", NEWER, newer("1.3", HANDLERS, path="app/views.py"))
rebase("refused, another origin", NEWER, moved, origin=False, more=["--from", NEWER])
rebase(
    "refused, lines are taken away",
    NEWER,
    moved,
    then(
        "write",
        "tree/app/1.0-hooks.patch",
        scenes.hooks_patch(
            after=scenes.with_hooks(HANDLERS).replace(b'        """A model."""\n', b"")
        ),
    ),
)
rebase(
    "refused, a line without an anchor",
    NEWER,
    moved,
    then(
        "write",
        "tree/app/1.0-hooks.patch",
        scenes.hooks_patch(
            after=scenes.with_hooks(HANDLERS).replace(
                b"        return", b"        path += ''\n        return"
            )
        ),
    ),
)
rebase(
    "refused, the output is there",
    NEWER,
    moved,
    other_file("out.patch", "mine"),
    more=["--output", "{0}/out.patch"],
)
rebase("an unknown patch", NEWER, moved, patch="app/none")
rebase("a file without its release", FILE, other_file("handlers.py", moved_on()))
rebase("neither a release nor a file", "newest")
rebase(
    "a wheel of another distribution",
    "{0}/wheels/other-1.0-py3-none-any.whl",
    newer("1.0", HANDLERS, "other"),
)
rebase("a wheel that is not there", "/nowhere/app-1.3-py3-none-any.whl")
rebase("an old Python", NEWER, moved, needs="<3.8", hides="minor")
rebase("no release", None, kind="argparse", needs="")

# survey

add(
    "survey/new releases",
    ["survey", "app"] + TREE,
    hooks,
    index("1.4", "1.3", "1.3rc1", "1.2.1", "1.2", "1.1", "1.0", "0.9"),
)
add(
    "survey/new releases, verbose",
    ["survey", "-v", "app"] + TREE,
    hooks,
    index("1.4", "1.3", "1.2.1", "1.0"),
)
add("survey/new releases, quiet", ["survey", "-q", "app"] + TREE, hooks, index("1.3", "1.0"))
add("survey/all covered", ["survey", "App"] + TREE, hooks, index("1.2", "1.0"))
add("survey/pip fails", ["survey", "app"] + TREE, hooks, index())
add("survey/an unknown distribution", ["survey", "nonsense"] + TREE, hooks)
add("survey/an unknown option", "survey --nonsense", kind="argparse")

put_off(
    "lint",
    *("a tree that is no folder", "a wheel that is not there", "an unknown option"),
    *("findings, on a terminal", "findings, quiet", "hashes of another file"),
    *("hashes of no file", "hashes, quiet", "of a tree of sites", "sound, quiet"),
    *("sound, verbose", "with a folder of wheels", "with a wheel without the file"),
    *("with pip",),
)
put_off(
    "rebase",
    *("a wheel of another distribution", "a wheel that is not there", "carried by pip"),
    *("carried from a file", "carried to a file", "carried, dry run", "carried, quiet"),
    *("covered, with other bytes", "named", "neither a release nor a file", "no release"),
    *("refused, another ending", "refused, another origin", "refused, lines are taken away"),
    *("refused, no import", "refused, not UTF-8", "refused, the file is gone"),
    *("refused, the method is another", "widened, dry run"),
)
put_off(
    "survey",
    *("all covered", "an unknown option", "new releases, quiet", "new releases, verbose"),
)
