"""The fixtures of all tests; each is described where it is written."""

from testing.fixtures import handled_interrupt, jhpatch, make_site, unsynced, wheel
from testing.kdc_fixtures import caches, kcm, kdc, keytab, script

__all__ = [
    "caches",
    "handled_interrupt",
    "jhpatch",
    "kcm",
    "kdc",
    "keytab",
    "make_site",
    "script",
    "unsynced",
    "wheel",
]
