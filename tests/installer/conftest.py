"""An environment with two patches, and a patch as a value."""

from testing.notebook_site import env
from tests.installer.small_app import edition, helper

__all__ = ["edition", "env", "helper"]
