"""Synthetic sites, patch trees and hosts, each in a folder of its own, for test_documents.py.

Nothing of jhpatch is imported: what is built here is data, for any layout of the package.
"""

import base64
import contextlib
import difflib
import fcntl
import functools
import hashlib
import json
import os
import shutil
import struct
import subprocess
import sys
import threading
import time
import zipfile

A, B, CORE = "app/a.py", "app/b.py", "other_app/core.py"
FACE = "app/_face.py"
INFO = "app-1.0.dist-info"
LATER = 4102444800  # 2100-01-01, in seconds since the epoch
PATH = "/usr/bin:/bin:/usr/sbin:/sbin"


def sha(data):
    """A SHA-256 as hex digits."""
    return hashlib.sha256(data).hexdigest()


def body(name):
    """A module as it was released."""
    return ("# %s\n# 1\n# 2\nimport os\n# 3\n# 4\n# 5\n" % name).encode()


def hooked(data, line="from app._face import hook\n"):
    """The same module with one more line."""
    return data.replace(b"import os\n", b"import os\n" + line.encode())


def record_row(path, data):
    """A row of RECORD."""
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
    return "%s,sha256=%s,%d\n" % (path, digest, len(data))


def patch(package, versions, changes, adds=(), **fields):
    """The text of a patch file; ``changes``: ``{path: (before, after)}``; a field of None is left
    out, ``_`` stands for ``-``."""
    rows = [("Package", package), ("Versions", versions), ("Description", "what it does")]
    diff = ""
    for path, (before, after) in sorted(changes.items()):
        rows += [("Before", "%s sha256:%s" % (path, sha(before)))]
        rows += [("After", "%s sha256:%s" % (path, sha(after)))]
        old, new = (data.decode().splitlines(True) for data in (before, after))
        diff += "".join(difflib.unified_diff(old, new, "a/" + path, "b/" + path))
    rows += [("Adds", one) for one in adds]
    given = {name.replace("_", "-"): value for name, value in fields.items()}
    rows = [(name, given.pop(name, value)) for name, value in rows] + sorted(given.items())
    head = "".join("%s: %s\n" % row for row in rows if row[1] is not None)
    return head + "---\n" + diff


@functools.lru_cache(maxsize=None)
def tree_files():
    """The patches for ``app`` and ``Other.App``, by their path in a tree."""
    adds = ["%s < %s" % (FACE, FACE)]
    needless = {"Not_Needed": "it is\n built in"}
    first = {A: (body("a"), hooked(body("a")))}
    second = {B: (body("b"), hooked(body("b")))}
    one = {CORE: (body("core"), hooked(body("core"), "core = 1\n"))}
    return {
        "app/1.0-first.patch": patch("app", ">=1.0,<=1.2", first, adds),
        "app/1.0-second.patch": patch("app", "==1.0 | ==1.2", second, adds),
        "app/2.0-first.patch": patch("app", "2.*", {}, **needless),
        "app/2.0-second.patch": patch("app", "2.*", {}, **needless),
        "app/_face.py": "def hook():\n    pass\n",
        "other-app/3.0-one.patch": patch(
            "Other.App", "==3.0", one, Description="of another distribution,\n on two lines"
        ),
    }


# What ``rebase`` carries: an import, a decorator and a last call.

HANDLERS = b'''\
"""The handlers of app."""

import json

from app.base import Handler


class PageHandler(Handler):
    """Shows a page."""

    def __init__(self, **settings):
        super().__init__(**settings)
        self.settings = settings

    async def get(self, path=""):
        """A model."""
        return json.dumps(path)
'''
HOOKS = "app/handlers.py"


def with_hooks(data):
    """The file with what the patch puts in."""
    for old, new in (
        (b"from app.base", b"from app._helper import on_open, on_start\nfrom app.base"),
        (b"settings = settings\n", b"settings = settings\n        on_start(self)\n"),
        (b"    async def get", b"    @on_open\n    async def get"),
    ):
        assert data.count(old) == 1
        data = data.replace(old, new)
    return data


def hooks_patch(before=HANDLERS, after=None, versions=">=1.0,<=1.2", **fields):
    """The text of the patch ``app/hooks``."""
    changes = {HOOKS: (before, with_hooks(before) if after is None else after)}
    return patch("app", versions, changes, ["app/_helper.py < _added/helper.txt"], **fields)


