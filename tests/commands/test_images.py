"""Trees of images: what fix-permissions, group 0, layers of root and foreign uids leave.

Each world has its own /etc/passwd and /etc/group, in a mount namespace of root.
"""

import json
import os
import shlex
import shutil
import subprocess
import sys

import patch_ng
import pytest

from testing import ROOT
from testing.trees import tree
from testing.users import make_reachable

SYSTEM = "/usr/bin/python3"
PATCH = "jupyterhub/kerberos-login"
INFO = "jupyterhub-6.1.1.dist-info"
JOVYAN = "jovyan:x:1000:100::/home/jovyan:/bin/sh\n"
GROUPS = "root:x:0:\nusers:x:100:\nalice:x:1000:\nnogroup:x:65534:\n"
DRIVER = """
import importlib, os, pkgutil, sys
sys.path.insert(0, {root!r})
import csv, difflib, json, grp, patch_ng, pwd, py_compile, subprocess, zipfile
import jhpatch
for name in ("cli", "commands", "installer", "patchset", "report", "system", "transaction"):
    package = importlib.import_module("jhpatch." + name)
    for _, module, _ in pkgutil.iter_modules(package.__path__):
        importlib.import_module("jhpatch.%s.%s" % (name, module))
uid, gid = int(sys.argv[1]), int(sys.argv[2])
if uid:
    os.setgroups([gid]); os.setresgid(gid, gid, gid); os.setresuid(uid, uid, uid)
from jhpatch.cli import main
sys.exit(main.main(sys.argv[3:] + ["--json"]))
"""


def _has_namespaces():
    argv = ["unshare", "--mount", "true"]
    is_there = shutil.which("unshare") and os.path.exists(SYSTEM)
    return os.geteuid() == 0 and is_there and not subprocess.call(argv, stderr=subprocess.DEVNULL)


pytestmark = pytest.mark.skipif(not _has_namespaces(), reason="needs root and mount namespaces")


class Answer:
    """The exit code and the document of a run."""

    def __init__(self, done):
        assert done.stdout, done.stderr.decode()
        self.code = done.returncode
        self.document = json.loads(done.stdout.decode())
        (self.site,) = self.document["sites"] or [None]
        self.error = self.document["error"] or (self.site or {}).get("error") or {}

    @property
    def state(self):
        """The state of the patch."""
        assert self.site, self.error
        rows = {row["patch"]: row["state"] for row in self.site["patches"]}
        return rows[PATCH]


