"""The tables of findings on the pages for people, beside those of the code."""

import os
import re
from typing import Any, Dict, Mapping, Tuple

from tests.conftest import ROOT

_ROW = re.compile(r"^\| `([\w.-]+)` \| (\w+) \| (.+?) \| (.*?) \|$", re.M)


def table_of(page: str) -> Dict[str, Tuple[str, str, str]]:
    """Severity, meaning and next step of each code on a page of docs/; no code stands twice."""
    with open(os.path.join(ROOT, "docs", page), encoding="utf-8") as file:
        rows = _ROW.findall(file.read())
    found = {code: (severity, why, step.strip("`")) for code, severity, why, step in rows}
    assert len(rows) == len(found)
    return found


def documented(kinds: Mapping[str, Any]) -> Dict[str, Tuple[str, str, str]]:
    """The same of the code's own table, as a page shows it."""
    return {code: (one.severity, one.why, _shown(one.next)) for code, one in kinds.items()}


def _shown(step: str) -> str:
    return step.replace("{{", "{").replace("}}", "}").replace("|", "\\|")
