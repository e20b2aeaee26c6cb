"""A bounded child: its deadline, its output, its end; nothing of it is left."""

import os
import resource
import signal
import sys
import threading
import time

import pytest

from jhpatch.deployed.kerberos import process
from jhpatch.deployed.kerberos.errors import Problem, Unresponsive
from jhpatch.deployed.kerberos.process import Child, TooMuchOutput, run
from testing.waiting import until

ENVIRONMENT = {"PATH": os.defpath}
LONG = 60.0  # seconds; a limit that only a hang reaches


def shell(text, seconds=LONG):
    """A child that runs a script, until a deadline."""
    return Child(["/bin/sh", "-c", text], ENVIRONMENT, time.monotonic() + seconds)


def descriptors():
    """The open descriptors of this process; those of an earlier test may be closed at any time."""
    return {
        (number, os.readlink("/proc/self/fd/" + number))
        for number in os.listdir("/proc/self/fd")
        if os.path.lexists("/proc/self/fd/" + number)
    }


def is_running(pid):
    """Whether a process exists and is no zombie."""
    try:
        with open("/proc/%d/stat" % pid) as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


# Output and input.


@pytest.mark.parametrize("to", ["1", "2"])
def test_what_a_child_writes_has_an_end(to):
    """Whoever can write into the pipe of a child fills no hub; the child is killed."""
    with pytest.raises(TooMuchOutput) as problem:
        run(["sh", "-c", "yes >&" + to], ENVIRONMENT, LONG)
    assert "wrote more than" in str(problem.value)


def test_both_pipes_count_together():
    """Half of the cap on each, and a little more."""
    half = process.OUTPUT_CAP // 2
    text = "head -c %d /dev/zero; head -c %d /dev/zero >&2"
    assert len(run(["sh", "-c", text % (half, half)], ENVIRONMENT, LONG).out) == half
    with pytest.raises(TooMuchOutput):
        run(["sh", "-c", text % (half, half + 1)], ENVIRONMENT, LONG)


@pytest.mark.parametrize("wait", ["line", "errors", "finish"])
@pytest.mark.parametrize("to", ["1", "2"])
def test_a_flood_ends_each_wait(wait, to):
    """Whatever the hub waits for meanwhile: a line, standard error, the end."""
    with shell("tr '\\0' x </dev/zero >&" + to) as child:
        child.close_input()
        with pytest.raises(TooMuchOutput):
            while True:
                getattr(child, wait)()


def test_a_child_that_writes_byte_by_byte_is_read_seldom():
    """It would keep a processor of the hub busy until its deadline."""
    with shell("while :; do printf x; done", 1.5) as child:
        with pytest.raises(Problem):  # the deadline or, where the child is quick, the cap
            child.line()
    assert child._reads < process._FREE_READS + 1.5 / process._PAUSE + 10


def test_a_child_gets_its_input_and_gives_its_output():
    """More than a pipe holds, both ways at once."""
    data = os.urandom(500000)
    with Child(["/bin/cat"], ENVIRONMENT, time.monotonic() + LONG) as child:
        child.send(data, close=True)
        assert child.finish() == (0, data, "")


def test_lines_come_one_by_one():
    """A line that has no end counts as none; what follows a line stays for ``finish``."""
    with shell("echo a; echo; echo b >&2; read word; echo $word; printf rest; exit 3") as child:
        assert (child.line(), child.line()) == (b"a", b"")
        until(lambda: child.errors() == "b" or None)
        child.send(b"word\n")
        assert child.line() == b"word"
        assert child.line() is None
        assert child.finish() == (3, b"rest", "")


def test_input_that_nobody_reads_is_dropped():
    """A child that closes its input or ends early is no error of the one who writes."""
    for text in ("exit 3", "exec <&-; exit 3"):
        with shell(text) as child:
            child.send(b"x" * 500000, close=True)
            assert child.finish().code == 3


# The deadline.


@pytest.mark.parametrize(
    "text",
    ["sleep 600", "exec >&- 2>&-; sleep 600", "trap '' TERM; sleep 600; sleep 600", "sleep 600 &"],
)
def test_no_wait_is_longer_than_the_deadline(text):
    """Pipes open or closed, signals ignored, or a pipe that another process holds."""
    for wait in ("line", "finish"):
        with shell(text, 0.3) as child:
            with pytest.raises(Unresponsive) as problem:
                while getattr(child, wait)() is None:
                    child.finish()
            assert "no answer within " in str(problem.value)


def test_a_child_that_reads_nothing_is_unresponsive():
    """A pipe is full; who writes into it waits until the deadline, and no longer."""
    with shell("sleep 600", 0.3) as child:
        with pytest.raises(Unresponsive):
            child.send(b"x" * 500000)


def test_a_child_that_was_stopped_is_killed():
    """A user can stop their own process."""
    with shell("kill -STOP $$", 0.3) as child:
        with pytest.raises(Unresponsive):
            child.line()
    assert child._popen.returncode == -signal.SIGKILL


