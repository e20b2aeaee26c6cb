"""Each command in each kind of state: its exit code, its JSON document, its text, as recorded.

``JHPATCH_RECORD=1 pytest tests/commands/test_documents.py`` writes the golden files in
``documents/`` anew, but for scenarios that are skipped here. To compare two checkouts in every
state by itself (740 scenarios), record with ``JHPATCH_RECORD=1 JHPATCH_DOCUMENTS=DIR`` in one
and run with ``JHPATCH_DOCUMENTS=DIR`` in the other.

Commands run in processes of their own, and nothing of jhpatch is imported: the golden files
hold whatever the package looks like inside. What is this machine's own (paths, times, pids, the
patches that come with jhpatch) is replaced by a name such as ``$DIR``, or left out.
"""

import base64
import calendar
import collections
import concurrent.futures
import glob
import hashlib
import importlib.util
import json
import os
import pty
import pwd
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import pytest

from tests.commands.documents import of_hosts, of_keepers, of_sites  # noqa: F401
from tests.commands.documents.scenes import PATH, Scene
from tests.commands.documents.table import SCENARIOS

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
LONG = os.environ.get("JHPATCH_DOCUMENTS")
GOLDEN = LONG or os.path.join(HERE, "documents")
RECORD = bool(os.environ.get("JHPATCH_RECORD"))
NAMES = {name for name, scenario in SCENARIOS.items() if LONG or not scenario.long}
KEYS = "keys"
"""The golden file with the order of the keys in each kind of object."""
OWN = ("jupyter_server", "jupyterhub", "notebook")
"""The distributions of jhpatch's own patches, which change with each release."""
CODES = {
    *("krb5-conf-missing", "krb5-conf-unreadable", "krb5-conf-writable", "krb5-conf-syntax"),
    *("krb5-conf-include", "no-default-realm", "no-kdc", "kdc-unreachable", "kdc-proxied"),
    *("config-unreadable", "config-writable", "config-syntax", "setting-not-literal"),
    *("setting-wrong", "spawner-not-covered", "spawner-unknown", "authenticator-bypasses-pam"),
    *("authenticator-unknown", "no-user", "no-account", "below-min-uid", "needs-root"),
    *("keytab-missing", "keytab-not-regular", "keytab-unreadable", "keytab-exposed"),
    *("keytab-foreign", "ccache-unsupported", "ccache-hidden-from-jvm", "ccache-foreign"),
    *("ccache-folder", "ccache", "unit-missing", "restart-needed", "site-unreadable"),
    *("spark-home-missing", "spark-no-pyspark", "spark-java-missing", "yarn-unreachable"),
    *("spark", "hadoop"),
}
"""What ``doctor`` finds whatever host it is on."""
Said = collections.namedtuple("Said", "code out talk")


# Running.


