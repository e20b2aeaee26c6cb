"""An environment with two patches."""

from testing.notebook_site import env

__all__ = ["env"]
