"""Many processes at once on one site: appliers, reverters, readers of every kind, and pip."""

import contextlib
import importlib
import io
import json
import os
import random
import subprocess
import sys
import time

import pytest

from integration.faults.launched import (
    ADDED,
    HELPER,
    PATCHED,
    RELEASES,
    Outcome,
    answered,
    files,
    is_applied,
    leftovers,
    made,
    patched,
    read,
    sources,
    stretched,
    succeeded,
    wheel,
)

RECORD = "our_app-1.0.dist-info/RECORD"
WORKERS = 16
# What a site may be called while runs follow each other; nobody ever edits a file here.
HONEST = {"pristine", "applied", "outdated", "superseded", "busy"}


@pytest.fixture
def place(tmp_path):
    """A site with one distribution, compiled as pip leaves it."""
    place = made(tmp_path)
    python = os.path.join(place.env, "bin", "python")
    subprocess.run([python, "-I", "-m", "compileall", "-q", place.site], check=True)
    return place


# Children that are forked: each has a loop, an end, and an answer in a file.


class Crew:
    """Forked children; what each has seen, and its error, come back through files."""

    def __init__(self, folder):
        self.folder = os.path.join(str(folder), "crew")
        os.makedirs(self.folder)
        self.pids = []

    def start(self, job, *arguments):
        """``job(*arguments)`` in a child; its answer is kept as JSON."""
        number = len(self.pids)
        pid = os.fork()
        if pid:
            self.pids.append(pid)
            return
        try:
            try:
                answer = {"answer": job(*arguments)}
            except BaseException as error:
                answer = {"error": "%s: %s" % (type(error).__name__, error)}
            with open(os.path.join(self.folder, str(number)), "w") as file:
                json.dump(answer, file)
        finally:
            os._exit(0)

    def answers(self):
        """Waits for all; the answers. The first error fails the test."""
        for pid in self.pids:
            os.waitpid(pid, 0)
        found = []
        for number in range(len(self.pids)):
            with open(os.path.join(self.folder, str(number))) as file:
                found.append(json.load(file))
        errors = [one["error"] for one in found if "error" in one]
        assert not errors, "\n".join(errors[:3])
        return [one["answer"] for one in found]


def hammer(place, number, end):
    """Applies and reverts until the end; how often. Some do not wait: they are sent away, 4."""
    chance = random.Random(number)
    runs = 0
    while time.monotonic() < end:
        command = chance.choice(["apply", "revert"])
        timeout = "0.05" if number % 4 < 2 else "600"
        more = ["--lock-timeout", timeout]
        run = inside if number % 2 else answered
        outcome = run(place, command, *more)
        assert outcome.code in ((0, 4) if timeout == "0.05" else (0,)), (command, outcome.error)
        assert outcome.talk == b"", outcome.talk
        runs += 1
    return runs


def inside(place, command, *more):
    """A command in this very process: no time goes into a start, so that far more meet."""
    from jhpatch.cli.main import main

    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        code = main(place.argv(command, "--json", *more)[4:])
    document = json.loads(out.getvalue())
    assert document["exit_code"] == code
    return Outcome(code, document, b"")


def read_files(place, end):
    """Reads each file as a whole: it is before or after, and never missing. How often."""
    before, after = sources("1.0"), patched("1.0")
    records = {read(place.site, RECORD)}
    reads = 0
    while time.monotonic() < end:
        for path in PATCHED:
            assert read(place.site, path) in (before[path], after[path]), path
        for path in ADDED:
            assert read(place.site, path) in (None, after[path])
        records.add(read(place.site, RECORD))
        assert len(records) <= 2 and None not in records, records
        reads += 1
    return reads


def import_modules(place, end):
    """Imports the patched modules anew, with the .pyc files that lie there. How often.

    A revert may come between a module's first line and the helper that it names, as it may
    for any package that is taken away; but while a module stays, so does what it needs. The
    file is held open meanwhile, so that its inode is given to no other.
    """
    sys.dont_write_bytecode = True
    sys.path.insert(0, place.site)
    marks = {True: 0, False: 0}
    while time.monotonic() < end:
        for path in PATCHED:
            for name in [name for name in sys.modules if name.split(".")[0] == "our_app"]:
                del sys.modules[name]
            importlib.invalidate_caches()
            with open(os.path.join(place.site, path), "rb") as file:
                try:
                    module = importlib.import_module(path[: -len(".py")].replace("/", "."))
                    marks[module.marked] += 1
                except (ImportError, OSError) as error:
                    same = os.path.samestat(
                        os.fstat(file.fileno()), os.stat(os.path.join(place.site, path))
                    )
                    assert not same, "%s while %s stayed as it was" % (error, path)
    return marks[True], marks[False]