def ccache(start, end, renew_till=0):
    """The bytes of a credential cache with one TGT (MIT krb5, version 4 of the format)."""

    def counted(text):
        return struct.pack(">I", len(text)) + text

    def principal(*parts):
        words = b"".join(map(counted, (b"EXAMPLE.TEST",) + parts))
        return struct.pack(">II", 1, len(parts)) + words

    owner = principal(b"alice", b"service")
    times = struct.pack(">IIII", start, start, end, renew_till)
    key = struct.pack(">H", 18) + counted(b"k" * 32)
    tail = b"\0" * 5 + struct.pack(">II", 0, 0) + counted(b"ticket") + counted(b"")
    credential = owner + principal(b"krbtgt", b"EXAMPLE.TEST") + key + times + tail
    return struct.pack(">HH", 0x0504, 0) + owner + credential


class Scene:
    """A folder with a site, a tree of patches, a home; and how a command is run there."""

    lock = threading.RLock()
    """Who holds it builds what is shared."""

    def __init__(self, folder, root, top):
        self.folder = folder
        self.top = top
        """The folder of all scenes."""
        self.root = root
        """The checkout."""
        self.stack = contextlib.ExitStack()
        """What is to be ended or closed once the command has run."""
        self.before = []
        """What runs the command: the words in front of it."""
        self.python = sys.executable
        self.odd = ""
        """A path that is not UTF-8."""
        self.common = ""
        """What is shared with other scenes."""
        os.makedirs(folder + "/home")
        self.environ = {
            "PYTHONPATH": root,
            "LC_ALL": "C.UTF-8",
            "PATH": PATH,
            "HOME": folder + "/home",
        }

    def beside(self, name):
        """A scene in a folder of this one."""
        return Scene(self.path(name), self.root, self.top)

    def path(self, name):
        """A path in the folder."""
        return os.path.join(self.folder, name)

    def read(self, name):
        """A file's bytes."""
        with open(self.path(name), "rb") as file:
            return file.read()

    def write(self, name, data, mode=0o644):
        """A file, and the folders above it; gives its path."""
        path = self.path(name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(data if isinstance(data, bytes) else data.encode())
        os.chmod(path, mode)
        return path

    def append(self, name, data=b"# edited\n"):
        """More at the end of a file."""
        self.write(name, self.read(name) + data)

    def remove(self, *names):
        """Files, or folders with all that is in them."""
        for path in map(self.path, names):
            if os.path.isdir(path):
                shutil.rmtree(path)
            else:
                os.unlink(path)

    def import_first(self, name, text):
        """A module that is found ahead of the one that is installed."""
        folder = self.path("modules")
        self.write("modules/" + name, text)
        if folder not in self.environ["PYTHONPATH"].split(":"):
            self.environ["PYTHONPATH"] = "%s:%s" % (folder, self.environ["PYTHONPATH"])

    def as_user(self):
        """jhpatch takes its user for one that is not root."""
        text = "import os\nos.geteuid = lambda: 4242\n"
        self.import_first("sitecustomize.py", text)

    def argv(self, words):
        """The whole command."""
        return self.before + [self.python, "-m", "jhpatch"] + [self.filled(word) for word in words]

    def filled(self, word):
        """A word with the folder for ``{0}``, ``odd`` for ``{1}`` and ``common`` for ``{2}``."""
        if not isinstance(word, str):
            return word
        for name, path in (("{0}", self.folder), ("{1}", self.odd), ("{2}", self.common)):
            word = word.replace(name, path)
        return word

    def ran(self, *words):
        """Runs a command that only prepares the scene."""
        subprocess.run(
            self.argv(words), cwd="/", env=self.environ, check=True, stdout=subprocess.DEVNULL
        )

    # Sites.

    def tree(self, files=None, name="tree"):
        """A tree of patches."""
        os.makedirs(self.path(name), exist_ok=True)
        for path, text in (tree_files() if files is None else files).items():
            self.write("%s/%s" % (name, path), text)
            if "_added/helper.txt" in text:
                self.write("%s/_added/helper.txt" % name, "helper = 1\n")

    def dist(self, files, name="app", version="1.0", where="site", installer="pip\n"):
        """A distribution of these modules."""
        info = "%s-%s.dist-info" % (name, version)
        whole = dict(files)
        whole[info + "/METADATA"] = b"Metadata-Version: 2.1\nName: %s\nVersion: %s\n" % (
            name.encode(),
            version.encode(),
        )
        if installer:
            whole[info + "/INSTALLER"] = installer.encode()
        for path, data in whole.items():
            self.write("%s/%s" % (where, path), data)
        rows = "".join(record_row(path, whole[path]) for path in sorted(whole))
        self.write("%s/%s/RECORD" % (where, info), rows + info + "/RECORD,,\n")

    def app(self, where="site", version="1.0", **changed):
        """``app``: ``app/__init__.py``, ``app/a.py`` and ``app/b.py``."""
        files = {"app/__init__.py": b"", A: body("a"), B: body("b")}
        files.update({"app/%s.py" % name: data for name, data in changed.items()})
        self.dist(files, version=version, where=where)

    def other(self, where="site"):
        """``other_app``, which nobody says to have installed."""
        files = {"other_app/__init__.py": b"", CORE: body("core")}
        self.dist(files, "other_app", "3.0", where, installer="")

    def patched(self, name="applied", where="site"):
        """``app`` and ``other_app`` as ``apply`` leaves them; of an ``older`` tree, or a
        ``newer`` jhpatch than there is."""
        template = self.shared(name, lambda scene: scene.become_patched(name))
        shutil.copytree(template + "/site", self.path(where), symlinks=True)

    def shared(self, name, build):
        """A folder that is built once for all scenes; ``{2}`` in a word. Gives its path."""
        self.common = os.path.join(self.top, "shared-" + name)
        with Scene.lock:
            if not os.path.exists(self.common):
                build(Scene(self.common, self.root, self.top))
        return self.common

    def become_patched(self, name):
        """Makes what ``patched`` copies."""
        self.app()
        self.other()
        files = dict(tree_files())
        if name != "applied":
            files["app/_face.py"] = "def hook():\n    return None\n"
        self.tree(files)
        self.ran("apply", "--site", "{0}/site", "--patches", "{0}/tree", "-q")
        if name == "newer":
            state = json.loads(self.read("site/.jhpatch/state.json").decode())
            text = json.dumps(dict(state, tool="9.9.9"), indent=1, sort_keys=True)
            self.write("site/.jhpatch/state.json", text + "\n")

    def journal(self, alive=False):
        """An ``apply`` of ``app`` that has come to its first module: killed there, or at work."""
        self.patched(where="done")
        self.app()
        found = []
        for number, path in enumerate((INFO + "/RECORD", FACE, A, B)):
            before = self.read("site/" + path) if path != FACE else None
            after = self.read("done/" + path)
            if before is not None:
                self.write("site/.jhpatch/originals/" + sha(before), before)
            row = {"path": path, "before": before and sha(before), "after": sha(after)}
            row.update(temp=".jhpatch-0123456789abcdef-%d" % number, mode=0o644)
            row.update(uid=os.geteuid(), gid=os.getegid(), guard=None)
            found.append(row)
            if path != B:
                self.write("site/" + path, after)
        document = {"schema": 1, "pid": 4194305, "started": "1", "boot": "", "host": "elsewhere"}
        if alive:
            with open("/proc/self/stat", "rb") as file:
                started = file.read().rpartition(b")")[2].split()[19].decode()
            with open("/proc/sys/kernel/random/boot_id") as file:
                boot = file.read().strip()
            document.update(pid=os.getpid(), started=started, boot=boot, host=os.uname().nodename)
        document.update(python=None, rows=found)
        self.write("site/.jhpatch/journal.json", json.dumps(document))
        self.write("site/.jhpatch/lock", "", 0o600)

    def locked(self):
        """Another run holds the lock of the site."""
        file = self.stack.enter_context(open(self.write("site/.jhpatch/lock", "", 0o600), "r+b"))
        fcntl.flock(file.fileno(), fcntl.LOCK_EX)

    def running(self, program):
        """A process that looks as if it were this program, for as long as the command runs."""
        child = subprocess.Popen(
            [program, "-c", "read line"], executable="/bin/sh", cwd="/", stdin=subprocess.PIPE
        )

        self.stack.callback(child.communicate)  # the end of its input is its own
        # Until the child has become another program, /proc shows the test's own arguments.
        with open("/proc/%d/cmdline" % child.pid, "rb") as file:
            while not file.read().startswith(os.fsencode(program)):
                time.sleep(0.01)
                file.seek(0)

    def environment(self, name="env", more=""):
        """A virtual environment of a Python 3.9; gives the name of its site."""
        text = "home = %s/base/bin\nversion = 3.9.1\n%s" % (self.folder, more)
        self.write(name + "/pyvenv.cfg", text)
        self.write(name + "/bin/python", '#!/bin/sh\nexec "%s" "$@"\n' % sys.executable, 0o755)
        site = name + "/lib/python3.9/site-packages"
        os.makedirs(self.path(site))
        return site

    # Wheels and a package index.

    def wheel(self, name, version, files, where="wheels"):
        """A wheel of ``files``; gives its path."""
        path = self.path("%s/%s-%s-py3-none-any.whl" % (where, name, version))
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with zipfile.ZipFile(path, "w") as archive:
            for one, data in files.items():
                archive.writestr(one, data)
        return path

    # Spark, Java, Hadoop's configuration, Jupyter.

    def spark(self, version="3.5.1", py4j="0.10.9.7"):
        """The folder "spark", as a tarball of that release lays it out."""
        self.write("spark/RELEASE", "Spark %s built for Hadoop 3.3.4\n" % version)
        self.write("spark/bin/spark-submit", "#!/bin/sh\n", 0o755)
        self.write("spark/python/pyspark/__init__.py", "")
        path = self.path("spark/python/lib/py4j-%s-src.zip" % py4j)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("py4j/__init__.py", "")

    def interpreter(self, name, release):
        """A program that answers as a Python with ipykernel."""
        found = {"release": list(release), "found": {"ipykernel": ["", ""]}}
        question = "*jhpatch_probe*) echo 'jhpatch_probe %s' ;;" % json.dumps(found)
        short = "%d.%d" % release
        text = '#!/bin/sh\ncase "$*" in\n%s\n*) echo %s ;;\nesac\n' % (question, short)
        self.write(name, text, 0o755)

    def java(self, version="17.0.15"):
        """The folder "java", a JAVA_HOME without a JVM in it."""
        self.write("java/bin/java", "#!/bin/sh\nexit 1\n", 0o755)
        self.write("java/release", 'IMPLEMENTOR="tests"\nJAVA_VERSION="%s"\n' % version)

    def hadoop(self):
        """The folder "conf", a HADOOP_CONF_DIR of a cluster that does not answer."""
        for name, key, value in (
            ("core", "fs.defaultFS", "hdfs://nn.example.test"),
            ("yarn", "yarn.resourcemanager.address", "127.0.0.1:1"),
        ):
            row = "<property><name>%s</name><value>%s</value></property>" % (key, value)
            self.write("conf/%s-site.xml" % name, "<configuration>%s</configuration>" % row)

    def jupyter(self):
        """What jhpatch asks of jupyter_client and jupyter_core: the kernels of the scene alone."""
        self.import_first("jupyter_client/__init__.py", "")
        self.import_first("jupyter_core/__init__.py", "")
        self.import_first("jupyter_client/kernelspec.py", _KERNELSPEC % self.folder)
        self.import_first("jupyter_core/paths.py", _PATHS % self.folder)

    def pip(self, versions):
        """A pip that knows these releases of each distribution, and brings wheels of "index"."""
        self.write("pip.py", _PIP % (versions, self.path("index")))
        # jhpatch runs pip with -I, which finds no module of the scene.
        self.import_first("sitecustomize.py", _RUN_PIP % self.path("pip.py"))


_PIP = """\
import os, shutil, sys

VERSIONS, INDEX = %r, %r
words = [word for word in sys.argv[1:] if word != "--disable-pip-version-check"]
if words[0] == "index" and VERSIONS:
    print("%%s (%%s)" %% (words[2], VERSIONS.split(",")[0]))
    print("Available versions: " + VERSIONS)
elif words[0] == "download":
    wanted = "%%s-%%s-py3-none-any.whl" %% tuple(words[-1].split("=="))
    path = os.path.join(INDEX, wanted)
    if not os.path.exists(path):
        sys.exit("WARNING: first\\nERROR: No matching distribution found for " + words[-1])
    shutil.copy(path, words[words.index("--dest") + 1])
else:
    sys.exit("ERROR: the index does not answer")
"""
_RUN_PIP = """\
import subprocess

run = subprocess.run


def run_pip(argv, **more):
    if argv[1:4] == ["-I", "-m", "pip"]:
        argv = [argv[0], "-I", %r] + argv[4:]
    return run(argv, **more)


subprocess.run = run_pip
"""
_KERNELSPEC = """\
class KernelSpecManager:
    user_kernel_dir = %r + "/home/jupyter/kernels"
    kernel_dirs = [user_kernel_dir]
"""
_PATHS = "SYSTEM_JUPYTER_PATH = [%r + '/usr/share/jupyter']\n"
