"""A fault of the deployed code, as a finding and as an error."""

import pytest

from jhpatch.deployed.reasons import CAUSES, Fault
from jhpatch.errors import jhpatch_command
from jhpatch.report.next_command import Runner
from jhpatch.spark.faults import finding_of, prevents_start, refusal_of

FAULT = Fault("spark-java-missing", "there is no java on PATH")


def test_a_finding():
    """With the cause's severity and meaning, and the user whose it is."""
    finding = finding_of(FAULT, "alice")
    assert (finding.code, finding.severity, finding.user) == (FAULT.code, "error", "alice")
    assert (finding.message, finding.path) == (FAULT.message, None)
    assert finding.why == CAUSES[FAULT.code].why


def test_an_error():
    """Exit code 5, and the same next step."""
    error = refusal_of(FAULT._replace(path="/usr/lib/jvm"))
    assert (error.exit_code, error.path) == (5, "/usr/lib/jvm")
    assert error.next == jhpatch_command("kernelspec", "install", "--java-home", "DIR")


@pytest.mark.parametrize("code", sorted(CAUSES))
def test_no_finding_has_a_command_that_replaces_a_kernel(code):
    """Run as printed, it would drop all other options of the kernel; the step names the kernel."""
    step = finding_of(Fault(code, "x"), kernel="etl").next
    commands = [part for part in step.parts if not isinstance(part, str)]
    assert all("install" not in command.arguments for command in commands)
    if "install with" in Runner().shown(step):
        assert "the other options of the kernel etl and --" in Runner().shown(step)


@pytest.mark.parametrize("code", sorted(CAUSES))
def test_each_next_step_keeps_its_text(code):
    """The command in it is run by this Python; all else is as the deployed code says it."""
    fault = Fault(code, "x", fill={"path": "/p"})
    shown = Runner().shown(finding_of(fault).next)
    assert shown.endswith(fault.next.replace("python -m jhpatch", "-m jhpatch"))


def test_a_warning_does_not_prevent_the_start():
    """An error does."""
    assert prevents_start(FAULT)
    assert not prevents_start(Fault("spark-python-unfit", "x"))
