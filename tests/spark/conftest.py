"""A host with kernels, for the tests that start one."""

from testing.kernels import as_user, host, install

__all__ = ["as_user", "host", "install"]
