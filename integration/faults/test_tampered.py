"""A .jhpatch that somebody has tampered with: no write outside, a clean error, the way back."""

import json
import os
import pwd
import random
import shutil
import stat

import pytest

from integration.faults import watched
from integration.faults.watched import WAY_BACK, answer, picture, saved
from testing.commands import die_between_modules

COMMANDS = [
    ["status"],
    ["diff"],
    ["apply", "--dry-run"],
    ["revert", "--dry-run"],
    ["apply"],
    ["revert"],
    ["revert", "--force"],
]
READS = COMMANDS[:4]
SOME = {True: COMMANDS, False: COMMANDS[::2]}
MODULE = "notebook/notebook/handlers.py"
HELPER = "notebook/_jhpatch_kerberos/__init__.py"
DEEP = 200000


def at(site, name):
    """A path in .jhpatch."""
    return os.path.join(site, ".jhpatch", name)


def load(path):
    """A JSON file."""
    with open(path, "rb") as file:
        return json.loads(file.read().decode())


def write(path, data):
    """Bytes, text or a document in the place of a file, whatever is there."""
    if not isinstance(data, (bytes, str)):
        data = json.dumps(data, indent=1, sort_keys=True)
    with open(path, "wb") as file:
        file.write(data.encode() if isinstance(data, str) else data)


def remove(path):
    """Whatever is there."""
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    elif os.path.lexists(path):
        os.unlink(path)


# What can stand in the place of a file of .jhpatch: each takes the path and a folder outside.


def gigabyte(path, outside):
    """A sparse file."""
    with open(path, "wb") as file:
        file.truncate(1 << 30)


def fifo(path, outside):
    """Nobody writes into it."""
    remove(path)
    os.mkfifo(path)


def folder(path, outside):
    """A folder with a file in it."""
    remove(path)
    os.mkdir(path)
    write(os.path.join(path, "x"), "x")


def link(path, outside):
    """To a file outside that has the very bytes."""
    target = os.path.join(outside, "sub", "copy")
    shutil.copy(path, target)
    remove(path)
    os.symlink(target, path)


def dangling(path, outside):
    """To a file that would be made outside."""
    remove(path)
    os.symlink(os.path.join(outside, "new"), path)


def endless(path, outside):
    """To a device that never ends."""
    remove(path)
    os.symlink("/dev/zero", path)


def everybody(path, outside):
    """Everybody can write it."""
    os.chmod(path, 0o666)


def group(path, outside):
    """A group with another member can write it."""
    entry = next(entry for entry in pwd.getpwall() if entry.pw_uid and entry.pw_gid)
    os.chown(path, -1, entry.pw_gid)
    os.chmod(path, 0o664)


def stranger(path, outside):
    """Of a user who is neither root nor the owner of the site."""
    os.chown(path, 1234, 1234)


THINGS = [gigabyte, fifo, folder, link, dangling, endless, everybody, group, stranger]
ROOT_ONLY = {group, stranger}
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="takes root to give files away")


def things(*without):
    """Parameters."""
    return [
        pytest.param(one, id=one.__name__, marks=[needs_root] if one in ROOT_ONLY else [])
        for one in THINGS
        if one not in without
    ]


# Texts that are no state or journal of ours: each takes the good document.


def _row(document, **fields):
    """The first row of a journal, or the first file of a state, with other fields."""
    rows = document["rows"] if "rows" in document else _patch(document)["files"]
    rows[0].update(fields)
    return document


def _patch(document):
    return document["distributions"][0]["patches"][0]


def _raw(document, name, text):
    """The document with ``text`` as it stands for the value of its field ``name``."""
    return json.dumps(dict(document, **{name: "@@"})).replace('"@@"', text)


