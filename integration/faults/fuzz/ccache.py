"""A Kerberos cache file: ``python fuzz/ccache.py CORPUS -max_total_time=60``.

Any bytes are a ticket, none, or Malformed.
"""

import os
import sys

if __name__ == "__main__":
    sys.path[0] = os.path.abspath(os.path.join(os.path.dirname(__file__), *[os.pardir] * 3))

from integration.faults.fuzz import driver


def target():
    """Gives the check."""
    from jhpatch.deployed.kerberos.ccache import Malformed, Ticket, read_cache

    def check(data):
        try:
            found = read_cache(data)
        except Malformed:
            return
        if found is None:
            return
        assert isinstance(found, Ticket) and "@" in found.principal
        # A time of 32 bits and an offset of 31 either way.
        for moment in found[1:4]:
            assert -(2**32) < moment < 2**33
        # What lies behind a whole cache cuts it short, and never changes what was found.
        try:
            assert read_cache(data + b"\0") is None
        except Malformed:
            pass

    return check


if __name__ == "__main__":
    driver.fuzz(target, ["jhpatch.deployed.kerberos.ccache"])
