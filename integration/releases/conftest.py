"""Before the releases: their wheels. After them: how many there were."""

import pytest

from integration.releases.compilers import PYTHONS, Compiler
from integration.releases.prefetch import prefetch
from testing.pythons import interpreter

ONE_EACH = "test_releases.py::test_release["
"""The test that a release is counted by."""


def pytest_collection_finish(session):
    """Only what the chosen tests need."""
    if not session.config.option.collectonly:
        params = [item.callspec.params for item in session.items if hasattr(item, "callspec")]
        prefetch([(one["name"], one["version"]) for one in params if "version" in one])


def pytest_terminal_summary(terminalreporter):
    """The last word, with or without xdist: ``releases: N tried, M passed``."""
    reports = {
        outcome: {
            report.nodeid
            for report in terminalreporter.stats.get(outcome, [])
            if ONE_EACH in report.nodeid
        }
        for outcome in ("passed", "failed", "error")
    }
    bad = reports["failed"] | reports["error"]
    tried = reports["passed"] | bad
    terminalreporter.write_line("releases: %d tried, %d passed" % (len(tried), len(tried - bad)))


@pytest.fixture(scope="session")
def compilers():
    """The Pythons of this machine by version (``3.6``), each in a child of its own."""
    found = {version: interpreter(version) for version in PYTHONS}
    made = {version: Compiler(path) for version, path in found.items() if path}
    yield made
    for one in made.values():
        one.close()
