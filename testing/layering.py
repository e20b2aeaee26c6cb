"""What each directory of jhpatch/ may import."""

from typing import Dict, Set

ARROWS: Dict[str, Set[str]] = {
    "cli": {"commands", "report", "patchset"},
    "commands": {
        *("installer", "maintenance", "kerberos", "spark", "nginx", "checks"),
        *("report", "patchset", "transaction", "deployed", "system"),
    },
    "installer": {"patchset", "transaction", "report", "system"},
    "maintenance": {"patchset", "system"},
    "kerberos": {"deployed", "checks", "report", "system"},
    "spark": {"deployed", "checks", "report", "system"},
    "nginx": {"checks", "report", "system"},
    "checks": {"report"},
    "report": {"system"},
    "patchset": {"system"},
    "transaction": {"system"},
    "deployed": set(),
    "system": set(),
}
"""For each directory, the others that it may import."""
