"""The KDC of the helper's tests, for the commands that look at tickets."""

from tests.deployed.conftest import kdc, reachable, script

__all__ = ["kdc", "reachable", "script"]
