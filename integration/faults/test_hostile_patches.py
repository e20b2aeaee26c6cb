"""``--patches DIR`` with a hostile tree: an error that names the file, and nothing changed."""

import hashlib
import os
import shutil

import pytest

from integration.faults import watched
from integration.faults.watched import answer, picture
from testing.patch_files import own_patch

NAMES = ("our_app/a.py", "our_app/sub/b.py")
BEFORE = {name: b"".join(b"x%d = 1\n" % n for n in range(12)) for name in NAMES}
AFTER = {name: data.replace(b"x5 = 1\n", b"x5 = 2\n") for name, data in BEFORE.items()}
SHA = {name: hashlib.sha256(data).hexdigest() for name, data in BEFORE.items()}
DIFF = "--- a/%s\n+++ b/%s\n@@ -3,7 +3,7 @@\n%s-x5 = 1\n+x5 = 2\n%s"
ABOVE, BELOW = " x2 = 1\n x3 = 1\n x4 = 1\n", " x6 = 1\n x7 = 1\n x8 = 1\n"
ZERO, ONE = "0" * 64, "1" * 64


class Place:
    """A site with one distribution of ours, a tree with one patch for it, and a tree outside."""

    def __init__(self, folder):
        self.outside = watched.sentinel(folder)
        self.site = str(folder / "site")
        os.mkdir(self.site)
        self.tree = own_patch(folder, BEFORE, AFTER, self.site)
        self.folder = os.path.join(self.tree, "our-app")
        self.patch = os.path.join(self.folder, "1.0-ours.patch")
        with open(os.path.join(self.site, "our_app-1.0.dist-info", "RECORD"), "w") as file:
            file.write("our_app/a.py,,\nour_app/sub/b.py,,\n")
        self.write(self.text(), self.patch)

    def text(self):
        """The good patch: two files of 12 lines, and an added one."""
        head = "Package: our-app\nVersions: ==1.0\nDescription: ours\n"
        for name in NAMES:
            head += "Before: %s sha256:%s\n" % (name, SHA[name])
            head += "After: %s sha256:%s\n" % (name, hashlib.sha256(AFTER[name]).hexdigest())
        head += "Adds: our_app/extra.py < our-app/extra.py\n---\n"
        return head + "".join(DIFF % (name, name, ABOVE, BELOW) for name in NAMES)

    def write(self, data, path=None):
        """Text or bytes into the patch file, or another one."""
        path = path or self.patch
        if os.path.lexists(path):
            os.unlink(path)
        with open(path, "wb") as file:
            file.write(
                data if isinstance(data, bytes) else data.encode("utf-8", "surrogateescape")
            )

    def edit(self, old, new, count=-1):
        """The good patch with ``new`` for ``old``."""
        text = self.text()
        assert old in text
        self.write(text.replace(old, new, count))

    def refused(self, names="1.0-ours.patch", codes=(1, 2, 5)):
        """apply, dry run and diff are refused, the message names the file; nothing is changed."""
        pictures = picture(self.site), picture(self.outside), sorted(os.listdir(self.site))
        for command in (["apply"], ["apply", "--dry-run"], ["diff"]):
            found = answer(*command, "--patches", self.tree, "--site", self.site)
            assert found.code in codes, (command, found)
            error = found.error
            said = "%s %s" % (error["path"], error["message"])
            assert names in said or names.encode("unicode_escape").decode() in said, error
            now = picture(self.site), picture(self.outside), sorted(os.listdir(self.site))
            assert now == pictures, command
        return found

    def applies(self):
        """apply applies, and revert gives all back."""
        before = picture(self.site)
        found = answer("apply", "--patches", self.tree, "--site", self.site)
        assert (found.code, found.states) == (0, {"our-app/ours": "applied"}), found
        assert answer("revert", "--site", self.site).code == 0
        assert {k: v[:2] for k, v in picture(self.site).items()} == {
            k: v[:2] for k, v in before.items()
        }


@pytest.fixture
def place(tmp_path):
    """A place of one's own."""
    return Place(tmp_path)


def test_the_good_one_applies(place):
    """What is edited below is refused for the edit alone."""
    place.applies()


