"""The pages: each command on them exists, each link leads somewhere."""

import importlib.util
import json
import os
import re
import shlex
import sys

import pytest

from jhpatch.cli import parser
from testing import ROOT
from testing.layering import ARROWS
from testing.page_commands import ELSEWHERE, LINES
from testing.pages import PAGES, blocks, code, commands, text_of

_COMMAND = re.compile(r"(?:(?:^|\s)\S*python\S* (?:-I )?-m|^) ?jhpatch +([^|;&#`]*)")


@pytest.mark.parametrize("page", PAGES)
def test_each_command_on_a_page_is_one(page):
    """The parser takes each command with its options."""
    for line in code(page):
        if line.startswith(("usage:", "jhpatch:", "#")):
            continue
        for match in _COMMAND.finditer(line.partition("  #")[0]):
            words = match.group(1).strip()
            if not words or re.search(r"[…<>\[\]=]|\.\.\.|NAME|PYTHON", words):
                continue  # not to be typed as it stands
            arguments = shlex.split(words)
            if arguments[0] in ("--version", "--help"):
                continue
            assert parser.parser(arguments[0]).parse_args(arguments).command == arguments[0], line


@pytest.mark.parametrize("page", PAGES)
def test_each_link_between_pages_leads_somewhere(page):
    """The target of a link is a file of the checkout."""
    prose = re.sub(r"`[^`\n]*`", "", text_of(page))
    for target in re.findall(r"\]\(([^)#: ]+)[^):]*\)", prose):
        here = os.path.dirname(os.path.join(ROOT, page))
        assert os.path.exists(os.path.join(here, target)), (page, target)


@pytest.mark.parametrize("page", PAGES)
def test_each_test_that_a_page_names_is_there(page):
    """A promise says where it is tested: that file exists."""
    for path in re.findall(r"`((?:tests|integration|testing|benchmarks)/[\w/.]+)`", text_of(page)):
        assert os.path.exists(os.path.join(ROOT, path)), (page, path)


@pytest.mark.skipif(
    sys.version_info[:2] not in ((3, 11), (3, 12)), reason="argparse of others has other words"
)
def test_the_reference_is_the_programs_own_help():
    """docs/commands.md, made again by tools/commands.py, is the same."""
    assert text_of("docs/commands.md") == _tool("commands").made()


def _tool(name):
    """A script of tools/, as a module."""
    path = os.path.join(ROOT, "tools", name + ".py")
    spec = importlib.util.spec_from_file_location(name, path)
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    return tool


ARCHITECTURE = "docs/architecture.md"
PACKAGE = os.path.join(ROOT, "jhpatch")


def _floors():
    """The rows of the diagram: the floor of each directory, and what it may import."""
    diagram = text_of(ARCHITECTURE).split("```text")[1].partition("```")[0]
    rows = re.sub(r",\n +", ", ", diagram).strip().splitlines()
    floor, floors, arrows = "", {}, {}
    for row in rows:
        number, directory, targets = re.match(r"(\d?) +(\w+) +→ (.*)$", row).groups()
        floor = number or floor
        floors[directory] = int(floor)
        arrows[directory] = set(targets.split(", ")) - {"nothing"}
    return floors, arrows


def test_the_diagram_has_the_arrows_of_the_code():
    """docs/architecture.md draws what testing/layering.py allows, on at most six floors."""
    floors, arrows = _floors()
    assert arrows == ARROWS
    assert set(floors.values()) <= {1, 2, 3, 4, 5, 6}
    upward = [
        (directory, target)
        for directory, targets in arrows.items()
        for target in targets
        if floors[target] <= floors[directory]
    ]
    assert not upward


def test_each_directory_is_described():
    """docs/architecture.md has a line for each directory of jhpatch/."""
    rows = re.findall(r"^\| (`.*?`) \|", text_of(ARCHITECTURE), re.M)
    described = {name for row in rows for name in re.findall(r"`(\w+)/`", row)}
    assert described == set(ARROWS)


def test_each_module_on_the_page_exists():
    """docs/architecture.md names files of jhpatch/ as they are called."""
    named = set(re.findall(r"`(\w[\w/]*\.py)`", text_of(ARCHITECTURE)))
    named = {name for name in named if not name.startswith("tests/")}
    assert len(named) > 20
    assert not {name for name in named if not os.path.isfile(os.path.join(PACKAGE, name))}


def test_each_path_of_the_checkout_exists():
    """A page that names a file or directory of the repository names one that is there."""
    tops = "benchmarks|docs|integration|jhpatch|patches|testing|tests|tools"
    missing = []
    for page in PAGES:
        for path in re.findall(r"`((?:%s)/[\w./-]*)`" % tops, text_of(page)):
            if not os.path.exists(os.path.join(ROOT, path)):
                missing.append((page, path))
    assert not missing


TRANSLATED = [("README.md", "README.zh-CN.md")] + [
    ("docs/%s.md" % name, "docs/zh/%s.md" % name)
    for name in ("tutorial", "settings", "troubleshooting", "offline")
]


