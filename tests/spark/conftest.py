"""A host with kernels, for the tests that start one."""

from testing.kernels import as_user, host, install
from tests.deployed.conftest import script

__all__ = ["as_user", "host", "install", "script"]
