"""The stack as upstream has it, with a PySpark kernel and no ticket."""

from integration.e2e.client import Browser
from integration.e2e.hub import running
from integration.e2e.stacks import Stack
from integration.e2e.world import PASSWORDS
from integration.hadoop.kernels import Kernels
from integration.hadoop.scene import START


def test_check_says_that_there_is_no_ticket_before_any_jvm_starts(
    unpatched: Stack, kernels: Kernels
) -> None:
    """One finding, with the next step, and no wait for the cluster."""
    found = kernels.check("pyspark", "alice", 120, {})
    assert found.codes == ["spark-no-ticket"] and found.exit_code == 3
    assert "kinit" in found.findings[0]["next"]


def test_without_the_patches_the_first_cell_says_why_there_is_no_spark(
    unpatched: Stack, scratch: str, kernels: Kernels
) -> None:
    """A notebook of the unpatched hub: cause and next step, and `spark` says the same."""
    with running(unpatched, scratch + "/before") as hub:
        browser = Browser(hub, "alice")
        browser.login(PASSWORDS["alice"])
        browser.spawn()
        browser.save("before.ipynb")
        browser.open("before.ipynb")
        with browser.start_kernel("pyspark") as kernel:
            first = kernel.run("print('first')", START)
            assert "[spark-no-ticket]" in first and "kinit" in first, first
            assert "first" in first.splitlines()[-1]
            assert "[spark-no-ticket]" in kernel.run("spark.range(1).count()", START)
    assert kernels.cluster.applications() == []
