"""A callback of Ansible's that writes each task's result as one line of JSON."""

import json
import os

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: recorded
type: aggregate
short_description: writes each task's result as one line of JSON
description: To the file that JHPATCH_RECORDED names.
"""


class CallbackModule(CallbackBase):
    """``{"host", "task", "outcome", "result"}`` for each host of each task."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "recorded"

    def _record(self, outcome, result):
        row = {
            "host": result._host.get_name(),
            "task": result._task.get_name().split(" : ")[-1],
            "outcome": outcome,
            "result": result._result,
        }
        with open(os.environ["JHPATCH_RECORDED"], "a") as file:
            file.write(json.dumps(row, default=str) + "\n")

    def v2_runner_on_ok(self, result):
        """A task that did its job."""
        self._record("ok", result)

    def v2_runner_on_failed(self, result, ignore_errors=False):
        """A task that did not; a block may rescue it."""
        self._record("failed", result)

    def v2_runner_on_unreachable(self, result):
        """A host that is not there."""
        self._record("unreachable", result)
