"""The documentation pages: their code blocks, and their tables of findings."""

import glob
import os
import re
from typing import Any, Dict, List, Mapping, Tuple

from testing import ROOT

PAGES = sorted(
    os.path.relpath(path, ROOT)
    for pattern in ("*.md", "docs/*.md", "docs/*/*.md", "patches/*.md", "deploy/**/*.md")
    for path in glob.glob(os.path.join(ROOT, pattern), recursive=True)
)
_ROW = re.compile(r"^\| `([\w.-]+)` \| (\w+) \| (.+?) \| (.*?) \|$", re.M)


def table_of(page: str) -> Dict[str, Tuple[str, str, str]]:
    """Return severity, meaning and next step of each code in a page; each code stands once."""
    with open(os.path.join(ROOT, "docs", page), encoding="utf-8") as file:
        rows = _ROW.findall(file.read())
    found = {code: (severity, why, step.strip("`")) for code, severity, why, step in rows}
    assert len(rows) == len(found)
    return found


def documented(kinds: Mapping[str, Any]) -> Dict[str, Tuple[str, str, str]]:
    """Return the same of a table in the code, as a page shows it."""
    return {code: (one.severity, one.why, _shown(one.next)) for code, one in kinds.items()}


def _shown(step: Any) -> str:
    """A next step with its {fields} as they stand, unquoted."""
    parts = getattr(step, "parts", (step or "",))
    text = "".join(part if isinstance(part, str) else _command(part) for part in parts)
    return text.replace("{{", "{").replace("}}", "}").replace("|", "\\|")


def _command(command: Any) -> str:
    runner = ("python", *command.flags, "-m", command.module) if command.module else ()
    return " ".join(runner + command.arguments)


def text_of(page: str) -> str:
    """Return the text of a page."""
    with open(os.path.join(ROOT, page), encoding="utf-8") as file:
        return file.read()


def code(page: str) -> List[str]:
    """Return the lines of a page's code blocks, indented or fenced, continued lines as one."""
    fenced, lines = False, []
    for line in text_of(page).replace("\\\n", " ").splitlines():
        if line.startswith("```"):
            fenced = not fenced
        elif fenced or line.startswith("    "):
            lines.append(line.strip())
    return lines