class Image:
    """/opt/conda of an image, and the accounts of the world in which jhpatch runs."""

    def __init__(self, directory, made):
        version = subprocess.check_output(
            [SYSTEM, "-c", "import sys; print('python%d.%d' % sys.version_info[:2])"]
        )
        self.top = str(directory)
        self.conda = os.path.join(self.top, "opt/conda")
        self.site = os.path.join(self.conda, "lib", version.decode().strip(), "site-packages")
        self.python = self.conda + "/bin/python"
        os.makedirs(self.conda + "/bin")
        os.symlink(SYSTEM, self.python)
        shutil.copytree(made.site, self.site)
        make_reachable(self.top)
        self.accounts = JOVYAN

    def chown(self, owner, *paths):
        """Give it, or paths in its site, to an owner and a group, by number."""
        targets = [os.path.join(self.site, path) for path in paths] or [self.top]
        subprocess.run(["chown", "-hR", owner] + targets, check=True)

    def fix_permissions(self, group="100"):
        """docker-stacks' fix-permissions: its group, g+rwX, setuid and setgid on directories."""
        subprocess.run(["chgrp", "-hR", group, self.conda], check=True)
        subprocess.run(["chmod", "-R", "g+rwX", self.conda], check=True)
        find = ["find", self.conda, "-type", "d", "-exec", "chmod", "+6000", "{}", "+"]
        subprocess.run(find, check=True)

    def group_as_owner(self):
        """What OpenShift's guidelines ask for: chgrp -R 0, chmod -R g=u."""
        subprocess.run(["chgrp", "-hR", "0", self.conda], check=True)
        subprocess.run(["chmod", "-R", "g=u", self.conda], check=True)

    def run(self, *words, uid=0, gid=0):
        """jhpatch in that world, as a user."""
        for name, text in (("passwd", self.accounts), ("group", GROUPS)):
            with open(os.path.join(self.top, name), "w") as file:
                file.write(("root:x:0:0::/root:/bin/sh\n" if name == "passwd" else "") + text)
        mounts = "mount --bind %s/passwd /etc/passwd && mount --bind %s/group /etc/group"
        script = mounts % (self.top, self.top) + ' && exec "$@"'
        argv = [sys.executable, "-I", "-c", DRIVER.format(root=ROOT), str(uid), str(gid), *words]
        return Answer(
            subprocess.run(
                ["unshare", "--mount", "sh", "-c", script, "sh", *argv],
                cwd="/",
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
        )

    def content(self):
        """Every file with its bytes, owner and mode, without what jhpatch saves."""
        return tree(self.site)


@pytest.fixture
def image(tmp_path, make_site):
    """An image with jupyterhub 6.1.1, owned by 1000:100 as docker-stacks' are."""
    made = make_site(tmp_path, [("jupyterhub", "6.1.1")], slim=True)
    image = Image(tmp_path / "image", made)
    image.chown("1000:100")
    return image


def owners(image, *paths):
    """The owner and the group of paths of the site."""
    found = [os.lstat(os.path.join(image.site, path)) for path in paths]
    return {(one.st_uid, one.st_gid) for one in found}


@pytest.mark.slow
@pytest.mark.parametrize("where", ["--python", "--site"])
def test_fix_permissions_after_apply(image, where):
    """docker-stacks' customary last line: status, apply and revert go on, as root and jovyan."""
    named = (where, image.python if where == "--python" else image.site)
    image.fix_permissions()
    before = image.content()
    assert image.run("apply", *named).code == 0
    image.fix_permissions()
    for user in ({}, {"uid": 1000, "gid": 100}):
        answer = image.run("status", *named, **user)
        assert (answer.code, answer.state) == (0, "applied"), answer.error
        assert image.run("apply", *named, **user).code == 0
    helper = "jupyterhub/_jhpatch_kerberos/__init__.py"
    assert owners(image, "jupyterhub/auth.py", helper, ".jhpatch") == {(1000, 100)}
    assert image.run("revert", *named, uid=1000, gid=100).code == 0
    assert image.content() == before


def test_a_group_with_other_members_is_not_trusted(image):
    """What other users can have written in .jhpatch is not read: exit code 1."""
    assert image.run("apply", "--site", image.site).code == 0
    image.fix_permissions()
    image.accounts += "other:x:1001:100::/home/other:/bin/sh\n"
    answer = image.run("status", "--site", image.site)
    assert (answer.code, answer.error["code"]) == (1, "untrusted")
    assert answer.error["path"].endswith("/.jhpatch")


@pytest.mark.slow
@pytest.mark.parametrize("owner", [0, 1001])
def test_openshifts_group_0(image, owner):
    """g=u: root and the image's user go on; an arbitrary uid reads, and is refused a change."""
    image.accounts = "default:x:1001:0::/opt:/bin/sh\n"
    image.chown("%d:0" % owner)
    image.group_as_owner()
    before = image.content()
    named = ("--site", image.site)
    assert image.run("apply", *named).code == 0
    image.group_as_owner()
    arbitrary = {"uid": 1000660000, "gid": 0}
    for user in ({}, arbitrary):
        answer = image.run("status", *named, **user)
        assert (answer.code, answer.state) == (0, "applied"), answer.error
    after = image.content()
    answer = image.run("revert", *named, **arbitrary)
    assert answer.code in (1, 5) and answer.error["next"].startswith("sudo -H ")
    assert image.content() == after
    assert image.run("revert", *named).code == 0
    assert image.content() == before


@pytest.mark.slow
@pytest.mark.parametrize("writable", [True, False])
def test_a_layer_of_root_in_a_users_tree(image, writable):
    """jhpatch preserves owners: exit code 5 with the file, and one next step; no byte changed."""
    image.chown("0:100", "jupyterhub", INFO)
    if writable:
        image.fix_permissions()
    before = image.content()
    for user in ({}, {"uid": 1000, "gid": 100}):
        answer = image.run("apply", "--python", image.python, **user)
        assert answer.code == 5, answer.error
        assert "jupyterhub" in answer.error["path"]
        assert answer.error["found"].startswith("owner uid 0, ")
        assert answer.error["next"] == "install the distribution as uid 1000, which owns the site"
        assert image.content() == before


def test_an_environment_of_root_that_a_group_can_write(image):
    """One command makes the whole path root's own; then apply succeeds."""
    image.chown("0:100")
    image.fix_permissions()
    answer = image.run("apply", "--python", image.python)
    assert (answer.code, answer.error["code"]) == (5, "refused")
    line = answer.error["next"]
    assert line.startswith("chmod go-w ") and image.site in line.split()
    subprocess.run(line, shell=True, check=True)
    assert image.run("apply", "--python", image.python).code == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    "accounts",
    ["alice:x:1000:1000::/tmp:/bin/sh\n", "", JOVYAN],
    ids=["another user", "no user", "the same user"],
)
@pytest.mark.parametrize("where", ["--python", "--site"])
def test_an_image_from_outside(image, accounts, where):
    """The files keep the uid and the gid of the image, whoever has these numbers on the host."""
    image.accounts = accounts
    named = (where, image.python if where == "--python" else image.site)
    before = image.content()
    answer = image.run("apply", *named)
    if where == "--python" and accounts.startswith("alice"):
        # The interpreter is alice's to write: it does not run in a group that she is not in.
        assert answer.code == 5 and "jupyterhub" in answer.error["path"], answer.error
        assert answer.error["found"].startswith("owner uid 1000, gid 100, ")
        assert " with --site %s instead of --python" % image.site in answer.error["next"]
        assert image.content() == before
        return
    assert answer.code == 0, answer.error
    assert owners(image, "jupyterhub/auth.py", INFO + "/RECORD") == {(1000, 100)}
    assert image.run("revert", *named).code == 0
    assert image.content() == before


