"""The interpreters of this machine, each a child that compiles what it is sent."""

import json
import subprocess
from typing import Any, Dict, List, Optional, Tuple

PYTHONS = ["3.%d" % minor for minor in range(6, 14)]

_CHILD = """
import json, sys, warnings
warnings.simplefilter("ignore")  # upstream's own old escapes
for line in sys.stdin:
    path, source = json.loads(line)
    try:
        compile(source.encode("latin-1"), path, "exec", dont_inherit=True)
        error = None
    except (SyntaxError, ValueError) as found:
        error = str(found)
    print(json.dumps(error), flush=True)
"""


class Compiler:
    """One interpreter; what it has compiled already is remembered."""

    def __init__(self, executable: str) -> None:
        self._child = subprocess.Popen(
            [executable, "-I", "-c", _CHILD], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self._known: Dict[Tuple[str, bytes], Optional[str]] = {}

    def error(self, path: str, source: bytes) -> Optional[str]:
        """Why it does not compile; None where it does."""
        if (path, source) not in self._known:
            child: Any = self._child
            line = json.dumps([path, source.decode("latin-1")]) + "\n"
            child.stdin.write(line.encode())
            child.stdin.flush()
            self._known[path, source] = json.loads(child.stdout.readline().decode())
        return self._known[path, source]

    def close(self) -> None:
        """Lets the child end."""
        self._child.communicate()


def supported(requires_python: str) -> List[str]:
    """Those of ``PYTHONS`` that a release allows, the oldest first."""
    from packaging.specifiers import SpecifierSet

    allowed = SpecifierSet(requires_python)
    return [version for version in PYTHONS if allowed.contains(version + ".99")]