TEXTS = {
    "empty": lambda good: "",
    "not JSON": lambda good: "pip was here",
    "not UTF-8": lambda good: b'{"schema": 1, "x": "\xff"}',
    "UTF-16": lambda good: json.dumps(good).encode("utf-16"),
    "a BOM": lambda good: b"\xef\xbb\xbf" + json.dumps(good).encode(),
    "NULs": lambda good: b"\0" * 4096,
    "a list": lambda good: [good],
    "a number": lambda good: "1",
    "null": lambda good: "null",
    "only a schema": lambda good: {"schema": 1},
    "a newer schema": lambda good: dict(good, schema=99),
    "schema true": lambda good: dict(good, schema=True),
    "schema 1.0": lambda good: _raw(good, "schema", "1.0"),
    "schema as text": lambda good: dict(good, schema="1"),
    "a schema of a megabyte": lambda good: dict(good, schema="1" * (1 << 20)),
    "a deep schema": lambda good: _raw(good, "schema", "[" * 900 + "]" * 900),
    "deep lists": lambda good: "[" * DEEP,
    "deep objects": lambda good: '{"a":' * DEEP,
    "deep inside": lambda good: _raw(good, "schema", "[" * DEEP + "]" * DEEP),
    "a huge number": lambda good: _raw(good, "schema", "9" * 1000000),
    "a huge float": lambda good: _raw(good, "schema", "1" * 1000000 + ".0"),
    "infinity": lambda good: _raw(good, "schema", "Infinity"),
    "a field twice": lambda good: json.dumps(good)[:-1] + ', "schema": 1}',
    "no rows": lambda good: {k: v for k, v in good.items() if k not in ("rows", "distributions")},
    "rows as text": lambda good: dict(good, rows="x", distributions="x"),
    "rows as an object": lambda good: dict(good, rows={"a": 1}, distributions={"a": 1}),
    "rows of lists": lambda good: dict(good, rows=[[]], distributions=[[]]),
    "a parent": lambda good: _row(good, path="../outside/handlers.py"),
    "a parent inside": lambda good: _row(good, path="notebook/../../outside/handlers.py"),
    "an absolute path": lambda good: _row(good, path="/etc/passwd"),
    "a path with an empty part": lambda good: _row(good, path="notebook//a.py"),
    "a path with NUL": lambda good: _row(good, path="a\0b"),
    "a lone surrogate": lambda good: _row(good, path="a\ud800"),
    "an empty path": lambda good: _row(good, path=""),
    "a path that is none": lambda good: _row(good, path=["a"]),
    "a long path": lambda good: _row(good, path="a/" * 3000 + "b"),
    "not a hash": lambda good: _row(good, before="0" * 63),
    "a hash in capitals": lambda good: _row(good, after="A" * 64),
    "a hash that is a path": lambda good: _row(good, before="../../outside/handlers.py"),
    "a hash as a number": lambda good: _row(good, after=1),
    "an unknown field": lambda good: _row(good, **{"x" * 100000: 1}),
    "no path": lambda good: _row(good, path=None),
}
STATES = {
    "a distribution twice": lambda good: dict(good, distributions=good["distributions"] * 2),
    "a patch twice": lambda good: _patches(good, lambda rows: rows[:1] * 2),
    "a file twice": lambda good: _files(good, lambda rows: rows[:1] * 2),
    "a patch of another distribution": lambda good: _named(good, "jupyterhub/kerberos-open"),
    "a patch with a path": lambda good: _named(good, "notebook/../../x"),
    "a patch without a name": lambda good: _named(good, ""),
    "a patch that is no name": lambda good: _named(good, "notebook/x\n\x1b[31m"),
    "a file of ours": lambda good: _row(good, path=".jhpatch/lock"),
    "our folder": lambda good: _row(good, path=".jhpatch"),
    "a time that is none": lambda good: _when(good, "yesterday"),
    "a time that is long past": lambda good: _when(good, "9" * 4000),
    "a version that is none": lambda good: _field(good, "version", ["1"]),
    "a version of a megabyte": lambda good: _field(good, "version", "1" * (1 << 20)),
    "a RECORD outside": lambda good: _record(good, path="../outside/handlers.py"),
    "a RECORD that is none": lambda good: _field(good, "record", "RECORD"),
    "a tool that is none": lambda good: dict(good, tool=None),
    "a huge tool": lambda good: dict(good, tool="9" * 4096),
}
JOURNALS = {
    "a row twice": lambda good: dict(good, rows=good["rows"][:1] * 2),
    "a temporary name outside": lambda good: _row(good, temp="../../../outside/lock"),
    "a temporary name of another": lambda good: _row(good, temp="handlers.py"),
    "a long temporary name": lambda good: _row(
        good, temp=".jhpatch-" + "0" * 16 + "-" + "1" * 300
    ),
    "odd digits": lambda good: _row(good, temp=".jhpatch-" + "0" * 16 + "-\u00b2"),
    "a temporary name that is none": lambda good: _row(good, temp=7),
    "a guard outside": lambda good: _row(good, guard="../outside/handlers.py"),
    "a guard that is none": lambda good: _row(good, guard=7),
    "a mode that is none": lambda good: _row(good, mode="rwx"),
    "a mode below zero": lambda good: _row(good, mode=-1),
    "a mode of a truth": lambda good: _row(good, mode=True),
    "an owner that leaves it": lambda good: _row(good, uid=2**32 - 1),
    "a huge owner": lambda good: _row(good, uid=2**70),
    "no hashes": lambda good: _row(good, before=None, after=None),
    "a pid as text": lambda good: dict(good, pid="1" * 1000000),
    "a pid that is infinite": lambda good: _raw(good, "pid", "1e999"),
    "a pid that is none": lambda good: dict(good, pid=None),
    "a start that is none": lambda good: dict(good, started={"a": 1}),
    "a deep host": lambda good: _raw(good, "host", "[" * 900 + "]" * 900),
    "a Python that is none": lambda good: dict(good, python=[1]),
    "a directory that is a parent": lambda good: _directory(good, path="../outside"),
    "a directory above the site": lambda good: _directory(good, path=".."),
    "the site as a directory": lambda good: _directory(good, path="."),
    "an empty directory": lambda good: _directory(good, path=""),
    "a directory with a parent inside": lambda good: _directory(good, path="notebook/../../x"),
    "an absolute directory": lambda good: _directory(good, path="/etc"),
    "our folder as a directory": lambda good: _directory(good, path=".jhpatch"),
    "a folder of ours as a directory": lambda good: _directory(good, path=".jhpatch/originals"),
    "a directory of nothing that changed": lambda good: _directory(good, path="notebook/tree"),
    "a directory that is a file": lambda good: _directory(good, path=good["rows"][0]["path"]),
    "a directory that ends in a slash": lambda good: _directory(good, path="notebook/"),
    "a directory with NUL": lambda good: _directory(good, path="notebook\0"),
    "a directory that is none": lambda good: _directory(good, path=["notebook"]),
    "a directory without an owner": lambda good: _directory(good, uid=None),
    "a directory whose owner leaves it": lambda good: _directory(good, gid=2**32 - 1),
    "a directory with a mode below zero": lambda good: _directory(good, mode=-1),
    "a directory that is perhaps new": lambda good: _directory(good, is_new="no"),
    "a directory with another field": lambda good: _directory(good, more=1),
    "a directory twice": lambda good: _directory(_directory(good)),
    "directories as an object": lambda good: dict(good, schema=2, directories={"a": 1}),
    "directories as text": lambda good: dict(good, schema=2, directories="notebook"),
    "no directories": lambda good: dict(_without(good, "directories"), schema=2),
}


