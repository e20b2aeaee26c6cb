"""Each command in each kind of state: its exit code, its JSON document, its text, as recorded.

``JHPATCH_RECORD=1 pytest tests/commands/test_documents.py`` writes the golden files in
``documents/`` anew, but for scenarios that are skipped here. To compare two checkouts in every
state by itself (740 scenarios), record with ``JHPATCH_RECORD=1 JHPATCH_DOCUMENTS=DIR`` in one
and run with ``JHPATCH_DOCUMENTS=DIR`` in the other.

Commands run in processes of their own, and nothing of jhpatch is imported: the golden files
hold whatever the package looks like inside. What is this machine's own (paths, times, pids, the
patches that come with jhpatch) is replaced by a name such as ``$DIR``, or left out.
"""

import collections
import concurrent.futures
import glob
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

import pytest

from tests.commands.documents import of_hosts, of_keepers, of_sites  # noqa: F401
from tests.commands.documents.names import Names
from tests.commands.documents.running import run
from tests.commands.documents.scenes import PATH
from tests.commands.documents.table import SCENARIOS

HERE = os.path.dirname(os.path.abspath(__file__))
LONG = os.environ.get("JHPATCH_DOCUMENTS")
GOLDEN = LONG or os.path.join(HERE, "documents")
RECORD = bool(os.environ.get("JHPATCH_RECORD"))
NAMES = {name for name, scenario in SCENARIOS.items() if LONG or not scenario.long}
KEYS = "keys"
"""The golden file with the order of the keys in each kind of object."""


def answer(scenario, folder):
    """A scenario as its golden file has it, and the keys of its document's objects."""
    kind = scenario.kind
    names = Names(folder, scenario)
    document, keys = None, set()
    text = run(scenario, folder + "/text", {"both": "text", "argparse": "text"}.get(kind, kind))
    if kind in ("both", "argparse", "watch"):
        mode = "watch json" if kind == "watch" else "json"
        said = run(scenario, folder + "/json", mode)
        assert (said.code, said.talk) == (text.code, b""), (said, text)
        out = said.out.decode("ascii")
        document = json.loads(out, object_pairs_hook=collections.OrderedDict)
        indent = None if kind == "watch" else 1
        assert out == json.dumps(document, indent=indent) + "\n"
        assert document["exit_code"] == said.code
        keys = set(keys_of(document, document["command"] or "none"))
        document = names.in_document(document)
    out, talk = (names.in_text(one.decode("utf-8", "backslashreplace")) for one in text[1:])
    code = text.code
    if "findings" in scenario.hides:
        code = names.code_of(document, out, code)
        if document is not None:
            document["exit_code"] = code
    if kind == "argparse":
        talk = re.sub(r"\Ajhpatch: .*", "jhpatch: $ARGPARSE", talk)
    found = {"exit_code": code, "document": document}
    return dict(found, stdout=out.split("\n"), stderr=talk.split("\n")), keys


def keys_of(value, where):
    """``where: key key …`` of each object, in the order of the keys."""
    if isinstance(value, dict):
        yield "%s: %s" % (where, " ".join(value))
        for key, item in value.items():
            yield from keys_of(item, where + "." + key)
    elif isinstance(value, list):
        for item in value:
            yield from keys_of(item, where)


def path_of(name):
    """A golden file's path."""
    return os.path.join(GOLDEN, name + ".json")


def golden(name):
    """What was recorded."""
    if not os.path.exists(path_of(name)):
        return {}
    with open(path_of(name), encoding="ascii") as file:
        return json.load(file)


def write(name, content):
    """Records."""
    with open(path_of(name), "w", encoding="ascii") as file:
        file.write(json.dumps(content, indent=1, sort_keys=True) + "\n")


def lacking(scenario):
    """What a scenario needs and this machine has not; None where it has all."""
    for one in scenario.needs:
        if one == "root":
            there = os.geteuid() == 0
        elif re.match(r"<?\d", one):
            minor = tuple(int(part) for part in one.lstrip("<").split("."))
            there = (sys.version_info < minor) == one.startswith("<")
        elif one == "unshare":
            argv = ["unshare", "--pid", "--fork", "--mount-proc", "true"]
            there = os.geteuid() == 0 and not subprocess.call(argv, stderr=subprocess.DEVNULL)
        elif one in ("klist", "setpriv"):
            there = shutil.which(one, path=PATH)
        else:
            there = importlib.util.find_spec(one)
        if not there:
            return one
    return None


@pytest.fixture(scope="session")
def answers(request):
    """Every scenario that is asked for, two at a time; each answer as soon as it is there."""
    wanted = [item.callspec.params["name"] for item in request.session.items if _is_ours(item)]
    folder = tempfile.mkdtemp(prefix="jhpatch-documents-")
    os.chmod(folder, 0o755)
    umask = os.umask(0o022)
    made = {}
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for number, name in enumerate(wanted):
            if lacking(SCENARIOS[name]) is None:
                where = "%s/%d" % (folder, number)
                made[name] = pool.submit(answer, SCENARIOS[name], where)
        yield made
        for one in made.values():
            one.cancel()  # after a test that failed with -x
    os.umask(umask)
    shutil.rmtree(folder)
    if RECORD:
        record({name: one.result() for name, one in made.items() if not one.cancelled()})


def _is_ours(item):
    return getattr(item, "function", None) is test_it_says_what_it_said


def record(found):
    """Writes what was found; what was not asked for stays, if there is such a scenario."""
    keys = set(golden(KEYS) or ())
    for command in sorted({name.partition("/")[0] for name in NAMES}):
        old = golden(command)
        new = {name: old[name] for name in old if command + "/" + name in NAMES}
        for name, (content, seen) in found.items():
            if name.partition("/")[0] == command:
                new[name.partition("/")[2]] = content
                keys |= seen
        write(command, new)
    write(KEYS, sorted(keys))


def _parameters():
    """Each scenario; all are slow but one of each command, as each starts some processes."""
    quick = {name.partition("/")[0]: name for name in sorted(NAMES, reverse=True)}.values()
    for name in sorted(NAMES):
        yield name if name in quick else pytest.param(name, marks=pytest.mark.slow)


@pytest.mark.parametrize("name", list(_parameters()))
def test_it_says_what_it_said(name, answers):
    """The same exit code, the same document byte for byte, the same text on both streams."""
    missing = lacking(SCENARIOS[name])
    if missing:
        pytest.skip("needs " + missing)
    content, keys = answers[name].result()
    command, _, what = name.partition("/")
    if not RECORD:
        recorded = golden(command)[what]
        for part in ("exit_code", "document", "stdout", "stderr"):
            assert content[part] == recorded[part]
        assert keys <= set(golden(KEYS))


def test_each_golden_file_has_its_scenarios():
    """None is recorded that nothing runs, and none runs that was not recorded."""
    paths = glob.glob(path_of("*"))
    files = {os.path.splitext(os.path.basename(path))[0] for path in paths} - {KEYS}
    recorded = {"%s/%s" % (command, name) for command in files for name in golden(command)}
    assert RECORD or recorded == NAMES
