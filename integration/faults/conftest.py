"""How many faults of each class were made, and how thoroughly: a few minutes, or everything."""

import contextlib
import io
import os
import platform
import re

import pytest

from integration.faults import lab as lab_
from testing.sites import make_environment

_BEGIN, _END = "<!-- counted -->\n", "<!-- /counted -->\n"


def pytest_addoption(parser):
    """``--long`` makes every fault; ``--report FILE`` writes the table into a page."""
    parser.addoption("--long", action="store_true", help="every fault, not a selection")
    parser.addoption("--report", metavar="FILE", help="write the counters into this page")


def pytest_generate_tests(metafunc):
    """Divide the calls of a scenario among tests side by side: ``share`` of ``shares``.

    Each counts the calls again, so without --long these are few.
    """
    if "shares" in metafunc.fixturenames:
        count = 8 if metafunc.config.getoption("--long") else 2
        metafunc.parametrize("share, shares", [(share, count) for share in range(count)])


@pytest.fixture(scope="session")
def thorough(request):
    """Whether every fault is to be made; a selection that takes a few minutes otherwise."""
    return request.config.getoption("--long")


@pytest.fixture
def tally(request):
    """Counts faults that really happened: ``tally("kill -9 at a system call: apply")``.

    One call a fault, or a number of them, each after it was checked. The last word of a
    run is a table, a row a class; what a failed test had counted is shown as failed.
    """

    def count(fault, number=1):
        request.node.user_properties.append((fault, number))

    return count


def counted(stats):
    """Rows of class, faults made, tests and failed tests, from the reports of a run."""
    rows = {}
    for outcome in ("passed", "failed", "error"):
        for report in stats.get(outcome, []):
            for fault in {fault for fault, _ in report.user_properties}:
                made = sum(number for name, number in report.user_properties if name == fault)
                old = rows.get(fault, (0, 0, 0))
                bad = int(outcome != "passed")
                rows[fault] = (old[0] + made, old[1] + 1, old[2] + bad)
    return [(fault,) + rows[fault] for fault in sorted(rows)]


def table(rows):
    """The rows as Markdown."""
    lines = ["| class of fault | made | tests | failed |", "|---|---|---|---|"]
    lines += ["| %s | %d | %d | %d |" % row for row in rows]
    return "\n".join(lines) + "\n"


def pytest_terminal_summary(terminalreporter, exitstatus, config):
    """The table, and into the page where one was named and the run came to its end."""
    rows = counted(
        {
            outcome: [one for one in reports if getattr(one, "when", "call") == "call"]
            for outcome, reports in terminalreporter.stats.items()
        }
    )
    if rows:
        terminalreporter.write_line(table(rows))
    page = config.getoption("--report")
    if rows and page and exitstatus in (0, 1):
        with open(page, encoding="utf-8") as file:
            text = file.read()
        name = "faults-long" if config.getoption("--long") else "faults"
        system, kernel = os.uname()[0:3:2]
        where = "Python %s, %s %s" % (platform.python_version(), system, kernel.split("-")[0])
        head = "Of `%s`, on %s." % (name, where)
        old = _rows_of(text) if head in text else {}
        old.update((row[0], row) for row in rows)
        made = "%s%s\n\n%s%s" % (_BEGIN, head, table(old[fault] for fault in sorted(old)), _END)
        text = re.sub(_BEGIN + ".*?" + _END, lambda match: made, text, flags=re.S)
        with open(page, "w", encoding="utf-8") as file:
            file.write(text)


def _rows_of(text):
    """The rows of a page's table by their class: a part that runs again replaces its own."""
    made = text.partition(_BEGIN)[2].partition(_END)[0]
    found = re.findall(r"^\| (.+?) \| (\d+) \| (\d+) \| (\d+) \|$", made, re.M)
    return {fault: (fault, *map(int, numbers)) for fault, *numbers in found}


@pytest.fixture(scope="session")
def run():
    """Runs a jhpatch command in this process, for its exit code."""

    def call(*arguments):
        from jhpatch.cli.main import main

        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            return main(list(arguments))

    return call


@pytest.fixture(scope="session")
def lab(tmp_path_factory, run):
    """A real site, as pip left it and patched."""
    folder = str(tmp_path_factory.mktemp("lab"))
    environment = make_environment(os.path.join(folder, "env"), [lab_.RELEASE], slim=True)
    return lab_.build(folder, environment.site, run)


@pytest.fixture(scope="session")
def package_lab(tmp_path_factory, run):
    """A small site whose patches add a package, and add it in place of an older helper."""
    return lab_.build_with_packages(str(tmp_path_factory.mktemp("packages")), run)


@pytest.fixture
def scenario_lab(request, scenario):
    """The lab of a scenario."""
    return request.getfixturevalue("package_lab" if scenario.packages else "lab")
