"""What the commands work on: an environment, a user's tickets, a host with a Spark."""

from testing.doctor import doctor_of, of_user, users_keytab
from testing.kernels import as_user, host, install
from testing.notebook_site import env, other_jhpatch
from testing.packages import create
from testing.tickets import home, kinit, server

__all__ = [
    "as_user",
    "create",
    "doctor_of",
    "env",
    "home",
    "host",
    "install",
    "kinit",
    "of_user",
    "other_jhpatch",
    "server",
    "users_keytab",
]
