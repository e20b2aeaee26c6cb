"""Which kinit programs there are, of which kind, and what is reported of them."""

import os

import pytest

from jhpatch.checks.runner import Deadline
from jhpatch.kerberos import kinit_programs, programs
from jhpatch.kerberos.kinit_programs import KinitProgram
from jhpatch.report.next_command import Runner
from jhpatch.system.path_owners import Writer
from tests.kerberos.findings_of import codes

MIT = KinitProgram("/usr/bin/kinit", "MIT", "1.20.1")
CONDA = KinitProgram("/opt/conda/bin/kinit", "conda", "1.21.3")
HEIMDAL = KinitProgram("/opt/heimdal/bin/kinit", "Heimdal", "7.8.0")
UNTRUSTED = KinitProgram("/opt/bin/kinit", "untrusted", writer=Writer("/opt/bin", 1001, 0o755))


@pytest.mark.parametrize(
    "kinits, expected",
    [
        ((), {"no-kinit"}),
        ((MIT,), set()),
        ((CONDA, MIT), {"kinit-conda", "kinit-several"}),
        ((MIT, CONDA), {"kinit-several"}),
        ((HEIMDAL,), {"kinit-heimdal"}),
        ((UNTRUSTED,), {"kinit-writable"}),
        ((MIT, UNTRUSTED), {"kinit-several"}),
    ],
)
def test_which_kinit_is_used(kinits, expected):
    """The first counts, also if others can write another; a second one is a warning."""
    assert codes(kinit_programs.check_kinits(kinits)) == expected


@pytest.mark.parametrize("kinits", [(MIT, CONDA), (MIT, HEIMDAL), (CONDA, MIT)])
def test_a_kinit_that_is_set_is_the_one(kinits):
    """The administrator has done what the next step says."""
    assert "kinit-several" not in codes(kinit_programs.check_kinits(kinits, True))


def test_the_next_step_names_the_kinit_that_is_used():
    """Of several, the line to write makes users run the hub's."""
    *_, several = kinit_programs.check_kinits((MIT, CONDA))
    assert Runner().shown(several.next) == "c.KerberosTicket.kinit = '/usr/bin/kinit'"


@pytest.fixture
def program(tmp_path):
    """Write programs that print a text: ``program("bin/kinit", "text")``."""

    def write(name, text):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("#!/bin/sh\n%s\n" % ("echo '%s'" % text if text else "exit 1"))
        path.chmod(0o755)
        return str(path)

    return write


def test_kinits_are_found_in_order(program, tmp_path):
    """The configured one comes first; one that two names lead to counts once."""
    one, two = program("one/kinit", "x"), program("two/kinit", "x")
    (tmp_path / "three").mkdir()
    (tmp_path / "three/kinit").symlink_to(one)
    search_path = "%s:relative:%s" % (os.path.dirname(one), tmp_path / "three")
    found = kinit_programs.find_kinits(two, search_path)
    assert found[:2] == (two, one) and str(tmp_path / "three/kinit") not in found
    assert kinit_programs.find_kinits("", search_path)[-1] == one
    assert kinit_programs.find_kinits("/nowhere/kinit", search_path) == ()


def test_usr_bin_comes_first_unless_another_is_configured(program):
    """The deployed code takes /usr/bin/kinit before it searches PATH."""
    if not os.access("/usr/bin/kinit", os.X_OK):
        pytest.skip("no /usr/bin/kinit here")
    path = os.path.dirname(program("bin/kinit", "x"))
    assert kinit_programs.find_kinits("", path)[0] == "/usr/bin/kinit"


@pytest.mark.parametrize(
    "klist, kinit, is_conda, expected",
    [
        ("Kerberos 5 version 1.20.1", "", False, ("MIT", "1.20.1")),
        ("Kerberos 5 version 1.21.3", "", True, ("conda", "1.21.3")),
        ("", "kinit (Heimdal 7.8.0)", False, ("Heimdal", "7.8.0")),
        ("", "", False, ("MIT", "")),
    ],
)
def test_a_kinit_is_identified(program, tmp_path, klist, kinit, is_conda, expected):
    """It is told by klist beside it, by its own version and by its directory."""
    program("bin/klist", klist)
    path = program("bin/kinit", kinit)
    if is_conda:
        (tmp_path / "conda-meta").mkdir()

    def run(argv, seconds, account):
        return programs.run_program(argv, {}, 5, account)

    identified = kinit_programs.identify(path, run, Deadline(300))
    assert (identified.path, identified.kind, identified.version) == (path, *expected)


@pytest.mark.skipif(os.geteuid() != 0, reason="takes root")
def test_root_runs_no_kinit_that_others_can_write(program):
    """Neither it nor the klist beside it is run; the writer is named."""
    path = program("bin/kinit", "x")
    os.chmod(path, 0o777)

    def run(argv, seconds, account):
        raise AssertionError("%s was run" % argv[0])

    identified = kinit_programs.identify(path, run, Deadline(300))
    assert (identified.kind, identified.writer) == ("untrusted", Writer(path, 0, 0o777))
    assert not kinit_programs.is_trusted(path)