def _directory(document, **fields):
    """The journal with another directory, of which ``fields`` are wrong."""
    row = {"path": "notebook", "mode": 0o755, "uid": 0, "gid": 0, "is_new": True}
    rows = [*document.get("directories", ()), dict(row, **fields)]
    return dict(document, schema=2, directories=rows)


def _without(document, name):
    return {key: value for key, value in document.items() if key != name}


def _patches(document, change):
    entry = document["distributions"][0]
    entry["patches"] = change(entry["patches"])
    return document


def _files(document, change):
    _patch(document)["files"] = change(_patch(document)["files"])
    return document


def _named(document, name):
    _patch(document)["patch"] = name
    return document


def _when(document, when):
    _patch(document)["when"] = when
    return document


def _field(document, name, value):
    document["distributions"][0][name] = value
    return document


def _record(document, **fields):
    document["distributions"][0]["record"].update(fields)
    return document


# The sites.


@pytest.fixture(scope="module")
def interrupted(lab, tmp_path_factory):
    """A site in which an apply was killed between its modules."""
    site = lab.copy(lab.pristine, str(tmp_path_factory.mktemp("died") / "site"))
    die_between_modules("apply", "--site", site)
    assert lab.is_mixed(site)
    return site


@pytest.fixture
def place(tmp_path, lab):
    """``place(source)`` gives a copy of a site, with a tree outside that nothing may touch."""
    outside = watched.sentinel(tmp_path)

    def made(source):
        return lab.copy(source, str(tmp_path / "site")), outside

    return made


