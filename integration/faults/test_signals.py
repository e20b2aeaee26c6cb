"""Signals at any moment of a real command, and outputs that are closed, full or go away."""

import fcntl
import json
import os
import random
import re
import signal
import subprocess
import time

import pytest

from integration.faults.launched import answered, leftovers, made, read, succeeded, without_ours

STATE = ".jhpatch/state.json"
COMMANDS = ("apply", "revert")


@pytest.fixture
def place(tmp_path):
    """A site with one distribution."""
    return made(tmp_path)


@pytest.fixture
def pictures(place):
    """The site as pip left it, and with the patch: nothing else may ever be seen."""
    pristine = place.picture()
    if not _APPLIED:
        succeeded(place, "apply")
        _APPLIED.append(without_ours(place.picture()))
        succeeded(place, "revert")
        assert place.picture() == pristine
    return pristine, _APPLIED[0]


_APPLIED = []  # the same for each test: a picture knows no absolute path and no time


def whole(place, pictures):
    """Asserts that the site is exactly before or exactly after; says whether it is after."""
    found = place.picture()
    assert leftovers(place.site) == []
    assert without_ours(found) in pictures
    after = without_ours(found) == pictures[1]
    assert (STATE in found) == after
    return after


# Signals.


def _as_from_a_terminal():
    """nohup(1) and a shell's ``&`` leave signals ignored, and children inherit that."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


class Sender:
    """Starts commands and sends them signals; all that is random comes from one seed."""

    def __init__(self, seed, lasts):
        self.random = random.Random(seed)
        self.lasts = lasts

    def sent(self, argv, number, times=1, group=False, journal=None):
        """A command that gets a signal at some moment: its exit code and all it said.

        ``journal`` is a file: the signal comes soon after it has appeared.
        """
        child = subprocess.Popen(
            argv,
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            preexec_fn=_as_from_a_terminal,
        )
        while journal and child.poll() is None and not os.path.exists(journal):
            pass
        for turn in range(times):
            time.sleep(self.random.uniform(0, self._most(turn, journal)))
            if child.poll() is not None:
                break
            (os.killpg if group else os.kill)(child.pid, number)
        out, talk = child.communicate(timeout=300)
        return child.returncode, out.decode(), talk.decode()

    def _most(self, turn, journal):
        if turn:
            return 0.02
        return 0.003 if journal else 1.1 * self.lasts


def lasts(place):
    """How many seconds a command takes here and now."""
    start = time.monotonic()
    succeeded(place, "apply")
    succeeded(place, "revert")
    return (time.monotonic() - start) / 2


# What CPython makes of a KeyboardInterrupt while it starts, and in the C of an import.
_PYTHONS_OWN = re.compile(
    "Fatal Python error|TypeError: expected a message argument|Could not import runpy module"
    "|^KeyboardInterrupt$"
)


def is_ours(talk):
    """Whether a traceback went through our code; Python's own start and end have some too.

    Two files of ours are there before Ctrl-C can be told to end the process quietly, and
    what comes while an object is taken down is CPython's to tell.
    """
    talk = re.sub(r"Exception ignored in: .*__del__(?s:.*?)KeyboardInterrupt: ?\n", "", talk)
    ours = re.findall(r'"[^"]*/jhpatch/(\S+)"', talk)
    return "Traceback" in talk and bool(set(ours) - {"__init__.py", "__main__.py"})


@pytest.mark.parametrize("how", ["module", "console"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("times, group", [(1, False), (2, False), (1, True)])
def test_a_signal_at_any_moment(place, pictures, tally, thorough, number, how, times, group):
    """The command ends by the signal or says so; the site is exactly before or exactly after.

    What comes next, whichever it is, works; and at the end a revert gives every byte back.
    """
    sender = Sender("%d %s %d %s" % (number, how, times, group), lasts(place))
    form = {"console": how == "console", "env": group}
    after = False
    journal = os.path.join(place.site, ".jhpatch/journal.json")
    for turn in range(84 if thorough else 10):
        argv = place.argv("revert" if after else "apply", **form)
        # Every other one while the change is being made, which is a small part of the time.
        aim = journal if turn % 2 else None
        code, out, talk = sender.sent(argv, number, times, group, aim)
        assert not is_ours(talk), talk
        assert code in (0, 1, -number), (code, out, talk)
        assert code != 1 or _PYTHONS_OWN.search(talk) or "interrupted" in talk, (code, out, talk)
        was, after = after, whole(place, pictures)
        assert code != 0 or after != was
        tally("signal at a random moment")
    answered(place, "revert")
    assert place.picture() == pictures[0]


@pytest.mark.parametrize("console", [False, True], ids=["module", "console"])
def test_ctrl_c_while_it_starts(place, pictures, tally, thorough, console):
    """Whatever is being imported when Ctrl-C comes: no traceback through our files."""
    sender = Sender("start %s" % console, lasts(place) / 3)
    for _ in range(400 if thorough else 40):
        argv = place.argv("status", console=console)
        code, _, talk = sender.sent(argv, signal.SIGINT)
        assert not is_ours(talk), talk
        assert code in (0, 1, 3, -signal.SIGINT), (code, talk)
        tally("signal at a random moment")
    assert place.picture() == pictures[0]


def test_a_json_document_says_interrupted(place, pictures, tally, thorough):
    """Where a document comes out at all, it is whole and has the exit code."""
    sender = Sender("json", lasts(place))
    after = False
    for _ in range(100 if thorough else 15):
        argv = place.argv("revert" if after else "apply", "--json")
        code, out, talk = sender.sent(argv, signal.SIGINT)
        assert not is_ours(talk), talk
        if out:
            said = json.loads(out)
            # CPython ends by the signal, whatever was made of a KeyboardInterrupt that came
            # in an eval() of text, as namedtuple has (unhandled_keyboard_interrupt, pythonrun.c).
            late = code == -signal.SIGINT and "interrupted" in str(said["error"])
            assert said["exit_code"] in (code, 0) or late, (code, said)
        after = whole(place, pictures)
        tally("signal at a random moment")


# A run that stands still.


def _is_locked(site):
    """Whether somebody holds the lock of the site."""
    try:
        fd = os.open(os.path.join(site, ".jhpatch/lock"), os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return False
    except BlockingIOError:
        return True
    finally:
        os.close(fd)


def _stopped_while_it_holds(place):
    """An apply that was stopped (SIGSTOP) while it held the lock; it may take a few tries."""
    for _ in range(50):
        child = subprocess.Popen(
            place.argv("apply"), cwd="/", stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        while child.poll() is None and not _is_locked(place.site):
            pass
        os.kill(child.pid, signal.SIGSTOP)
        if _is_locked(place.site):
            return child
        os.kill(child.pid, signal.SIGCONT)
        child.communicate()
        succeeded(place, "revert")
    raise AssertionError("never caught with the lock")


def test_a_holder_that_stands_still(place, pictures, tally, thorough):
    """Another run waits for --lock-timeout, then gives up with 4; when it goes on, all is well."""
    for _ in range(20 if thorough else 3):
        holder = _stopped_while_it_holds(place)
        try:
            # Stopped before its change, there is nothing to revert; after it, to apply.
            waits = [answered(place, name, "--lock-timeout", "0.1") for name in COMMANDS]
            codes = {outcome.code for outcome in waits}
            assert 4 in codes and codes <= {0, 4}, codes
            assert not any(outcome.document["changed"] for outcome in waits)
            assert answered(place, "status").code in (0, 3, 4)
        finally:
            os.kill(holder.pid, signal.SIGCONT)
            _, talk = holder.communicate(timeout=300)
        assert (holder.returncode, talk) == (0, b"")
        assert whole(place, pictures)
        succeeded(place, "revert")
        assert place.picture() == pictures[0]
        tally("stopped process that holds the lock")


# Outputs.

WORDS = [["--help"]] + [
    [name, *more]
    for name in ("list", "status", "diff", "apply", "revert")
    for more in ([], ["--json"], ["--help"])
]
CODES = {"status": 3}
CLOSED = [(0,), (1,), (2,), (0, 1), (1, 2), (0, 2), (0, 1, 2)]
shown = pytest.mark.parametrize("words", WORDS, ids=" ".join)


def _argv(place, words, **how):
    """The words as a command on the site; ``list`` and help know less of it."""
    if "--help" in words:
        return [place.python, "-I", "-m", "jhpatch", *words]
    return place.argv(*words, **how)


def _code(words):
    return 0 if "--help" in words else CODES.get(words[0], 0)


def _as_it_should_be(place, pictures, words):
    """The command did its work, and no word of it went into a file of the site.

    Leaves the site as the next try of the same command needs it.
    """
    change = {"apply": True, "revert": False}.get(words[0]) if "--help" not in words else None
    after = whole(place, pictures)
    assert change is None or after == change
    assert read(place.site, ".jhpatch/lock") in (b"", None)
    if change is None:
        return
    outcome = succeeded(place, "revert" if change else "apply")
    assert set(outcome.states.values()) == {"pristine" if change else "applied"}
    assert not change or place.picture() == pictures[0]


@pytest.fixture
def ready(place, pictures, words):
    """The site with something to do for the command, and its pictures."""
    if words[0] == "revert":
        succeeded(place, "apply")
    yield place, pictures
    if words[0] in COMMANDS:
        assert answered(place, "revert").code == 0
    assert place.picture() == pictures[0]


@shown
def test_closed_descriptors(ready, tally, words):
    """The first files that are opened get the numbers 0, 1 and 2: no word goes into them."""
    place, pictures = ready
    for closed in CLOSED:
        redirections = " ".join("%d>&-" % number for number in closed)
        done = subprocess.run(
            ["/bin/sh", "-c", 'exec "$@" ' + redirections, "sh"]
            + _argv(place, words, env=len(closed) > 1),
            cwd="/",
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            timeout=300,
        )
        assert (done.returncode, done.stderr) == (_code(words), b""), (closed, done)
        assert bool(done.stdout) == (1 not in closed), (closed, done)
        _as_it_should_be(place, pictures, words)
        tally("closed standard stream")


@shown
def test_a_full_output(ready, tally, words):
    """The work is done, and exit code 1 says that nobody could be told."""
    place, pictures = ready
    for full in (("stdout",), ("stderr",), ("stdout", "stderr")):
        with open("/dev/full", "wb") as device:
            streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
            streams.update(dict.fromkeys(full, device))
            done = subprocess.run(_argv(place, words), cwd="/", timeout=300, **streams)
        assert done.returncode == (1 if "stdout" in full else _code(words)), (full, done)
        if full == ("stdout",):
            assert b"cannot write the result: No space left" in done.stderr, done
            assert done.stderr.count(b"\n") == 1, done
        _as_it_should_be(place, pictures, words)
        tally("full standard stream")


@shown
def test_a_reader_that_dies(ready, tally, words):
    """``| true`` and ``| head -c 1``: the work is done, and it is no failure."""
    place, pictures = ready
    for taken, restored in ((0, True), (1, True), (1, False)):
        reader, writer = os.pipe()
        fcntl.fcntl(writer, 1031, 4096)  # F_SETPIPE_SZ: a page, so that a writer must wait
        child = subprocess.Popen(
            _argv(place, words),
            cwd="/",
            stdout=writer,
            stderr=subprocess.PIPE,
            restore_signals=restored,  # False: SIGPIPE stays ignored, as Python leaves it
        )
        os.close(writer)
        os.read(reader, taken)
        os.close(reader)
        _, talk = child.communicate(timeout=300)
        assert (child.returncode, talk) == (_code(words), b"")
        _as_it_should_be(place, pictures, words)
        tally("pipe whose reader ends")
