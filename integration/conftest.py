"""The fixtures of all integration tests; each is described where it is written."""

from testing.sites import jhpatch, make_site, wheel

__all__ = ["jhpatch", "make_site", "wheel"]