def look(place, end):
    """Asks for the status: 0, 3 or 4, and never that somebody else was there. How often."""
    looks = 0
    while time.monotonic() < end:
        outcome = (answered if looks % 50 == 49 else inside)(place, "status")
        assert outcome.code in (0, 3, 4), outcome.error
        states = set(outcome.states.values())
        assert states <= HONEST, outcome.document
        assert (outcome.code == 4) == ("busy" in states)
        assert (outcome.code == 0) == (states == {"applied"})
        looks += 1
    return looks


def test_many_processes_on_one_site(place, tmp_path, tally, thorough):
    """Sixteen that apply and revert, and readers: none ever sees other than before or after.

    An exit code is 0, or 4 for those that would not wait; at the end revert gives all back.
    """
    pristine = place.picture()
    end = time.monotonic() + (60 if thorough else 12)
    crew = Crew(tmp_path)
    for number in range(WORKERS):
        crew.start(hammer, place, number, end)
    for job in (read_files, import_modules, import_modules, look):
        crew.start(job, place, end)
    answers = crew.answers()
    is_applied(place.site)
    assert leftovers(place.site) == []
    succeeded(place, "revert")
    assert place.picture() == pristine
    assert all(answers[:WORKERS])
    tally("race: apply or revert", sum(answers[:WORKERS]))
    tally("race: files read", answers[WORKERS])
    tally("race: modules imported", sum(map(sum, answers[WORKERS + 1 : WORKERS + 3])))
    tally("race: status", answers[WORKERS + 3])


def slow(place, end):
    """Applies and reverts with a pause after each rename and unlink. How often."""
    runs = 0
    while time.monotonic() < end:
        argv = place.argv("revert" if runs % 2 else "apply")
        argv = stretched("renameat,unlinkat", argv, milliseconds=10)
        subprocess.run(argv, stdout=subprocess.DEVNULL, cwd="/", check=True)
        runs += 1
    return runs


def test_readers_between_every_two_renames(place, tmp_path, tally, thorough):
    """However long a change stands between two renames: no file is missing, no import fails."""
    stretched("renameat", [])
    pristine = place.picture()
    end = time.monotonic() + (40 if thorough else 6)
    crew = Crew(tmp_path)
    for job in (slow, read_files, import_modules, look):
        crew.start(job, place, end)
    runs, reads, imports, looks = crew.answers()
    succeeded(place, "revert")
    assert place.picture() == pristine
    tally("race: apply or revert", runs)
    tally("race: files read", reads)
    tally("race: modules imported", sum(imports))
    tally("race: status", looks)


def test_a_look_while_runs_come_and_go(place, tmp_path, tally, thorough):
    """A look takes no lock: what a run takes away meanwhile is never called missing or damaged."""
    pristine = place.picture()
    end = time.monotonic() + (40 if thorough else 5)
    crew = Crew(tmp_path)
    for number in (1, 3):  # in their own process, one that waits and one that does not
        crew.start(hammer, place, number, end)
    for _ in range(4):
        crew.start(look, place, end)
    answers = crew.answers()
    succeeded(place, "revert")
    assert place.picture() == pristine
    tally("race: apply or revert", sum(answers[:2]))
    tally("race: status", sum(answers[2:]))


def test_what_is_imported_afterwards_is_what_lies_there(place, tally, thorough):
    """Python never takes a .pyc of the other bytes, though size and second may be the same."""
    pristine = place.picture()
    python = os.path.join(place.env, "bin", "python")
    code = "import our_app.core as a, our_app.sub.deep as b; print(a.marked, b.marked)"
    for number in range(40 if thorough else 6):
        command = "revert" if number % 2 else "apply"
        argv = place.argv(command, env=number % 3 > 0)
        subprocess.run(argv, stdout=subprocess.DEVNULL, cwd="/", check=True)
        out = subprocess.run([python, "-c", code], stdout=subprocess.PIPE, cwd=place.site)
        expected = {"apply": b"True True\n", "revert": b"False False\n"}[command]
        assert out.stdout == expected, (number, command)
        tally("race: modules imported", 2)
    assert place.picture() == pristine