def test_the_owner_of_a_user_namespace(image):
    """Root of a namespace that has one uid: a reason and the path, no traceback."""
    argv = [sys.executable, "-I", "-c", DRIVER.format(root=ROOT), "0", "0"]
    argv += ["apply", "--site", image.site]
    before = image.content()
    done = subprocess.run(
        ["unshare", "--user", "--map-root-user"] + argv,
        cwd="/",
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    if b"unshare" in done.stderr:
        pytest.skip("no user namespaces")
    answer = Answer(done)
    assert (answer.code, answer.error["path"]) == (5, image.site), answer.error
    assert "user namespace" in answer.error["message"]
    assert "outside of the namespace" in answer.error["next"]
    assert image.content() == before


def _readable_code(directory):
    """A copy of the checkout that every user can read.

    In the checkout itself, a run with umask 077 may have made a ``__pycache__``.
    """
    ignore = shutil.ignore_patterns("__pycache__")
    for name in ("jhpatch", "patches"):
        shutil.copytree(os.path.join(ROOT, name), str(directory / name), ignore=ignore)
    for path in (os.path.join(ROOT, "setup.py"), patch_ng.__file__):
        shutil.copy(path, str(directory))
    subprocess.run(["chmod", "-R", "a+rX", str(directory)], check=True)
    return str(directory)


def test_a_user_namespace_of_the_owner(image, tmp_path):
    """Root of the owner's own namespace works as that user: / has no uid there, the site has."""
    # The tests' own Python may lie where another user cannot go. Root joins a namespace that
    # the user has made.
    maker = subprocess.Popen(
        ["setpriv", "--reuid", "+1000", "--regid", "+100", "--clear-groups"]
        + ["unshare", "--user", "--map-root-user", "sh", "-c", "echo up; read line"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd="/",
    )
    try:
        if maker.stdout.readline() != b"up\n":
            pytest.skip("no user namespaces for users")
        # Below /mnt, since a directory above the tests may be its group's to write: whose group
        # that is, nobody can tell in the namespace.
        script = "mount -t tmpfs -o mode=755 tmpfs /mnt && mkdir /mnt/image /mnt/code"
        for place, path in (("image", image.top), ("code", _readable_code(tmp_path / "code"))):
            script += " && mount --bind %s /mnt/%s" % (shlex.quote(path), place)
        join = ["unshare", "--mount", "sh", "-c", script + ' && exec "$@"', "sh"]
        join += ["nsenter", "--user", "--target", str(maker.pid), "--setuid", "0", "--setgid", "0"]
        site = "/mnt/image" + image.site[len(image.top) :]
        code = "import sys; sys.path.insert(0, '/mnt/code'); from jhpatch.cli import main; "
        code += "sys.exit(main.main(sys.argv[1:]))"
        for command, state in (("status", "pristine"), ("apply", "applied")):
            done = subprocess.run(
                [*join, SYSTEM, "-I", "-c", code, command, "--site", site] + ["--json"],
                cwd="/",
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
            assert Answer(done).state == state, Answer(done).error
        assert owners(image, "jupyterhub/auth.py") == {(1000, 100)}
    finally:
        maker.communicate()