def refused(site, outside, commands=COMMANDS, way_back=True):
    """Each of ``commands`` is 1 with the way back, and leaves all as it is; gives their number."""
    before = picture(site), _saved(site), picture(outside)
    for command in commands:
        found = answer(*command, "--site", site)
        assert found.code == 1, (command, found)
        assert found.error["path"].startswith(site), found.error
        assert len(found.error["found"] or "") < 1000
        if way_back:
            assert WAY_BACK in (found.error["next"] or ""), (command, found.error)
        assert (picture(site), _saved(site), picture(outside)) == before, command
    return len(commands)


def _saved(site):
    path = os.path.join(site, ".jhpatch")
    return saved(site) if stat.S_ISDIR(os.lstat(path).st_mode) else None


# state.json and journal.json.


@pytest.mark.parametrize("name", sorted({**TEXTS, **STATES}))
def test_a_state_of_another_hand(lab, place, tally, thorough, name):
    """1 for every command, nothing changed anywhere, and how to get the release back."""
    site, outside = place(lab.applied)
    good = load(at(site, "state.json"))
    write(at(site, "state.json"), {**TEXTS, **STATES}[name](good))
    way_back = name != "a newer schema"  # that of a newer jhpatch, which can read it
    tally("tampered .jhpatch: state", refused(site, outside, SOME[thorough], way_back))


@pytest.mark.parametrize("name", sorted({**TEXTS, **JOURNALS}))
def test_a_journal_of_another_hand(interrupted, place, tally, thorough, name):
    """1 for every command, nothing changed anywhere, and how to get the release back."""
    site, outside = place(interrupted)
    good = load(at(site, "journal.json"))
    write(at(site, "journal.json"), {**TEXTS, **JOURNALS}[name](good))
    way_back = name != "a newer schema"
    tally("tampered .jhpatch: journal", refused(site, outside, SOME[thorough], way_back))


@pytest.mark.parametrize("thing", things())
@pytest.mark.parametrize("name", ["state.json", "journal.json"])
def test_what_is_no_file_of_ours(lab, interrupted, place, tally, name, thing):
    """A symlink, a FIFO, a folder, a gigabyte, a file that others can write: 1, and a way back."""
    site, outside = place(lab.applied if name == "state.json" else interrupted)
    thing(at(site, name), outside)
    refused(site, outside)
    tally("tampered .jhpatch: " + name.partition(".")[0], len(COMMANDS))


def _cuts(size, thorough, some=12):
    """Lengths to which a file is cut: all of them, or some, with the first and the last."""
    if thorough:
        return list(range(size))
    chosen = random.Random(1).sample(range(size), some)
    return sorted(set(chosen) | {0, 1, size - 3, size - 2, size - 1})


@pytest.mark.parametrize("name", ["state.json", "journal.json"])
def test_cut_at_every_byte(lab, interrupted, place, tally, thorough, name):
    """Cut anywhere but right before its last newline, it is refused; there it is whole."""
    site, outside = place(lab.applied if name == "state.json" else interrupted)
    path = at(site, name)
    with open(path, "rb") as file:
        whole = file.read()
    for size in _cuts(len(whole), thorough):
        write(path, whole[:size])
        if size == len(whole) - 1:
            assert answer("status", "--site", site).code == (0 if name == "state.json" else 3)
        else:
            refused(site, outside, SOME[thorough])
        tally("tampered .jhpatch: truncated %s" % name.partition(".")[0])
    write(path, whole)
    assert answer("revert", "--site", site).code == 0
    assert lab.state(site) == "before"


@pytest.mark.parametrize("name", ["state.json", "journal.json"])
def test_any_other_byte(lab, interrupted, place, tally, thorough, name):
    """One byte changed: refused, or what it says is proved by hashes: never a torn file."""
    source = lab.applied if name == "state.json" else interrupted
    chance = random.Random(2)
    for _ in range(2000 if thorough else 40):
        site, outside = place(source)
        before = picture(outside)
        with open(at(site, name), "rb") as file:
            data = bytearray(file.read())
        data[chance.randrange(len(data))] = chance.randrange(256)
        write(at(site, name), bytes(data))
        for command in (["status"], ["apply"], ["revert"]):
            found = answer(*command, "--site", site)
            wrong = {p: row for p, row in lab.torn(site).items() if not p.startswith(".jhpatch")}
            assert not wrong, (command, found, wrong)
        assert picture(outside) == before
        tally("tampered .jhpatch: %s, one byte changed" % name.partition(".")[0])


