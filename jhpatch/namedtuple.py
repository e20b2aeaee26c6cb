"""``NamedTuple``, which the deployed code has too (deployed/kerberos/namedtuple.py)."""

from jhpatch.deployed.kerberos.namedtuple import NamedTuple as NamedTuple