def _shape(page):
    """What a translation shares with its original: blocks, levels of headings, rows of tables."""
    text = re.sub(r"^```.*?^```", "", text_of(page), flags=re.M | re.S)
    rows = [line for line in text.splitlines() if line.startswith("| `")]
    return {
        "commands": commands(page),
        "blocks": [(language, len(lines)) for language, lines in blocks(page)],
        "headings": [len(level) for level in re.findall(r"^(#+) ", text, re.M)],
        "rows": [line.count("|") for line in text.splitlines() if line.startswith("|")],
        "names": [set(re.findall(r"`c\.[\w.]+`|`jhpatch_\w+", line)) for line in rows],
        "bold": len(re.findall(r"^\*\*", text, re.M)),
    }


@pytest.mark.parametrize("original, translation", TRANSLATED)
def test_a_translation_is_in_step(original, translation):
    """A page in Chinese has the commands, headings and rows of the English page."""
    assert _shape(translation) == _shape(original)


def test_each_translated_page_is_compared():
    """docs/zh/ has a page for each row of TRANSLATED, and no other but its index."""
    names = {"docs/zh/" + name for name in os.listdir(os.path.join(ROOT, "docs", "zh"))}
    assert names == {page for _, page in TRANSLATED[1:]} | {"docs/zh/index.md"}


@pytest.mark.parametrize("page", PAGES)
def test_each_block_has_a_language(page):
    """The site highlights it, and a reader knows a command from its output."""
    assert all(language for language, _ in blocks(page))


def test_the_monitoring_files_name_the_metrics_of_the_code():
    """deploy/monitoring/ uses the metrics that the ticket service has, and the page lists them."""
    folder = os.path.join(ROOT, "jhpatch", "deployed", "kerberos")
    names = set()
    for name in os.listdir(folder):
        if name.endswith(".py"):
            calls = r'metric\(\s*"(\w+)", "(\w+)"'
            names.update(re.findall(calls, text_of("jhpatch/deployed/kerberos/" + name)))
    suffixes = {"Counter": ("_total",), "Histogram": ("", "_bucket"), "Gauge": ("",)}
    series = {
        "jhpatch_kerberos_" + name + suffix for kind, name in names for suffix in suffixes[kind]
    }
    files = ("alerts.yml", "alerts_test.yml", "grafana.json")
    texts = {name: text_of("deploy/monitoring/" + name) for name in files}
    json.loads(texts["grafana.json"])
    for text in texts.values():
        assert set(re.findall(r"jhpatch_kerberos_\w+", text)) <= series
    page = set(re.findall(r"`(jhpatch_kerberos_\w+)", text_of("docs/deploy/monitoring.md")))
    assert page == {name for name in series if not name.endswith("_bucket")}
    alerts = re.findall(r"alert: (\w+)", texts["alerts.yml"])
    assert (
        re.findall(r"^\| `(\w+)` \| \d+ minutes", text_of("docs/deploy/monitoring.md"), re.M)
        == alerts
    )


def test_the_log_lines_of_the_page_are_those_of_the_code():
    """Whoever searches a log for a line of the table finds it."""
    folder = os.path.join(ROOT, "jhpatch", "deployed", "kerberos")
    code = "".join(
        text_of("jhpatch/deployed/kerberos/" + name)
        for name in sorted(os.listdir(folder))
        if name.endswith(".py")
    )
    code = re.sub(
        r"\"\s+f?\"|%\w|\{\}", lambda found: "…" if found.group()[0] in "%{" else "", code
    )
    table = text_of("docs/settings.md").partition("## Log messages")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (`.+?`(?: / `.+?`)*) \|", table, re.M)
    assert len(rows) > 15
    names = "(?: for)? alice|mallory|bob@REALM|al@REALM|FILE|uid 1001|5 s|<reason>|PATH:LINE|login"
    for shown in re.findall("`(.+?)`", "".join(rows)):
        longest = max(re.split("^Kerberos: |…|" + names, shown), key=len).strip(" :,;@()")
        assert longest in code, "%s: no line has %r" % (shown, longest)


def test_banned_words_are_found_in_prose_alone():
    """Each has a line and what to write instead; code and findings are not the pages' words."""
    words = _tool("words")
    found = words.banned("The keeper\ngot `got`.\n```text\nfolder\n```\n| `x` | note | says |\n")
    assert [(line, word) for line, word, _ in sorted(found)] == [(1, "keeper"), (2, "got")]


def test_a_link_without_a_target_is_found(tmp_path):
    """In a built site, a missing file and a missing anchor are reported, and nothing else."""
    links = _tool("site_links")
    text = '<a href="b.html#there">1</a><a href="b.html#%s">2</a><a href="c.html">3</a>'
    (tmp_path / "a.html").write_text(text % "none" + '<a href="https://example.org/x">4</a>')
    (tmp_path / "b.html").write_text('<p id="there">')
    assert links.broken(str(tmp_path)) == [
        "a.html: no anchor b.html#none",
        "a.html: no file c.html",
    ]


def test_each_command_of_a_page_is_run_somewhere():
    """Each row of the table is about a line of some page, and names a file that is there, or
    says why not."""
    lines = [line for page in LINES for line in LINES[page]]
    for pattern, where in ELSEWHERE.items():
        assert any(re.match(pattern, line.shown) for line in lines), pattern
        assert where.startswith("by hand: ") or os.path.exists(os.path.join(ROOT, where)), where
    for line in lines:
        assert sum(bool(re.match(pattern, line.shown)) for pattern in ELSEWHERE) < 2, line