def test_a_deadline_that_has_passed_starts_and_ends_a_child():
    """Nothing is left to wait for; nothing stays."""
    with shell("sleep 600", -1) as child:
        with pytest.raises(Unresponsive):
            child.finish()
    assert child._popen.returncode is not None


@pytest.mark.parametrize("text", ["sleep 600", "exec >&- 2>&-; sleep 600"])
def test_a_slow_child_is_told_once(text):
    """What waits for it suspects the KDC before the deadline."""
    called = []
    with shell(text, 0.8) as child:
        child.watch(0.1, lambda: called.append(True))
        with pytest.raises(Unresponsive):
            child.finish()
    assert called == [True]


# The end.


def test_the_whole_session_is_killed(tmp_path):
    """The child, and what it has started, also when those ignore SIGTERM."""
    pids = tmp_path / "pids"
    text = "trap '' TERM; sh -c 'echo $$; exec sleep 600' & echo $$; sleep 600"
    with shell(text, LONG) as child:
        found = [int(child.line()), int(child.line())]
    until(lambda: not any(map(is_running, found)))
    assert not pids.exists()


@pytest.mark.parametrize("has_files", [True, False])
def test_a_child_with_files_can_remove_them(tmp_path, has_files):
    """It is sent SIGTERM first; another one is killed at once."""
    path = tmp_path / "file"
    text = "trap 'exit 1' TERM; trap 'rm -f %s' EXIT; : >%s; echo; read word" % (path, path)
    with shell(text) as child:
        child.has_files = has_files
        child.line()
    assert path.exists() is not has_files


@pytest.mark.parametrize("name", ["program", "a) Z 1 2"])
def test_a_child_is_over_when_it_has_ended(tmp_path, name):
    """Before it is waited for, and not sooner; its name may look like its state (proc(5))."""
    program = tmp_path / name
    program.write_text("#!/bin/sh\nread word\n")
    program.chmod(0o755)
    with Child([str(program)], ENVIRONMENT, time.monotonic() + LONG) as child:
        assert not child.is_over()
        child.close_input()
        until(child.is_over)
        assert child._popen.returncode is None


def test_a_child_cannot_delay_its_end(tmp_path):
    """A trap that never ends is cut off."""
    with shell("trap 'sleep 600' TERM; echo; sleep 600; sleep 600") as child:
        child.has_files = True
        child.line()
    assert child._popen.returncode == -signal.SIGKILL


def test_nothing_is_left_of_a_child():
    """No descriptor, no zombie: success, failure, a flood, a deadline, no such program."""
    before = descriptors()
    children = []
    for text, seconds in (("exit 0", LONG), ("exit 3", LONG), ("yes", LONG), ("sleep 9", 0.1)):
        try:
            with shell(text, seconds) as child:
                children.append(child._popen.pid)
                child.finish()
        except Problem:
            pass
    for argv in (
        ["/nowhere/program"],
        ["/etc/passwd"],
        ["/bin/echo", "a\0b"],
        ["/bin/echo", "\ud800"],
    ):
        with pytest.raises(Problem) as problem:
            run(argv, ENVIRONMENT, LONG)
        assert argv[0] in str(problem.value)
    assert not descriptors() - before and not process._running
    for pid in children:
        with pytest.raises(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)


def test_a_process_without_free_descriptors_starts_no_child():
    """A Problem, whichever of the descriptors cannot be had, and no child that stays."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    holes = [os.open("/dev/null", os.O_RDONLY)]
    while holes[-1] <= max(int(number) for number, _ in descriptors() if int(number) != holes[-1]):
        holes.append(os.open("/dev/null", os.O_RDONLY))
    before, used, refused = descriptors(), holes[-1] + 1, 0
    try:
        for free in range(24):
            resource.setrlimit(resource.RLIMIT_NOFILE, (used + free, hard))
            try:
                assert run(["/bin/true"], ENVIRONMENT, LONG).code == 0
            except Problem:
                refused += 1
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        after = descriptors()
        for number in holes:
            os.close(number)
    assert 0 < refused < 24
    assert not {number for number, _ in after} - {number for number, _ in before}


def test_the_hubs_end_kills_every_child():
    """All at once: a stubborn one delays the others' end by nothing."""
    ended = []

    def wait(text):
        with shell(text) as child:
            child.has_files = True
            started.release()
            child.finish()
        ended.append(child._popen.returncode)

    started = threading.Semaphore(0)
    texts = ["trap '' TERM; sleep 600; sleep 600"] * 8 + ["sleep 600"] * 4
    threads = [threading.Thread(target=wait, args=(text,)) for text in texts]
    for thread in threads:
        thread.start()
        started.acquire()
    until(lambda: len(process._running) == len(texts))
    process.kill_all()
    for thread in threads:
        thread.join(300)
    assert len(ended) == len(texts) and all(code < 0 for code in ended)


def test_a_child_has_a_session_and_a_directory_of_its_own():
    """No terminal to ask for a password on, and no file system of the hub's to hold."""
    code = "import os; print(os.getsid(0) == os.getpid(), os.getcwd())"
    assert run([sys.executable, "-c", code], ENVIRONMENT, LONG).out == b"True /\n"
