"""The documentation pages: their code blocks, and their tables of findings."""

import glob
import os
import re
from typing import Any, Dict, List, Mapping, Tuple

from jhpatch.checks.finding import Line
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
    step = ", ".join(filter(None, step)) if isinstance(step, Line) else step
    parts = getattr(step, "parts", (step or "",))
    text = "".join(part if isinstance(part, str) else _command(part) for part in parts)
    return text.replace("{{", "{").replace("}}", "}").replace("|", "\\|")


def _command(command: Any) -> str:
    runner = ("python", "-m", command.module) if command.module else ()
    runner = command.before + runner
    return " ".join(runner + (("doctor", "...") if command.again else command.arguments))


def text_of(page: str) -> str:
    """Return the text of a page."""
    with open(os.path.join(ROOT, page), encoding="utf-8") as file:
        return file.read()


def blocks(page: str) -> List[Tuple[str, List[str]]]:
    """Return the language and the lines of each fenced block; continued lines are joined."""
    found: List[Tuple[str, List[str]]] = []
    is_open = False
    for line in text_of(page).replace("\\\n", " ").splitlines():
        if line.strip().startswith("```"):
            is_open = not is_open
            if is_open:
                found.append((line.strip()[3:], []))
        elif is_open:
            found[-1][1].append(line.strip())
    return found


def code(page: str) -> List[str]:
    """Return the lines of all fenced blocks of a page, without directives of the site."""
    return [line for language, lines in blocks(page) if language[:1] != "{" for line in lines]


def commands(page: str) -> List[str]:
    """Return the commands of a page: the lines of its ``bash`` blocks, without comments."""
    lines = [line for language, block in blocks(page) if language == "bash" for line in block]
    return [line for line in (line.partition("  #")[0].rstrip() for line in lines) if line]