def run(scenario, folder, mode):
    """What a command says in a scene of its own: its exit code, and two streams as bytes."""
    scene = Scene(folder, ROOT, os.path.dirname(os.path.dirname(folder)))
    with scene.stack:
        for step in scenario.prepare:
            step(scene)
        argv = scene.argv(scenario.words) + (["--json"] if mode == "json" else [])
        if mode == "terminal":
            return on_terminal(argv, scene.environ)
        if mode.startswith("watch"):
            argv += ["--json"] if mode == "watch json" else []
            return first_of(argv, scene.environ)
        done = subprocess.run(
            argv,
            cwd="/",
            env=scene.environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        return Said(done.returncode, done.stdout, done.stderr)


def on_terminal(argv, environ):
    """With standard output on a terminal of 80 columns, in UTC."""
    environ = dict(environ, TERM="xterm", COLUMNS="80", PAGER="cat", TZ="UTC")
    main, other = pty.openpty()
    child = subprocess.Popen(
        argv, cwd="/", env=environ, stdin=subprocess.DEVNULL, stdout=other, stderr=subprocess.PIPE
    )
    os.close(other)
    out = b""
    try:
        while True:
            out += os.read(main, 65536)
    except OSError:
        pass  # EIO: nobody holds the other end any more
    os.close(main)
    talk = child.communicate()[1]
    return Said(child.returncode, out.replace(b"\r\n", b"\n"), talk)


def first_of(argv, environ):
    """The first line of a command that goes on until Ctrl-C."""
    child = subprocess.Popen(
        argv,
        cwd="/",
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    line = child.stdout.readline()
    child.send_signal(signal.SIGINT)
    rest, talk = child.communicate(timeout=30)
    return Said(child.returncode, line + rest, talk)


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


# What is this machine's own.


class Names:
    """Puts names in the places of what another machine, user or Python has otherwise."""

    def __init__(self, folder, scenario):
        self._hides = scenario.hides
        self._argparse = scenario.kind == "argparse"
        top = os.path.dirname(folder)
        me = pwd.getpwuid(os.geteuid()).pw_name
        end = r"(?![\w.-])"
        minor = "%d.%d" % sys.version_info[:2]
        self._rules = [
            (re.escape(top) + r"/(?:shared-\w+|\d+/(?:text|json))" + end, "$DIR"),
            (re.escape(sys.executable) + end, "$PYTHON"),
            (re.escape(ROOT) + end, "$ROOT"),
            (r"\bpid \d+", "pid $PID"),
            (r"\buid %d(?=, mode )" % os.geteuid(), "uid $UID"),
            (r"^%d(?=\t)" % os.getpid(), "$PID"),
            (r"jhpatch-kerberos-%d\b" % os.getpid(), "jhpatch-kerberos-$PID"),
            (r"\b%s(?=, running since )" % re.escape(me), "$USER"),
            (r"(?<=jhpatch )\d[\w.]*(?= or older)", "$VERSION"),
            (r"\d+ h \d+ min left", "$LEFT left"),
            (r"\.download-\w+", ".download-$TEMP"),
            (r"/tmp/tmp\w{8}(?![\w.])", "$TEMP"),
            # Its width is that of the longest name, which may be one of jhpatch's own patches.
            (r"^(  (?:app|other-app)/\S+) +(?=\S)", r"\1  "),
        ]
        if "minor" in self._hides:
            self._rules += [(r"\bpython%s\b" % re.escape(minor), "python$MINOR")]
            self._rules += [(r"\bPython %s\b" % re.escape(minor), "Python $MINOR")]
        if "version" in self._hides:
            self._rules += [(r"\Ajhpatch \S+, Python \S+ ", "jhpatch $VERSION, Python $VERSION ")]
        self._me = me

    def plain(self, text):
        """A text with names in it."""
        for pattern, name in self._rules:
            text = re.sub(pattern, name, text)
        if text.startswith("one of "):
            words = text[len("one of ") :].split(", ")
            text = "one of " + ", ".join(word for word in words if not _is_own(word))
        return re.sub(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(Z| UTC)", _recent, text)

    def in_text(self, text):
        """What a command has said, without the rows of jhpatch's own patches."""
        if "script" in self._hides:
            return _hashed(text)
        lines, dropped = [], False
        for line in text.split("\n"):
            if dropped and line.startswith("      "):
                continue  # the rest of such a row on a terminal
            dropped = _is_own(line.strip())
            if not dropped:
                expected = re.match(r"(  expected: +)(one of .*)", line)
                if expected:
                    line = expected.group(1) + self.plain(expected.group(2))
                lines.append(self.plain(line))
        text = "\n".join(lines)
        text = re.sub(r"  restart: cannot tell: .*\n", "", text)
        return _known(text) if "findings" in self._hides else text

    def in_document(self, document):
        """The same of a document."""
        document = self._value(document, "")
        for site in document["sites"]:
            site["patches"] = [one for one in site["patches"] if not _is_own(one["patch"])]
            if site["restart"] is None:
                site.update(restart=[], restart_reason=None)
        if "findings" in self._hides:
            rows = document["findings"]
            document["findings"] = [row for row in rows if row["code"] in CODES]
            document["notes"] = [_COUNTS.sub("$COUNTS", note) for note in document["notes"]]
        if self._argparse and document["error"]:
            document["error"]["message"] = "$ARGPARSE"
        if "script" in self._hides:
            document["script"] = _hashed(document["script"])
        return document

    def _value(self, value, key):
        if isinstance(value, dict):
            found = {name: self._value(item, name) for name, item in value.items()}
            if "started" in value and value["user"] == self._me:
                found["user"] = "$USER"
            return found
        if isinstance(value, list):
            return [self._value(item, key) for item in value]
        if key == "pid" and value is not None:
            return "$PID"
        if key.endswith("_b64"):
            raw = base64.b64decode(value).decode("utf-8", "surrogateescape")
            return base64.b64encode(os.fsencode(self.plain(raw))).decode()
        if key == "script":
            return value
        return self.plain(value) if isinstance(value, str) else value

    def code_of(self, document, out, code):
        """The exit code of ``doctor`` by what is left of its findings."""
        bad = re.search(r"^(error|warning) ", re.sub("\x1b\\[\\d*m", "", out), re.M)
        if document is not None:
            bad = any(row["severity"] != "note" for row in document["findings"])
        assert code in (0, 3) and (code or not bad)
        return 3 if bad else 0


_TIME = "%Y-%m-%d %H:%M:%S"
_COUNTS = re.compile(r"\d+ checks: \d+ errors?, \d+ warnings?, \d+ notes?")


def _is_own(row):
    """Whether a row of text, or a name, is that of one of jhpatch's own patches."""
    return re.match(r"(?:%s)(?:/|\Z)" % "|".join(OWN), row) is not None


def _recent(match):
    """A time of today, by a name; others were made to be what they are."""
    then = calendar.timegm(time.strptime(match.group()[:19].replace("T", " "), _TIME))
    return match.group() if abs(time.time() - then) > 2 * 86400 else "$TIME"


def _hashed(text):
    return text and "sha256:" + hashlib.sha256(text.encode("utf-8")).hexdigest()


def _known(text):
    """The findings of ``doctor`` that are in CODES."""
    lines, shown = [], True
    for line in text.split("\n"):
        head = re.match(
            "(?:\x1b\\[\\d+m)?(?:error|warning|note) *(?:\x1b\\[0m)?  ([\\w-]+)  ", line
        )
        if head:
            shown = head.group(1) in CODES
        elif not line.startswith("         "):
            shown = True
        if shown:
            lines.append(_COUNTS.sub("$COUNTS", line))
    return "\n".join(lines)


# The golden files.


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


@pytest.mark.parametrize("name", _parameters())
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
