"""The tests for mutate.py: which ones execute a line, and how some of them are run.

It is a plugin of pytest as well: it attributes lines to tests, and chooses the tests of a run.
"""

import collections
import json
import os
import shutil
import subprocess
import sys

import pytest

SPEEDS = ("not slow", "slow")
"""The values of pytest's ``-m``: two runs, since fsync(2) returns at once in the first only."""
TESTS = "JHPATCH_MUTATION_TESTS"
"""A variable: the path of a list of the tests to run, in their order."""
_SECONDS = "JHPATCH_MUTATION_SECONDS"
"""A variable: the path for the seconds of each test that passed."""
_LIMIT = 300  # seconds of a test: a mutation can make a loop endless
_SETTINGS = """\
[run]
include =
    {checkout}/jhpatch/*
    */_jhpatch_kerberos/*
parallel = true
data_file = {data}/lines
context = ${{PYTEST_CURRENT_TEST-}}
patch = _exit
[paths]
kerberos =
    {checkout}/jhpatch/deployed/kerberos
    */_jhpatch_kerberos
"""


def command(directory, checkout, *arguments):
    """Return the command for pytest on a copy; with its end, all of its processes end."""
    isolated = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"]
    isolated += ["sh", "-c", '"$@"; exit $?', "sh"]  # a first process that reaps orphans
    base = os.path.join(directory, "tmp-" + os.path.basename(checkout))
    shutil.rmtree(base, ignore_errors=True)
    return [
        *(isolated if os.getuid() == 0 else []),
        *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", __name__),
        *("--basetemp", base, "--timeout", str(_LIMIT), *arguments),
    ]


def measure(directory, checkout, jobs, tests="tests"):
    """Run tests; write which lines each of them executes, and the seconds that it takes."""
    data, settings = os.path.join(directory, "data"), os.path.join(directory, "coveragerc")
    shutil.rmtree(data, ignore_errors=True)
    os.mkdir(data)
    os.chmod(data, 0o1777)  # tests become other users
    with open(settings, "w", encoding="utf-8") as file:
        file.write(_SETTINGS.format(data=data, checkout=checkout))
    for speed in SPEEDS:
        environment = dict(os.environ, PYTHONPATH=checkout, COVERAGE_PROCESS_START=settings)
        environment[_SECONDS] = _path_of_seconds(directory, speed)
        argv = command(directory, checkout, "-n", str(jobs), "-m", speed, tests)
        subprocess.call(argv, cwd=checkout, env=environment)
    combine = [sys.executable, "-m", "coverage", "combine", "-q", "--rcfile", settings]
    subprocess.check_call(combine, cwd=checkout)


def is_measured(directory):
    """Return whether ``measure`` has ended."""
    return os.path.exists(os.path.join(directory, "data", "lines"))


def tests_of_lines(directory, checkout):
    """Return the tests that execute each line: ``{path: {line: {tests}}}``."""
    from coverage import CoverageData

    data = CoverageData(os.path.join(directory, "data", "lines"))
    data.read()
    tests = collections.defaultdict(lambda: collections.defaultdict(set))
    for path in data.measured_files():
        for line, contexts in data.contexts_by_lineno(path).items():
            # pytest's variable has the phase behind the name: " (call)".
            names = {name.rsplit(" (", 1)[0] for name in contexts}
            tests[os.path.relpath(path, checkout)][line] |= names - {""}
    return tests


def seconds_of_tests(directory):
    """Return the seconds of each test that passed, by the value of ``-m``."""
    seconds = {}
    for speed in SPEEDS:
        with open(_path_of_seconds(directory, speed), encoding="utf-8") as file:
            seconds[speed] = json.load(file)
    return seconds


def _path_of_seconds(directory, speed):
    return os.path.join(directory, speed.replace(" ", "-") + ".json")


# Inside of pytest.


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_protocol(item):
    """Attribute the lines to a test that it executes, with its fixtures."""
    _attribute(item.nodeid)
    yield
    _attribute("")


def _attribute(name):
    if _SECONDS in os.environ:
        from coverage import Coverage

        Coverage.current().switch_context(name)


def pytest_collection_modifyitems(items):
    """Keep the chosen tests only, in their order."""
    if TESTS in os.environ:
        with open(os.environ[TESTS], encoding="utf-8") as file:
            rank = {name: place for place, name in enumerate(json.load(file))}
        chosen = [item for item in items if item.nodeid in rank]
        items[:] = sorted(chosen, key=lambda item: rank[item.nodeid])


class _Seconds:
    """The seconds of each test that passed."""

    def __init__(self):
        self.seconds, self.wrong = {}, set()

    def pytest_runtest_logreport(self, report):
        name = report.nodeid
        self.seconds[name] = self.seconds.get(name, 0) + report.duration
        if report.outcome != "passed":
            self.wrong.add(name)

    def pytest_sessionfinish(self):
        passed = {name: took for name, took in self.seconds.items() if name not in self.wrong}
        with open(os.environ[_SECONDS], "w", encoding="utf-8") as file:
            json.dump(passed, file)


def pytest_configure(config):
    """Count the seconds in the process that hears of all tests."""
    if _SECONDS in os.environ and not hasattr(config, "workerinput"):
        config.pluginmanager.register(_Seconds())
