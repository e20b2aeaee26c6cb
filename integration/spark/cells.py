"""What the tests run in a kernel."""

from testing.kernels import RunningKernel

LIMIT = 300  # seconds, that only a hang reaches


def printed(notebook: RunningKernel, code: str) -> str:
    """What a cell prints, without Spark's bar and its warnings."""
    return str(notebook.run(code, LIMIT, streams=("stdout",))).strip()
