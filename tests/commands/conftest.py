"""The KDC of the helper's tests, and hosts with PySpark kernels, for the commands."""

from testing.kernels import as_user, host, install
from tests.deployed.conftest import kdc, reachable, script

__all__ = ["as_user", "host", "install", "kdc", "reachable", "script"]
