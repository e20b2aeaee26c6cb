"""Find banned words in pages, patch headers, and the docstrings and comments of jhpatch/.

``python tools/words.py``; exit code 1 if there are any.
"""

import ast
import glob
import io
import os
import re
import sys
import tokenize

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PAGES = ("*.md", "docs/*.md", "docs/*/*.md", "patches/*.md", "deploy/**/*.md")
MODULES = "jhpatch/**/*.py"
PATCHES = "patches/*/*.patch"
# From the program's help.
OTHERS = ("docs/commands.md",)
# What to write instead of a regular expression; docs/glossary.md has the terms.
INSTEAD = {
    "obtain, acquire": r"got(ten)?\b|gets? (a |the |their |no |new |fresh )?tickets?",
    "reverse proxy, nginx site": r"(the|a|nginx) front\b(?!(?: |-)ends?)",
    "renewal thread, renewer": r"keepers?\b",
    "directory": r"folders?\b",
    "module, space": r"rooms?\b",
    "untested release": r"unlisted release",
    "port, create": r"(carr(y|ies|ied)|cuts?) (a |the |it |each )?(patch|edition)",
    "vulnerability, configuration, deployment file": r"holes?\b|recipes?\b",
    "unresponsive KDC": r"silent KDCs?|KDC that is silent",
    "terminates TLS": r"ends TLS",
    "can be given more than once": r"may repeat",
    "authenticate, allow": r"lets? (\w+ ){1,2}in\b(?! the)|let in\b",
    "restore": r"(gives?|given|gave)( \w+){0,3} back\b",
    "remove, delete": r"(takes?|taken|took)( \w+){0,3} away\b",
    "sibling subdomain": r"sibling names?",
    "your own, owned by root": r"of (one|root|jhpatch|hers|ours)('s)? own\b(?! [a-z])",
    "stale files": r"litter|leftovers?|left over",
    "no user, every user, another user": r"(no|every|any|some)body\b",
    "they, their": r"he\b|his\b|him\b",
    "must be removed first": r"wants? to go",
    "prints, reports, specifies; logged": r"says?\b|said\b|told\b",
    "inspects, reads, watches": r"look(s|ed) at\b|looks after\b",
    "plain words": r"newcomers?\b|handed on\b|alive\b",
}
_BLANK = r"\s+(?:[#>]\s+)?"  # also a line break, in a comment and in a quotation too
_BANNED = [
    (re.compile(r"\b(?:%s)" % found.replace(" ", _BLANK), re.I), better)
    for better, found in INSTEAD.items()
]
# Not prose: code, and tables that a program writes (findings, counted faults).
_FINDING = r"^\| `[\w.-]+` \| (?:error|warning|note) \|.*?$"
_CODE = re.compile(
    r"^ *```.*?^ *```|%s|<!-- counted -->.*?<!-- /|``[^`]*``|`[^`]*`" % _FINDING, re.M | re.S
)


def banned(text):
    """Yield the line, the words that were found, and what to write instead, of a text."""
    text = _CODE.sub(lambda match: re.sub(r".", "#", match.group()), text)
    for expression, better in _BANNED:
        for match in expression.finditer(text):
            yield text.count("\n", 0, match.start()) + 1, match.group(), better


def docstrings(source):
    """Yield the line and the text of each docstring of a module, also those of attributes."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr):
            is_old = type(node.value).__name__ == "Str"  # before Python 3.8: of the last line
            text = node.value.s if is_old else getattr(node.value, "value", None)
            if isinstance(text, str):
                yield node.lineno - (text.count("\n") if is_old else 0), text


def comments(source):
    """Yield the line and the text of each comment of a module; adjacent lines are one."""
    first, lines, last = 0, [], 0
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            if lines and token.start[0] != last + 1:
                yield first, "\n".join(lines)
                lines = []
            first = first if lines else token.start[0]
            lines.append(token.string)
            last = token.start[0]
    if lines:
        yield first, "\n".join(lines)


def in_module(source):
    """Yield the faults of the docstrings and the comments of a module, as ``banned``."""
    for texts in (docstrings, comments):
        for start, text in texts(source):
            for line, found, better in banned(text):
                yield start + line - 1, found, better


if __name__ == "__main__":
    names = {name for one in PAGES for name in glob.glob(os.path.join(ROOT, one), recursive=True)}
    names -= {os.path.join(ROOT, name) for name in OTHERS}
    for pattern in (MODULES, PATCHES):
        names.update(glob.glob(os.path.join(ROOT, pattern), recursive=True))
    faults = []
    for name in sorted(names):
        with open(name, encoding="utf-8") as file:
            text = file.read()
            if name.endswith(".patch"):
                text = text.partition("\n---\n")[0]  # its header: upstream wrote the diff
            check = in_module if name.endswith(".py") else banned
            for fault in sorted(check(text)):
                faults.append("%s:%d: %r: write %s" % (os.path.relpath(name, ROOT), *fault))
    sys.exit("\n".join(faults) or 0)
