"""Run programs such as klist, also as another user, within limits of time and output."""

import os
from typing import Callable, List, Mapping, Optional

from jhpatch.deployed.kerberos import identity, process
from jhpatch.deployed.kerberos.account import Account
from jhpatch.deployed.kerberos.errors import Problem, Unresponsive
from jhpatch.namedtuple import NamedTuple

SEARCH_PATH = process.PATH


class Completed(NamedTuple):
    """How a program ended."""

    exit_code: Optional[int]
    """None if the program was killed at its limit or could not be started."""
    stdout: str
    stderr: str

    @property
    def message(self) -> str:
        """The output of the program, on one line; standard error comes first."""
        return " ".join((self.stderr + " " + self.stdout).split())


Run = Callable[[List[str], float, Optional[Account]], Completed]
"""``run_program`` with an environment: the command, its limit in seconds, and the user."""


def run_program(
    argv: List[str],
    environ: Mapping[str, str],
    seconds: float,
    account: Optional[Account] = None,
) -> Completed:
    """Run a program as the ticket service would: as ``account``, with a clean environment.

    The program has its own session. If it runs for longer than ``seconds``, the whole session is
    killed.
    """
    try:
        become = identity.become(account, seconds) if account else []
        environment = identity.environment_of(account, environ)
        done = process.run(become + argv, environment, seconds)
    except Unresponsive:
        return Completed(None, "", "no answer within %.1f s" % seconds)
    except Problem as problem:
        return Completed(None, "", str(problem))
    return Completed(done.code, done.out.decode("utf-8", "replace"), done.err)


def can_become(account: Account) -> bool:
    """Return whether this process can run programs as that user."""
    return os.geteuid() in (0, account.uid)


def find_program(name: str, search_path: str = SEARCH_PATH) -> Optional[str]:
    """Return the path of a program; None if no directory of ``search_path`` has it."""
    import shutil

    return shutil.which(name, path=search_path)