A, B = NAMES
ROW = "Before: our_app/a.py"
EXTRA = "Adds: our_app/extra.py < our-app/extra.py"
# What stands in a good patch, and what stands there instead.
EDITS = {
    # Paths.
    "absolute in the header": (A, "/etc/passwd"),
    "absolute in the diff": ("/" + A + "\n", "//etc/passwd\n"),
    "a parent in the header": (A, "../outside/handlers.py"),
    "a parent inside": (A, "our_app/../../outside/handlers.py"),
    "a parent in the diff": ("/" + A + "\n", "/../" + A + "\n"),
    "a dot in the diff": ("/" + A + "\n", "/./" + A + "\n"),
    "an empty part in the diff": ("/" + A + "\n", "//" + A + "\n"),
    "a backslash in the diff": ("/" + A + "\n", "/our_app\\a.py\n"),
    "a drive in the diff": ("/" + A + "\n", "/C:" + A + "\n"),
    "quoted in the diff": ("--- a/" + A, '--- "a/' + A + '"'),
    "quotes inside": ("/" + A + "\n", '/"' + A + '"\n'),
    "quoted in the header": (ROW, 'Before: "our_app/a.py"'),
    "dev null before": ("--- a/" + A, "--- /dev/null"),
    "dev null after": ("+++ b/" + A, "+++ /dev/null"),
    "dev null in the name": (A, "our_app/dev/null"),
    "dev null as a name": (A, "dev/null"),
    "a time": ("--- a/" + A, "--- a/" + A + "\t1970-01-01 00:00:00"),
    "half a time": ("--- a/" + A, "--- a/" + A + "\t1970-01-01 00"),
    "a space behind a name": ("--- a/" + A, "--- a/" + A + " "),
    "a name twice on a line": ("--- a/" + A, "--- a/" + A + " a/" + A),
    "other prefixes": ("--- a/" + A, "--- x/" + A),
    "no prefixes": ("--- a/" + A, "--- " + A),
    "a long name": (A, "our_app/" + "a" * 300 + ".py"),
    "a long path": (A, "our_app/" + "a/" * 3000 + "a.py"),
    "a path with a newline": ("Adds: our_app/extra.py", "Adds: our_app/ex\n tra.py"),
    "a path with a tab": ("Adds: our_app/extra.py", "Adds: our_app/ex\ttra.py"),
    "a path with a space at its end": ("Adds: our_app/extra.py", "Adds: our_app /extra.py"),
    # Whose files.
    "our own folder": (A, ".jhpatch/state.json"),
    "our own folder itself": (A, ".jhpatch"),
    "its RECORD": (A, "our_app-1.0.dist-info/RECORD"),
    "its METADATA": (A, "our_app-1.0.dist-info/METADATA"),
    "an egg's metadata": (A, "our_app-1.0.egg-info/PKG-INFO"),
    "a file that is not there": (A, "our_app/nothing.py"),
    "a folder": (A, "our_app"),
    "below a file": (A, "our_app/a.py/x"),
    "adds metadata": ("Adds: our_app/extra.py", "Adds: our_app-1.0.dist-info/entry_points.txt"),
    "adds to our folder": ("Adds: our_app/extra.py", "Adds: .jhpatch/state.json"),
    "adds a parent": ("Adds: our_app/extra.py", "Adds: ../outside/new.py"),
    "adds an absolute path": ("Adds: our_app/extra.py", "Adds: /tmp/new.py"),
    "adds over what it changes": ("Adds: our_app/extra.py", "Adds: our_app/a.py"),
    "adds twice": (EXTRA, EXTRA + "\n" + EXTRA),
    "adds below a file": ("Adds: our_app/extra.py", "Adds: our_app/a.py/x.py"),
    "adds bytecode": ("Adds: our_app/extra.py", "Adds: our_app/__pycache__/a.cpython-311.pyc"),
    "adds a legacy pyc": ("Adds: our_app/extra.py", "Adds: our_app/a.pyc"),
    # Where an added file comes from.
    "a source outside": ("< our-app/extra.py", "< ../outside/lock"),
    "an absolute source": ("< our-app/extra.py", "< /etc/passwd"),
    "a source that is missing": ("< our-app/extra.py", "< our-app/none.py"),
    "a source that is a folder": ("< our-app/extra.py", "< our-app"),
    "no such helper": ("< our-app/extra.py", "< helper:nobody"),
    "a helper elsewhere": ("< our-app/extra.py", "< helper:../engine"),
    "no such set": (EXTRA, "Adds: our_app/x/ < deployed:nobody"),
    "a set in a parent": (EXTRA, "Adds: ../x/ < deployed:kerberos-hub"),
    "a set in our folder": (EXTRA, "Adds: .jhpatch/ < deployed:kerberos-hub"),
    "a set as a file": (EXTRA, "Adds: our_app/x < deployed:kerberos-hub"),
    "a folder as a source": (EXTRA, "Adds: our_app/x/ < our-app/"),
    "a source with a scheme": ("< our-app/extra.py", "< http://example.test/x"),
    "no source": (" < our-app/extra.py", ""),
    # The header.
    "a field that is none": ("Description:", "Extra: x\nDescription:"),
    "another case": ("Description:", "description:"),
    "a space in front of the colon": ("Description:", "Description :"),
    "a field twice": ("Versions: ==1.0", "Versions: ==1.0\nVersions: ==1.0"),
    "a row twice": (ROW, "%s sha256:%s\n%s" % (ROW, SHA[A], ROW)),
    "two befores": (ROW, "%s sha256:%s\n%s" % (ROW, ZERO, ROW)),
    "a row without its other": (ROW, "Before: our_app/c.py"),
    "no hash": (" sha256:" + SHA[A], ""),
    "a short hash": (SHA[A], "12"),
    "another hash": ("sha256:" + SHA[A], "md5:" + SHA[A]),
    "a hash in capitals": (SHA[A], SHA[A].upper()),
    "a wrong before": (SHA[A], ZERO),
    "needed and not": ("Versions:", "Not-Needed: because\nVersions:"),
    "no description": ("Description: ours", "Description:"),
    "another package": ("Package: our-app", "Package: notebook"),
    "a package that is none": ("Package: our-app", "Package: ../our-app"),
    "no end": ("\n---\n", "\n"),
    "an end with a space": ("\n---\n", "\n--- \n"),
    "CRLF": ("\n", "\r\n"),
    "CR": ("\n", "\r"),
    "a BOM": ("Package:", "\ufeffPackage:"),
    "NULs": ("Description: ours", "Package\0: ours"),
    "not UTF-8": ("Description: ours", "Description: \udcff"),
    # Versions.
    "open below": ("==1.0", "<=1.0"),
    "open above": ("==1.0", ">=1.0"),
    "any": ("==1.0", "*"),
    "a prefix": ("==1.0", "1.*"),
    "compatible": ("==1.0", "~=1.0"),
    "all but": ("==1.0", "!=2.0"),
    "upside down": ("==1.0", ">=2.0,<=1.0"),
    "dots": ("==1.0", ">=.,<=."),
    "more dots": ("==1.0", ">=1..0,<=1.0."),
    "nothing": ("==1.0", "|"),
    "half nothing": ("==1.0", "==1.0 |"),
    "a word": ("==1.0", "==1.0.x@y"),
    "other digits": ("==1.0", "==\u0661.\u0660"),
    "a number of many digits": ("==1.0", "==" + "1" * 5000),
    "a range of many digits": ("==1.0", ">=1.0,<=" + "9" * 1000),
    "a million digits": ("==1.0", ">=1.0,<=" + "9" * 1000000),
    "a million parts": ("==1.0", "==" + "1." * 1000000),
    "many ranges": ("==1.0", "|".join(["==1.0"] + ["==1.0a%d" % n for n in range(4000)])),
    "a million dots": ("==1.0", "==1.0" + "." * 1000000),
    "another release": ("==1.0", "==1.0.1"),
    # The diff.
    "a rename": ("--- a/" + A, "rename from %s\nrename to our_app/c.py\n--- a/%s" % (A, A)),
    "a git rename": (
        "--- a/" + A,
        "diff --git a/%s b/our_app/c.py\nsimilarity index 90%%\n--- a/%s" % (A, A),
    ),
    "a rename by its names": ("+++ b/" + A, "+++ b/our_app/c.py"),
    "a copy": ("--- a/" + A, "copy from %s\ncopy to our_app/c.py\n--- a/%s" % (A, A)),
    "a deletion": (
        "+++ b/%s\n@@ -3,7 +3,7 @@" % A,
        "+++ /dev/null\n@@ -3,7 +0,0 @@",
    ),
    "a creation": ("@@ -3,7 +3,7 @@", "@@ -0,0 +1,7 @@"),
    "a mode": ("--- a/" + A, "old mode 100644\nnew mode 100755\n--- a/" + A),
    "a new file mode": ("--- a/" + A, "new file mode 120000\n--- a/" + A),
    "a symlink section": (
        "--- a/" + A,
        "diff --git a/x b/x\nnew file mode 120000\n--- /dev/null\n+++ b/x\n@@ -0,0 +1 @@\n"
        "+/etc/passwd\n--- a/" + A,
    ),
    "binary": ("--- a/" + A, "Binary files a/x and b/x differ\n--- a/" + A),
    "git binary": ("--- a/" + A, "GIT binary patch\nliteral 1\nIcmZPo\n\n--- a/" + A),
    "an index line": ("--- a/" + A, "index 0000000..1111111 100644\n--- a/" + A),
    "words": ("--- a/" + A, "From: somebody\n--- a/" + A),
    "an empty line": ("--- a/" + A, "\n--- a/" + A),
    "an empty line in a hunk": (" x2 = 1\n", "\n"),
    "no newline at the end": (BELOW, BELOW + "\\ No newline at end of file\n"),
    "a backslash": (BELOW, BELOW + "\\\n"),
    "a hunk too long": ("@@ -3,7 +3,7 @@", "@@ -3,8 +3,8 @@"),
    "a hunk too short": ("@@ -3,7 +3,7 @@", "@@ -3,6 +3,6 @@"),
    "a hunk elsewhere": ("@@ -3,7 +3,7 @@", "@@ -4,7 +4,7 @@"),
    "a hunk that goes elsewhere": ("@@ -3,7 +3,7 @@", "@@ -3,7 +4,7 @@"),
    "a hunk in front of the file": ("@@ -3,7 +3,7 @@", "@@ -0,7 +0,7 @@"),
    "a hunk behind the file": ("@@ -3,7 +3,7 @@", "@@ -999999999,7 +3,7 @@"),
    "a hunk of many digits": ("@@ -3,7 +3,7 @@", "@@ -%s,7 +3,7 @@" % ("9" * 5000)),
    "a count of many digits": ("@@ -3,7 +3,7 @@", "@@ -3,%s +3,7 @@" % ("9" * 5000)),
    "a negative hunk": ("@@ -3,7 +3,7 @@", "@@ --3,7 +3,7 @@"),
    "a hunk of nothing": ("@@ -3,7 +3,7 @@", "@@ -3,0 +3,0 @@\n@@ -3,7 +3,7 @@"),
    "a hunk head alone": ("@@ -3,7 +3,7 @@", "@@ @@"),
    "a combined hunk": ("@@ -3,7 +3,7 @@", "@@@ -3,7 -3,7 +3,7 @@@"),
    "no hunk": ("@@ -3,7 +3,7 @@\n%s-x5 = 1\n+x5 = 2\n%s" % (ABOVE, BELOW), ""),
    "a hunk that changes nothing": ("-x5 = 1\n+x5 = 2\n", " x5 = 1\n"),
    "other context": (" x3 = 1", " x3 = 2"),
    "another removed line": ("-x5 = 1", "-x5 = 3"),
    "another added line": ("+x5 = 2", "+x5 = 3"),
    "a CR in a line": ("+x5 = 2", "+x5 = 2\r"),
    "a NUL in a line": ("+x5 = 2", "+x5 = \0"),
    "a form feed": ("+x5 = 2", "+x5 = 2\f"),
    "a section more": (
        "--- a/" + A,
        DIFF % (("our_app/c.py",) * 2 + (ABOVE, BELOW)) + "--- a/" + A,
    ),
    "a section twice": ("--- a/" + B, DIFF % (A, A, ABOVE, BELOW) + "--- a/" + B),
    "a section in a section": ("+++ b/" + A, "--- a/" + A + "\n+++ b/" + A),
    "the same hunk twice": (
        "--- a/" + B,
        "@@ -3,7 +3,7 @@\n%s-x5 = 1\n+x5 = 2\n%s--- a/%s" % (ABOVE, BELOW, B),
    ),
    "an ed script": ("@@ -3,7 +3,7 @@", "6c\nx5 = 2\n.\n@@ -3,7 +3,7 @@"),
    "a context diff": ("--- a/" + A, "*** a/" + A),
}


