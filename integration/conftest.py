"""The fixtures of all integration tests; each is described where it is written."""

from testing.fixtures import handled_interrupt, jhpatch, make_site, wheel

__all__ = ["handled_interrupt", "jhpatch", "make_site", "wheel"]