def test_two_sites_in_opposite_order(tmp_path, tally, thorough):
    """Two runs that name the same sites the other way round never wait for each other for ever."""
    first, second = made(tmp_path / "one"), made(tmp_path / "two")
    pristine = [first.picture(), second.picture()]
    orders = [(first, second), (second, first)]
    for number in range(40 if thorough else 6):
        children = []
        for one, other in orders:
            command = "revert" if number % 2 else "apply"
            argv = one.argv(command, "--site", other.site, "--lock-timeout", "10")
            # Each has its first lock, then, before it asks for the second.
            argv = stretched("flock", argv, milliseconds=200)
            quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
            children.append(subprocess.Popen(argv, cwd="/", **quiet))
        for child in children:
            _, talk = child.communicate(timeout=300)
            assert (child.returncode, talk) == (0, b"")
        assert is_applied(first.site) == is_applied(second.site) == (number % 2 == 0)
        tally("race: two sites")
    assert [first.picture(), second.picture()] == pristine


def test_a_revert_that_takes_the_lock_away(place, tally, thorough):
    """Those that wait for a lock while the last revert removes it: one after the other."""
    pristine = place.picture()
    for _ in range(30 if thorough else 4):
        succeeded(place, "apply")
        commands = ["revert", "apply", "revert", "apply", "revert"]
        children = [
            subprocess.Popen(
                # A lock that is opened, and taken away before it is held; and long changes.
                stretched(
                    "flock,renameat,unlinkat",
                    place.argv(command, "--json", "--lock-timeout", "90"),
                    "enter",
                    8,
                ),
                cwd="/",
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
            )
            for command in commands
        ]
        for child in children:
            out, _ = child.communicate(timeout=300)
            assert child.returncode == 0, out.decode()
        is_applied(place.site)
        succeeded(place, "revert")
        assert place.picture() == pristine
        tally("race: revert removes the lock")


# pip, which takes no lock of ours.