OF_THE_SITE = {
    *("a file that is not there", "a folder", "below a file", "adds below a file"),
    *("dev null as a name", "dev null in the name", "a wrong before", "another release"),
}
"""Good patches, but not for the site as it is."""


@pytest.mark.parametrize("name", sorted(EDITS))
def test_a_patch_with_an_edit(place, tally, name):
    """One thing is odd: refused, with the name of the file, and nothing is changed."""
    place.edit(*EDITS[name])
    found = place.refused("" if name == "another release" else "ours")
    assert (found.error["code"] == "bad-patch") == (name not in OF_THE_SITE), found
    tally("hostile patch: changed field or line")


WHOLE = {
    "empty": lambda good: "",
    "a newline": lambda good: "\n",
    "the end alone": lambda good: "---\n",
    "two ends": lambda good: "\n---\n---\n",
    "header only": lambda good: good.partition("---\n")[0] + "---\n",
    "header without its end": lambda good: good.partition("---\n")[0],
    "diff only": lambda good: good.partition("\n---\n")[2],
    "cut in the diff": lambda good: good[:-20],
    "no last newline": lambda good: good[:-1],
    "twice": lambda good: good + good,
    "the diff twice": lambda good: good + good.partition("\n---\n")[2],
    "a line behind": lambda good: good + "-- \n2.39.0\n",
    "NULs": lambda good: "\0" * 10000,
    "UTF-16": lambda good: good.encode("utf-16"),
    "random": lambda good: hashlib.sha256(good.encode()).digest() * 1000,
    "gzip": lambda good: b"\x1f\x8b\x08\0" + good.encode(),
    "a megabyte in a line": lambda good: good.replace("ours\n", "ours" + "x" * (1 << 22), 1),
    "many fields": lambda good: "Bug: x\n" * 120000 + good,
    "many rows": lambda good: ("Before: a sha256:%s\n" % ZERO) * 12000 + good,
    "many folded lines": lambda good: good.replace("ours\n", "ours\n" + " x\n" * 300000, 1),
    "100 MB": lambda good: good + " x\n" * (100 * 1024 * 1024 // 3),
    "100,000 hunks": lambda good: (
        good.partition("--- a/")[0]
        + "--- a/%s\n+++ b/%s\n" % (A, A)
        + "".join("@@ -%d +%d @@\n-a\n+b\n" % (n, n) for n in range(1, 100001))
    ),
    "100,000 sections": lambda good: (
        good.partition("--- a/")[0]
        + "".join("--- a/x%d\n+++ b/x%d\n@@ -1 +1 @@\n-a\n+b\n" % (n, n) for n in range(90000))
    ),
    "a million lines": lambda good: (
        good.partition("--- a/")[0]
        + "--- a/%s\n+++ b/%s\n@@ -1,1000000 +1,1000000 @@\n" % (A, A)
        + " a\n" * 1000000
    ),
}


@pytest.mark.parametrize("name", sorted(WHOLE))
def test_a_file_that_is_no_patch(place, tally, name):
    """Refused by name, in time and in bounded memory."""
    place.write(WHOLE[name](place.text()))
    found = place.refused()
    assert found.error["code"] == "bad-patch" and ("MiB" in found.error["message"]) == (
        os.path.getsize(place.patch) > 1 << 20
    )
    tally("hostile patch: file that is not a patch")


# What a patch file, a source and a folder can be besides files and folders.


def _fifo(path, outside):
    os.mkfifo(path)


def _open_fifo(path, outside):
    os.mkfifo(path)
    _HELD.append(os.open(path, os.O_RDWR))  # somebody may write at any time


def _folder(path, outside):
    os.mkdir(path)


def _dangling(path, outside):
    os.symlink(os.path.join(outside, "none"), path)


def _endless(path, outside):
    os.symlink("/dev/zero", path)


def _loop(path, outside):
    os.symlink(os.path.basename(path), path)


def _gigabyte(path, outside):
    with open(path, "wb") as file:
        file.truncate(1 << 30)


def _outside(path, outside):
    os.symlink(os.path.join(outside, "lock"), path)


_HELD = []
ODD = [_fifo, _open_fifo, _folder, _dangling, _endless, _loop, _gigabyte, _outside]
LED_AWAY = {_endless} if os.geteuid() == 0 else set()
"""Where root stops at what the link leads to, and names that."""
NOWHERE = {_dangling, _loop} if os.geteuid() == 0 else set()
"""Where root stops at the link, before the patch that names it is read."""

odd = pytest.mark.parametrize("kind", ODD, ids=lambda one: one.__name__[1:])


@odd
def test_a_patch_that_is_no_file(place, tally, kind):
    """A FIFO is not waited for, a device not read, a gigabyte not held in memory."""
    os.unlink(place.patch)
    kind(place.patch, place.outside)
    place.refused("" if kind in LED_AWAY else "1.0-ours.patch")
    tally("hostile patch: no regular file")


@odd
def test_a_source_that_is_no_file(place, tally, kind):
    """An added file comes from a plain file in the tree, or the patch is refused."""
    source = os.path.join(place.folder, "extra.py")
    os.unlink(source)
    kind(source, place.outside)
    place.refused("" if kind in LED_AWAY else "extra.py" if kind in NOWHERE else "1.0-ours.patch")
    tally("hostile patch: source of an added file")


def test_a_source_behind_a_link(place, tally):
    """A folder in the tree that leads out of it is none of the tree."""
    os.symlink(os.path.join(place.outside, "sub"), os.path.join(place.folder, "sub"))
    place.edit("< our-app/extra.py", "< our-app/sub/a.py")
    place.refused()
    tally("hostile patch: source of an added file")


def test_links_to_good_files_are_fine(place, tally):
    """A package manager may make a tree of symlinks: patch files and folders are followed."""
    moved = os.path.join(place.outside, "1.0-ours.patch")
    shutil.move(place.patch, moved)
    os.symlink(moved, place.patch)
    place.applies()
    kept = place.folder + "-kept"
    os.rename(place.folder, kept)
    os.rename(kept, os.path.join(place.outside, "our-app"))
    os.symlink(os.path.join(place.outside, "our-app"), place.folder)
    found = answer("apply", "--patches", place.tree, "--site", place.site)
    assert found.code in (0, 1), found
    if found.code == 0:
        assert found.states == {"our-app/ours": "applied"}
    tally("hostile patch: links to valid files")


@pytest.mark.parametrize(
    "name",
    [
        *("1.0-ou\nrs.patch", "1.0-ours\n.patch", "1.0\n-ours.patch", "-ours.patch", "1.0-.patch"),
        *(".patch", "ours.patch", "1.0-OURS.patch", "1.0-ou rs.patch", "1.0-\udcff.patch"),
        *("\udcff-ours.patch", "1.0-ours;x.patch", "1.0-\u0661.patch", "..-ours.patch"),
        *("x-ours.patch", "9" * 240 + "-ours.patch", "1.0 -ours.patch", "1.0\x1b[31m-ours.patch"),
    ],
)
def test_a_file_name_that_says_something_else(place, tally, name):
    """``<first release>-<slug>.patch``, in plain characters."""
    shutil.move(place.patch, os.path.join(place.folder, name))
    place.refused(".patch")
    tally("hostile patch: name of the file")


@pytest.mark.parametrize("kind", [*ODD, None], ids=lambda one: one.__name__[1:] if one else "none")
def test_a_tree_that_is_none(place, tally, kind):
    """--patches names no folder that can be read."""
    shutil.rmtree(place.tree)
    if kind:
        kind(place.tree, place.outside)
    place.refused("" if kind is _folder or kind in LED_AWAY else "tree")
    tally("hostile patch: patch directory")


@pytest.mark.parametrize("versions", ["==1.0", ">=0.5,<=1.5", "==1", "==1.0.0", ">=1.0,<=9"])
def test_two_editions_for_a_release(place, tally, versions):
    """Which would it be? Neither, and both are named."""
    second = place.text().replace("==1.0", versions)
    place.write(second, os.path.join(place.folder, "0.5-ours.patch"))
    found = place.refused("ours.patch")
    assert "ours.patch" in found.error["expected"]
    tally("hostile patch: two patch files for one release")


def test_many_editions(place, tally):
    """A thousand files of many prereleases each: in time."""
    for number in range(1000):
        names = "|".join("==1.0a%d" % (number * 20 + n) for n in range(20))
        text = place.text().replace("==1.0", names)
        place.write(text, os.path.join(place.folder, "1.0a%d-ours.patch" % number))
    found = answer("apply", "--patches", place.tree, "--site", place.site)
    assert found.code in (0, 1)
    tally("hostile patch: many patch files")


def test_another_distributions_file(place, tally, lab):
    """A patch for one distribution whose rows name another's file is refused by name."""
    shutil.rmtree(place.site)
    lab.copy(lab.applied, place.site)
    own = os.path.join(place.site, "our_app-1.0.dist-info")
    os.mkdir(own)
    with open(os.path.join(own, "METADATA"), "w") as file:
        file.write("Name: our-app\nVersion: 1.0\n")
    with open(os.path.join(own, "RECORD"), "w") as file:
        file.write("our_app-1.0.dist-info/METADATA,,\n")
    theirs = "notebook/notebook/handlers.py"
    with open(os.path.join(place.site, theirs), "rb") as file:
        data = file.read()
    lines = data.decode().split("\n")[:3]
    after = data.replace(lines[0].encode(), lines[0].encode() + b" ", 1)
    text = "Package: our-app\nVersions: ==1.0\nDescription: x\n"
    for field, one in (("Before", data), ("After", after)):
        text += "%s: %s sha256:%s\n" % (field, theirs, hashlib.sha256(one).hexdigest())
    text += "---\n--- a/%s\n+++ b/%s\n@@ -1,3 +1,3 @@\n" % (theirs, theirs)
    text += "-%s\n+%s \n %s\n %s\n" % (lines[0], lines[0], lines[1], lines[2])
    place.write(text)
    place.refused("our-app/ours", codes=(5,))
    tally("hostile patch: file of another distribution")


def test_adding_to_no_folder(place, tally):
    """No package is made for an added file: it is refused, in a dry run too."""
    place.edit("Adds: our_app/extra.py", "Adds: none/deep/x.py")
    place.refused("none/deep/x.py", codes=(5,))
    tally("hostile patch: changed field or line")


@pytest.mark.parametrize("data", [b"", b"extra = 2\n"])
def test_adding_over_a_file_of_the_release(place, tally, data):
    """A file that is there and is not ours is not replaced."""
    path = os.path.join(place.site, "our_app", "extra.py")
    with open(path, "wb") as file:
        file.write(data)
    place.refused("our-app/ours", codes=(5,))
    tally("hostile patch: added file that exists")


def test_adding_what_the_release_has(place, tally):
    """The release's own file, with the very bytes: revert must not take it away."""
    path = os.path.join(place.site, "our_app", "extra.py")
    shutil.copy(os.path.join(place.folder, "extra.py"), path)
    with open(os.path.join(place.site, "our_app-1.0.dist-info", "RECORD"), "a") as file:
        file.write("our_app/extra.py,,\n")
    before = picture(place.site)
    answer("apply", "--patches", place.tree, "--site", place.site)
    answer("revert", "--site", place.site)
    assert {k: v[:2] for k, v in picture(place.site).items()} == {
        k: v[:2] for k, v in before.items()
    }
    tally("hostile patch: added file that exists")


@pytest.mark.parametrize("version", ["1" * 5000, "1." * 2000 + "0", "1.0" + "a" * 6000, "\u0661"])
def test_a_release_with_an_odd_version(place, tally, version):
    """The other side of the comparison is hostile: an unknown release, and no more."""
    with open(os.path.join(place.site, "our_app-1.0.dist-info", "METADATA"), "w") as file:
        file.write("Name: our-app\nVersion: %s\n" % version)
    place.refused("our-app/ours", codes=(5,))
    tally("hostile patch: unusual version")
