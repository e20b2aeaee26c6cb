"""Children that cannot be killed, because a file system does not answer."""

import contextlib
import time
from typing import Dict, Iterator, List, Tuple

from .account import Account
from .errors import Problem
from .process import Child

_MOST = 3
"""For each user; users can mount such a file system themselves (FUSE)."""
_KEPT = 3600  # seconds; then their ids may be those of other processes


class StuckChildren:
    """Counts such children by uid, and limits them: nothing else does in the hub's cgroup."""

    def __init__(self) -> None:
        self._children: Dict[int, List[Tuple[float, Child]]] = {}

    @contextlib.contextmanager
    def watched(self, account: Account, child: Child) -> Iterator[None]:
        """Kill a child at the end of the context, and remember it if it still runs."""
        try:
            with child:
                yield
        finally:
            if child.is_ending() or child.is_stuck():
                self._children.setdefault(account.uid, []).append((time.monotonic(), child))

    def refuse(self, account: Account) -> None:
        """Raise Problem if ``_MOST`` or more children of the user cannot be killed."""
        if len(self._children.get(account.uid, ())) < _MOST:
            return  # most of them will have ended since
        now = time.monotonic()
        stuck = [
            (since, child)
            for since, child in self._children.pop(account.uid)
            if now - since < _KEPT and child.is_stuck()
        ]
        if stuck:
            self._children[account.uid] = stuck
        if len(stuck) >= _MOST:
            message = "%d processes of %s cannot be killed: a file server may be unresponsive"
            raise Problem(message % (len(stuck), account.name))