# Originals, the lock, and the folders.


def _originals(site):
    return [at(site, "originals/" + name) for name in sorted(os.listdir(at(site, "originals")))]


def _missing(path, outside):
    remove(path)


def _cut(path, outside):
    with open(path, "rb+") as file:
        file.truncate(os.stat(path).st_size // 2)


def _other(path, outside):
    with open(path, "ab") as file:
        file.write(b"import os\n")


@pytest.mark.parametrize(
    "thing", [*things(), _missing, _cut, _other], ids=lambda one: one.__name__.strip("_")
)
def test_originals_that_are_not_ours(lab, place, tally, thing):
    """What needs them is refused with the way back; what does not still answers."""
    site, outside = place(lab.applied)
    for path in _originals(site):
        thing(path, outside)
    before = picture(site), picture(outside)
    for command in (["status"], ["diff"], ["apply", "--dry-run"]):
        assert answer(*command, "--site", site).code == 0, command
    refused(site, outside, COMMANDS[5:], way_back=False)
    assert (picture(site), picture(outside)) == before
    tally("tampered .jhpatch: originals", 5)


@pytest.mark.parametrize(
    "thing", [*things(), _missing, _cut, _other], ids=lambda one: one.__name__.strip("_")
)
def test_originals_of_an_interrupted_run(interrupted, place, tally, thing):
    """Recovery proves each before its first write, and refuses with the way back."""
    site, outside = place(interrupted)
    for path in _originals(site):
        thing(path, outside)
    refused(site, outside, COMMANDS[4:], way_back=False)
    tally("tampered .jhpatch: originals", 3)


@pytest.mark.parametrize("thing", things(gigabyte, fifo, everybody, group, stranger))
def test_a_lock_that_is_no_file(lab, place, tally, thing):
    """No command locks, changes or follows it; what only reads does not look at it."""
    site, outside = place(lab.applied)
    thing(at(site, "lock"), outside)
    for command in READS:
        assert answer(*command, "--site", site).code == 0
    before = picture(outside), _kind(at(site, "lock"))
    refused(site, outside, COMMANDS[5:], way_back=False)
    assert (picture(outside), _kind(at(site, "lock"))) == before
    tally("tampered .jhpatch: lock", len(COMMANDS))


@pytest.mark.parametrize("thing", things(folder, link, dangling, endless))
def test_a_lock_that_others_can_write(lab, place, tally, thing):
    """Nothing is read from it: the worst that it can do is to be held."""
    site, outside = place(lab.applied)
    before = picture(outside)
    thing(at(site, "lock"), outside)
    code = answer("revert", "--site", site).code
    if thing is fifo and code == 1:
        assert not lab.torn(site)
    else:
        assert code == 0 and lab.state(site) == "before"
    assert picture(outside) == before
    tally("tampered .jhpatch: lock")


def _kind(path):
    info = os.lstat(path)
    return info.st_mode, info.st_ino, info.st_mtime_ns


def _moved(site, outside, name):
    """The folder outside, and a symlink in its place."""
    path = os.path.join(site, name)
    target = os.path.join(outside, "moved")
    shutil.move(path, target)
    os.symlink(target, path)


@pytest.mark.parametrize("state", ["applied", "interrupted"])
@pytest.mark.parametrize("kind", ["symlink", "file", "fifo", "everybody", "stranger"])
def test_a_folder_that_is_not_ours(lab, interrupted, place, tally, kind, state):
    """.jhpatch itself: a symlink, no folder, or one that others can write."""
    if kind == "stranger" and os.geteuid() != 0:
        pytest.skip("takes root to give files away")
    site, outside = place(interrupted if state == "interrupted" else lab.applied)
    path = os.path.join(site, ".jhpatch")
    if kind == "symlink":
        _moved(site, outside, ".jhpatch")
    elif kind == "file":
        remove(path)
        write(path, "a file")
    else:
        {"fifo": fifo, "stranger": stranger, "everybody": lambda p, o: os.chmod(p, 0o777)}[kind](
            path, outside
        )
    refused(site, outside)
    tally("tampered .jhpatch: directory", len(COMMANDS))


@pytest.mark.parametrize("kind", ["symlink", "file", "everybody", "missing"])
def test_a_folder_of_originals_that_is_not_ours(lab, place, tally, kind):
    """A revert needs what lies there: refused with the way back, and nothing outside pruned."""
    site, outside = place(lab.applied)
    path = at(site, "originals")
    if kind == "symlink":
        _moved(site, outside, ".jhpatch/originals")
    elif kind == "everybody":
        os.chmod(path, 0o777)
    else:
        remove(path)
        if kind == "file":
            write(path, "a file")
    assert answer("status", "--site", site).code == 0
    if kind == "everybody":
        # Each original is proved by its hash, and its own mode; root writes nothing beside them.
        before = picture(outside)
        assert answer("revert", "--site", site).code == (0 if os.geteuid() else 5)
        assert picture(outside) == before and not lab.torn(site)
    else:
        refused(site, outside, COMMANDS[5:], way_back=False)
    tally("tampered .jhpatch: directory of originals", 3)


@pytest.mark.parametrize("name", ["originals", "originals of a run that died", "lock"])
def test_the_way_back_from_originals_and_lock(lab, interrupted, place, tally, name):
    """What cannot be believed is no dead end: the way back is printed for these too."""
    site, outside = place(interrupted if "died" in name else lab.applied)
    for path in [at(site, "lock")] if name == "lock" else _originals(site):
        dangling(path, outside)
    refused(site, outside, [["revert"]])
    tally("tampered .jhpatch: repair")


@pytest.mark.parametrize("kind", ["symlink", "file", "everybody"])
def test_a_folder_of_originals_before_an_apply(lab, place, tally, kind):
    """Where a dead run had left one: nothing is written through it."""
    site, outside = place(lab.pristine)
    os.mkdir(at(site, ""), 0o755)
    if kind == "symlink":
        os.symlink(os.path.join(outside, "sub"), at(site, "originals"))
    elif kind == "file":
        write(at(site, "originals"), "a file")
    else:
        os.mkdir(at(site, "originals"))
        os.chmod(at(site, "originals"), 0o777)
    before = picture(site), picture(outside)
    found = answer("apply", "--site", site)
    assert picture(outside) == before[1]
    if found.code:
        assert picture(site) == before[0]
    else:
        assert kind == "everybody" and lab.torn(site) == {}
    tally("tampered .jhpatch: directory of originals")


def test_names_that_nobody_knows_stay(lab, place, tally):
    """Files that bear none of our names do no harm, and are not taken away."""
    site, outside = place(lab.applied)
    os.mkdir(at(site, "a folder"))
    os.symlink(outside, at(site, "a link"))
    os.symlink(os.path.join(outside, "lock"), at(site, "state.json.new"))
    for name in ("a folder/x", "notes.txt", "originals/notes", "state.json~"):
        write(at(site, name), "mine")
    before = picture(outside)
    for command in COMMANDS[:5]:
        assert answer(*command, "--site", site).code == 0, command
    assert answer("revert", "--site", site).code == 0
    assert picture(outside) == before
    assert {"a folder", "a link", "notes.txt", "originals"} <= set(os.listdir(at(site, "")))
    assert lab.torn(site) == {}
    tally("tampered .jhpatch: unknown names", 6)


@pytest.mark.parametrize("name", ["state.json.new", "journal.json.new", "originals/%s.new"])
@pytest.mark.parametrize("thing", [fifo, dangling, endless], ids=lambda one: one.__name__)
def test_a_half_written_file_of_another_hand(lab, place, tally, name, thing):
    """What lies where we write is replaced, never followed or waited for."""
    site, outside = place(lab.pristine)
    os.makedirs(at(site, "originals"), 0o755)
    before = picture(outside)
    digest = lab.before[MODULE][0]
    thing(at(site, name % digest if "%" in name else name), outside)
    assert answer("apply", "--site", site).code == 0
    assert answer("revert", "--site", site).code == 0
    assert picture(outside) == before
    assert lab.torn(site) == {}
    tally("tampered .jhpatch: partly written")