@pytest.fixture
def pip(place, tmp_path):
    """Starts a real pip in the place's environment: ``pip("uninstall", "-y", "our-app")``."""
    home = os.path.dirname(os.path.dirname(pytest.importorskip("pip").__file__))
    python = os.path.join(place.env, "bin", "python")
    more = {"PYTHONPATH": home, "PIP_DISABLE_PIP_VERSION_CHECK": "1", "HOME": str(tmp_path)}
    more.update(PIP_ROOT_USER_ACTION="ignore", PATH=os.defpath)

    def start(*arguments, stdin=subprocess.DEVNULL):
        return subprocess.Popen(
            [python, "-m", "pip", "-q", *arguments],
            cwd="/",
            env=more,
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    return start


def installed(pip, wheels, version, *more):
    """Starts an installation over whatever is there."""
    return pip("install", "--no-deps", "--no-index", "--force-reinstall", *more, wheels[version])


def finished(child):
    """A pip that has ended: whether it worked."""
    out, _ = child.communicate(timeout=300)
    return child.returncode == 0, out.decode(errors="replace")


def versions_of(site):
    """The releases whose .dist-info lies there with its METADATA."""
    return [
        version
        for version in RELEASES
        if os.path.exists(os.path.join(site, "our_app-%s.dist-info/METADATA" % version))
    ]


def whole_kinds(site):
    """What the files on the disk truly are: (release, "pristine" or "applied"), by every byte."""
    found = []
    for version in versions_of(site):
        for kind, more in (("pristine", {}), ("applied", patched(version))):
            wanted = dict(files(version), **more)
            if all(read(site, path) == data for path, data in wanted.items()):
                helper = read(site, HELPER) is not None
                if helper == (kind == "applied"):
                    found.append((version, kind))
    return found


def claim_of(place):
    """What status says of the patch, and of which release; it never says so of a half state."""
    outcome = answered(place, "status")
    for site in outcome.document["sites"]:
        for one in site["patches"]:
            if one["patch"] == "our-app/marked":
                return outcome.code, one["version"], one["state"]
    return outcome.code, None, "absent"


def true_of(site, version, state):
    """Whether the patched files are those of the claim, by their bytes, and the helper too."""
    wanted = dict(sources(version), **dict.fromkeys(ADDED))
    if state == "applied":
        wanted = patched(version)
    return all(read(site, path) == data for path, data in wanted.items())


@pytest.mark.parametrize("action", ["reinstall", "another release", "uninstall"])
def test_pip_at_the_same_time(place, pip, tmp_path, tally, thorough, action):
    """Whatever pip and we do to each other, status never calls a half state fine.

    What comes out of it, a forced reinstall and a revert bring back to what pip would leave.
    """
    wheels = {version: wheel(str(tmp_path), version) for version in RELEASES}
    assert finished(installed(pip, wheels, "1.0"))[0]
    pristine = place.picture()
    chance = random.Random(action)
    start = time.monotonic()
    assert finished(installed(pip, wheels, "1.0"))[0]
    lasts = time.monotonic() - start
    assert place.picture() == pristine
    halves = 0
    said = []
    for number in range(60 if thorough else 3):
        if number % 2:
            succeeded(place, "apply")
        if action == "uninstall":
            child = pip("uninstall", "-y", "our-app")
        else:
            child = installed(pip, wheels, "1.0" if action == "reinstall" else "2.0")
        time.sleep(chance.uniform(0.3, 1) * lasts)
        codes = _many_while(place, child, number)
        said.append(finished(child))
        assert set(codes) <= {0, 1, 3, 4, 5}, codes
        code, version, state = claim_of(place)
        if state in ("applied", "pristine"):
            assert true_of(place.site, version, state), (code, version, state)
        if code == 0 and state != "absent":
            assert state == "applied", (code, state)
        halves += not whole_kinds(place.site)
        tally("race: pip")
        _recovered(place, pip, wheels, pristine, said)
    print("half states that were made and recovered:", halves)


def _many_while(place, child, number):
    """The exit codes of commands one after the other while pip is at work, at least one."""
    codes = []
    while not codes or child.poll() is None:
        command = "apply" if (number + len(codes)) % 2 == 0 else "revert"
        done = place.typed(command)
        assert b"Traceback" not in done.stderr and b"unexpected" not in done.stderr, done.stderr
        codes.append(done.returncode)
    return codes


def _recovered(place, pip, wheels, pristine, said):
    """Release 1.0 again by pip, whatever lies there; then apply and revert work as ever.

    ``said``: of each pip until now, whether it worked, and its words.
    """
    said.append(finished(installed(pip, wheels, "1.0")))
    if whole_kinds(place.site) != [("1.0", "pristine")]:
        said.append(finished(pip("uninstall", "-y", "our-app")))
        said.append(finished(installed(pip, wheels, "1.0")))
    assert said[-1][0], said
    outcome = answered(place, "apply")
    assert outcome.code == 0 and is_applied(place.site), outcome.error
    succeeded(place, "revert")
    left = {path for path, row in place.picture().items() if pristine.get(path) != row}
    if any(died(words) for worked, words in said if not worked):
        left = {path for path in left if not any(map(renamed, path.split(os.sep)))}
    assert not left and not is_applied(place.site), "\n".join(
        [*sorted(left), *(words for _, words in said)]
    )


def died(words):
    """Whether a pip ended as it found a file gone that it wanted to move.

    It takes nothing back then: neither ``pip uninstall`` nor ``pip install`` has its ``remove``
    in a ``try`` (``commands/uninstall.py``, ``req/__init__.py``), whoever took the file away.
    """
    return "moved.stash(path)" in words and "FileNotFoundError" in words


def renamed(name):
    """Whether pip renamed it to remove it (``AdjacentTempDirectory``)."""
    return name.startswith("~")


def test_a_pip_that_misses_what_a_run_took_away(place, pip, tmp_path, tally):
    """A revert while pip asks whether to remove: pip dies, and status says what it left there.

    What brings it back is pip, as always; what pip renamed stays, and none of it counts.
    """
    wheels = {"1.0": wheel(str(tmp_path), "1.0")}
    assert finished(installed(pip, wheels, "1.0"))[0]
    pristine = place.picture()
    succeeded(place, "apply")
    # pip moves a folder as one, unless there is something in it that it did not install.
    with open(os.path.join(place.site, "our_app", "notes.txt"), "w"):
        pass
    child = pip("uninstall", "our-app", stdin=subprocess.PIPE)
    asked = b""
    while b"Proceed" not in asked:
        said = os.read(child.stdout.fileno(), 4096)
        assert said, asked
        asked += said
    succeeded(place, "revert")
    child.stdin.write(b"y\n")
    child.stdin.flush()
    worked, words = finished(child)
    assert not worked and died(words), words
    os.unlink(os.path.join(place.site, "our_app", "notes.txt"))
    outcome = answered(place, "status")
    assert outcome.code == 5
    assert (
        "~ur_app-1.0.dist-info, which an interrupted run of pip left"
        in outcome.document["error"]["found"]
    )
    # It was installed from this file (PEP 610): an index may have another release 1.0.
    assert "our_app @ file://" in outcome.document["error"]["next"]
    _recovered(place, pip, wheels, pristine, [(worked, words)])
    tally("race: pip fails")
