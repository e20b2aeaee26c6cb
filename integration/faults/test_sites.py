"""Odd sites: layouts, links, attributes, stale bytecode, odd paths, and Debian's own packages."""

import glob
import os
import shutil
import stat
import struct
import subprocess
import sys

import pytest

from integration.faults.children import die_at, run_in_child
from integration.faults.managers import real_uv, slim_wheel
from jhpatch.transaction import transaction
from testing import ROOT
from testing.patch_files import own_patch
from testing.trees import times, tree
from testing.wheels import CACHE, PYTHON

RELEASE = ("notebook", "5.7.9")
INFO = "notebook-5.7.9.dist-info"
PAGE, CONTENTS = "notebook/notebook/handlers.py", "notebook/services/contents/handlers.py"
HELPER = "notebook/_jhpatch_kerberos/__init__.py"
ODD = "unusual site: "


@pytest.fixture
def env(tmp_path, make_site):
    """notebook 5.7.9, as pip installed it."""
    return make_site(tmp_path, [RELEASE], slim=True)


def path(env, name):
    """A file of the site."""
    return os.path.join(env.site, name)


def refused(where, site, *more):
    """status 3, apply 5 with a reason, revert 0, and nothing is changed, here or elsewhere."""
    before = [times(folder) for folder in (site, *more)]
    assert run_in_child("status", *where)[0] == 3
    assert run_in_child("revert", *where)[0] == 0
    code, document = run_in_child("apply", *where)
    assert code == 5, document
    assert [times(folder) for folder in (site, *more)] == before
    errors = [document["error"]] + [one["error"] for one in document["sites"]]
    return next(error["message"] for error in errors if error)


def there_and_back(where, site):
    """apply changes the site, and revert gives every byte, mode, owner and attribute back."""
    before = tree(site), attributes(site)
    code, document = run_in_child("apply", *where)
    assert code == 0, document
    assert tree(site) != before[0]
    assert run_in_child("apply", *where)[1]["changed"] is False
    yield document
    code, document = run_in_child("revert", *where)
    assert code == 0, document
    assert (tree(site), attributes(site)) == before


def attributes(folder):
    """The extended attributes of all that lies below a folder."""
    found = {}
    for above, folders, names in os.walk(folder):
        for name in folders + names:
            one = os.path.join(above, name)
            if not os.path.islink(one):
                found[one] = {key: os.getxattr(one, key) for key in os.listxattr(one)}
    return found


# Hard links and symlinks.


def uv_installed(tmp_path, name, mode):
    """An environment that the real uv has filled from its cache, with links of a mode."""
    wheels = tmp_path / "wheels"
    if not wheels.exists():  # a second environment has the same wheel, or uv unpacks it again
        wheels.mkdir()
        slim_wheel(RELEASE[1], str(wheels))
    (wheel,) = glob.glob(str(wheels / "*.whl"))
    prefix = str(tmp_path / name)
    uv = [real_uv(), "--quiet", "--offline", "--cache-dir", str(tmp_path / "cache")]
    subprocess.run(uv + ["venv", "--python", sys.executable, prefix], check=True)
    python = os.path.join(prefix, "bin/python")
    install = ["pip", "install", "--python", python, "--no-deps", "--no-index"]
    subprocess.run(uv + install + ["--link-mode", mode, wheel], check=True)
    return ("--python", python), os.path.join(prefix, "lib", PYTHON, "site-packages")


def test_uvs_hard_links(tmp_path, tally):
    """Two environments of the real uv and its cache share inodes: one is patched, one changes."""
    where, site = uv_installed(tmp_path, "one", "hardlink")
    other, sibling = uv_installed(tmp_path, "two", "hardlink")
    assert os.path.samefile(os.path.join(site, PAGE), os.path.join(sibling, PAGE))
    assert os.stat(os.path.join(site, PAGE)).st_nlink >= 3
    cache, start = str(tmp_path / "cache"), times(site)
    # A link more or less changes the ctime of an inode; all else must stay.
    kept = _without_ctime(sibling), _without_ctime(cache)
    for _document in there_and_back(where, site):
        assert (_without_ctime(sibling), _without_ctime(cache)) == kept
        assert set(_states(run_in_child("status", *other)[1])) == {"pristine"}
        assert os.stat(os.path.join(site, "notebook/__init__.py")).st_nlink >= 3
    assert (_without_ctime(sibling), _without_ctime(cache)) == kept
    changed = {name for name, row in times(site).items() if start[name][2] != row[2]}
    found = {os.path.relpath(one, site) for one in changed}
    # RECORD has no second link: its new inode may have the number of the old one.
    assert {PAGE, CONTENTS} <= found <= {PAGE, CONTENTS, _record(site)}
    tally(ODD + "hardlinks of uv")


def _record(site):
    (found,) = glob.glob(os.path.join(site, "*.dist-info", "RECORD"))
    return os.path.relpath(found, site)


def _without_ctime(folder):
    return tree(folder), {name: (row[0], row[2]) for name, row in times(folder).items()}


def _states(document):
    patches = [one for site in document["sites"] for one in site["patches"]]
    return [one["state"] for one in patches if one["state"] != "absent"]


def test_uvs_symlinks(tmp_path, tally):
    """uv's --link-mode symlink: every file is a link into the cache, and jhpatch says no."""
    where, site = uv_installed(tmp_path, "one", "symlink")
    assert os.path.islink(os.path.join(site, PAGE))
    assert "layout" in refused(where, site, str(tmp_path / "cache"))
    tally(ODD + "symlinks of uv")


LINKED = (PAGE, "notebook/services", "notebook", INFO, INFO + "/RECORD", INFO + "/METADATA")


@pytest.mark.parametrize("outside", [True, False], ids=["outside", "inside"])
@pytest.mark.parametrize("name", LINKED)
def test_a_target_behind_a_symlink(env, tmp_path, name, outside, tally):
    """A file or a folder on the way that is a symlink, to inside or outside: refused, said why."""
    target = str(tmp_path / "elsewhere") if outside else path(env, "elsewhere")
    os.makedirs(target)
    os.rename(path(env, name), os.path.join(target, "it"))
    os.symlink(os.path.join(target, "it"), path(env, name))
    if name == INFO + "/METADATA":  # the folder's name tells the version; nothing is written there
        for _ in there_and_back(("--python", env.python), env.site):
            pass
    else:
        message = refused(("--python", env.python), env.site, target)
        assert "layout" in message, message
        assert "symlink" in message or "not a regular" in message, message
    tally(ODD + "behind a symlink")


def test_a_pycache_that_is_a_symlink(env, tmp_path, tally):
    """A __pycache__ that leads outside: nothing is deleted or written there."""
    outside = tmp_path / "outside"
    outside.mkdir()
    for folder in ("notebook", "notebook/notebook", "notebook/services/contents"):
        os.symlink(str(outside), path(env, folder + "/__pycache__"))
    for name in ("handlers.cpython-36.pyc", "handlers.%s.pyc" % sys.implementation.cache_tag):
        (outside / name).write_bytes(b"somebody's")
    before = times(str(outside))
    for _ in there_and_back(("--python", env.python), env.site):
        assert times(str(outside)) == before
    assert times(str(outside)) == before
    tally(ODD + "__pycache__ is a symlink")


def test_a_site_by_two_names(env, tmp_path, tally):
    """Reached by a symlink, by its own name, by a relative path, or by all at once: one site."""
    link, whole = str(tmp_path / "link"), str(tmp_path / "whole")
    os.symlink(env.site, link)
    os.symlink(env.prefix, whole)
    python = os.path.join(whole, "bin/python")
    names = [("--site", link), ("--site", link + "/"), ("--python", python), ("--site", env.site)]
    names.append(("--site", os.path.relpath(env.site)))
    for where in names:
        for _ in there_and_back(where, env.site):
            assert set(_states(run_in_child("status", "--site", env.site)[1])) == {"applied"}
        tally(ODD + "reached by a symlink")
    both = (*names[0], *names[3], *names[2])
    for _ in there_and_back((*both, "--lock-timeout", "1"), env.site):
        pass
    tally(ODD + "two names at once")


# Owner, mode, attributes.


def acl(*entries):
    """A POSIX ACL as the kernel keeps it (acl(5), posix_acl_xattr.h)."""
    rows = b"".join(struct.pack("<HHI", *entry) for entry in entries)
    return struct.pack("<I", 2) + rows


NOBODY_READS = acl(
    (0x01, 6, 0xFFFFFFFF), (0x02, 4, 65534), (0x04, 4, 0xFFFFFFFF), (0x10, 4, 0xFFFFFFFF),
    (0x20, 0, 0xFFFFFFFF),
)  # fmt: skip


def _user(target):
    os.setxattr(target, "user.origin", b"kept\x00\xff")


def _acl(target):
    os.setxattr(target, "system.posix_acl_access", NOBODY_READS)


def _capability(target):
    # cap_net_bind_service+ep, revision 2 (linux/capability.h).
    os.setxattr(target, "security.capability", struct.pack("<5I", 0x02000001, 1 << 10, 0, 0, 0))


def _default_acl(target):
    os.setxattr(os.path.dirname(target), "system.posix_acl_default", NOBODY_READS)


def _setgid(target):
    os.chown(os.path.dirname(target), 0, 2345)
    os.chmod(os.path.dirname(target), 0o2775 & ~0o020)


def _owner(target):
    os.chown(target, 1234, 2345)


DRESS = {
    "user attribute": _user,
    "ACL": _acl,
    "capability": _capability,
    "default ACL of the folder": _default_acl,
    "setgid folder": _setgid,
    "owner": _owner,
    "mode 0": lambda target: os.chmod(target, 0),
    "mode 0755": lambda target: os.chmod(target, 0o755),
    "mode 0444": lambda target: os.chmod(target, 0o444),
}


@pytest.mark.skipif(os.geteuid() != 0, reason="takes root to give files away")
@pytest.mark.parametrize("dress", sorted(DRESS))
def test_owner_mode_and_attributes_are_kept(env, dress, tally):
    """On apply, on revert, and by the recovery of a run that died half way."""
    where = ("--site", env.site)
    try:
        for name in (PAGE, CONTENTS, INFO + "/RECORD"):
            DRESS[dress](path(env, name))
    except OSError as error:
        pytest.skip("not on this file system: %s" % error.strerror)
    before = tree(env.site), attributes(env.site)
    for _ in there_and_back(where, env.site):
        for name in (PAGE, CONTENTS, INFO + "/RECORD"):
            assert tree(env.site)[name][1:] == before[0][name][1:]
            assert attributes(env.site)[path(env, name)] == before[1][path(env, name)]
    die_at("apply", where, "replace " + CONTENTS)
    with transaction.locked(env.site):
        pass
    assert (tree(env.site), attributes(env.site)) == before
    tally(ODD + "owner, mode and attributes")


# RECORD, egg-info, editable installs, eggs, zips, copies.


def _hex_hashes(data):
    import base64

    rows = []
    for row in data.splitlines(True):
        name, _, rest = row.partition(b",sha256=")
        value, _, size = rest.partition(b",")
        if rest:
            digest = base64.urlsafe_b64decode(value + b"=")
            row = name + b",sha256=" + digest.hex().encode() + b"," + size
        rows.append(row)
    return b"".join(rows)


RECORDS = {
    "hex digests, as Debian's blinker has": _hex_hashes,
    "a quoted name with a newline": lambda data: b'"odd\r\nname.py",,\r\n' + data,
    "not UTF-8": lambda data: b"odd\xff.py,,\r\n" + data,
    "absent": None,
}


@pytest.mark.parametrize("kind", sorted(RECORDS))
def test_an_odd_record_comes_back(env, kind, tally):
    """Whatever RECORD is, or is not, apply says yes and revert gives its bytes back."""
    name = path(env, INFO + "/RECORD")
    if RECORDS[kind] is None:
        os.unlink(name)
    else:
        with open(name, "rb") as file:
            data = RECORDS[kind](file.read())
        with open(name, "wb") as file:
            file.write(data)
    for _ in there_and_back(("--python", env.python), env.site):
        assert os.path.exists(name) == (kind != "absent")
    tally(ODD + "RECORD")


def test_an_egg_info_that_is_a_file(env, tally):
    """distutils' way: one file of metadata, no RECORD; patched by its hashes alone."""
    with open(path(env, INFO + "/METADATA"), encoding="utf-8") as file:
        text = file.read()
    shutil.rmtree(path(env, INFO))
    with open(path(env, "notebook-5.7.9.egg-info"), "w", encoding="utf-8") as file:
        file.write(text)
    for document in there_and_back(("--python", env.python), env.site):
        assert "no RECORD" in document["sites"][0]["notes"][0]
    tally(ODD + "egg-info")


@pytest.fixture
def project(tmp_path):
    """A source tree with notebook's name and one of its releases."""
    folder = tmp_path / "project"
    (folder / "notebook").mkdir(parents=True)
    (folder / "notebook/__init__.py").write_text("")
    (folder / "setup.py").write_text(
        "from setuptools import setup\n"
        "setup(name='notebook', version='5.7.9', packages=['notebook'])\n"
    )
    return str(folder)


def setup(project, env, *arguments):
    """The project's setup.py, by the setuptools that the tests have."""
    # Not imported: it puts its own distutils in place, which another test may have loaded.
    metadata = pytest.importorskip("importlib.metadata")
    if int(metadata.version("setuptools").split(".")[0]) >= 80:
        pytest.skip("setuptools 80 makes no eggs")
    done = subprocess.run(
        [sys.executable, "setup.py", "-q", *arguments],
        cwd=project,
        env=dict(os.environ, PYTHONPATH=env.site),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert done.returncode == 0, done.stdout.decode()


def test_an_editable_install_of_setuptools(tmp_path, make_site, project, tally):
    """``setup.py develop``: an egg-link, and the source tree on the path by a .pth."""
    env = make_site(tmp_path)
    setup(project, env, "develop", "--no-deps", "--install-dir", env.site)
    assert os.path.exists(path(env, "notebook.egg-link"))
    assert "an editable install" in refused(("--python", env.python), env.site, project)
    tally(ODD + "editable install")


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "folder"])
def test_an_egg(tmp_path, make_site, project, zipped, tally):
    """An egg, as a zip and unpacked."""
    env = make_site(tmp_path)
    setup(project, env, "bdist_egg", "--dist-dir", str(tmp_path / "dist"))
    (egg,) = glob.glob(str(tmp_path / "dist/*.egg"))
    name = os.path.basename(egg)
    if zipped:
        shutil.copy(egg, env.site)
    else:
        shutil.unpack_archive(egg, path(env, name), "zip")
    with open(path(env, "easy-install.pth"), "w") as file:
        file.write("./%s\n" % name)
    assert "an egg" in refused(("--python", env.python), env.site)
    tally(ODD + "egg")


@pytest.mark.parametrize("named", ["--python", "--site"])
@pytest.mark.parametrize("kind", ["a wheel", "a zip", "no zip", "a FIFO", "gone"])
def test_an_archive_on_the_path(tmp_path, make_site, kind, named, tally):
    """A .pth may name a zip: what is in it cannot be patched, and is not called absent."""
    env = make_site(tmp_path)
    archive = tmp_path / "odd.zip"
    if kind == "a wheel":
        archive = slim_wheel("6.5.7", str(tmp_path))
    elif kind == "a zip":
        shutil.move(slim_wheel("6.5.7", str(tmp_path)), str(archive))
    elif kind == "no zip":
        archive.write_bytes(b"PK\3\4" + bytes(100))
    elif kind == "a FIFO":
        os.mkfifo(str(archive))
    with open(path(env, "odd.pth"), "w") as file:
        file.write(str(archive) + "\n")
    where = (named, env.python if named == "--python" else env.site)
    if kind in ("a wheel", "a zip"):
        assert "inside of the archive" in refused(where, env.site)
    else:
        assert run_in_child("status", *where)[0] == 5  # nothing here for us
    tally(ODD + "archive on the path")


def test_two_copies_on_the_path(tmp_path, make_site, tally):
    """The copy that is imported is changed; the hidden one is shown as such, and stays."""
    first = make_site(tmp_path, [RELEASE], name="first", slim=True)
    second = os.path.join(first.prefix, "more")
    shutil.copytree(make_site(tmp_path, [RELEASE], name="second", slim=True).site, second)
    with open(path(first, "more.pth"), "w") as file:
        file.write(second + "\n")
    before = times(second)
    for _ in there_and_back(("--python", first.python), first.site):
        document = run_in_child("status", "--python", first.python)[1]
        hidden = next(one for one in document["sites"] if one["site"] == second)
        assert {"shadowed" in (one["reason"] or "") for one in hidden["patches"]} == {True}
        assert times(second) == before
    tally(ODD + "two copies on the path")


# Stale bytecode.


@pytest.fixture
def app(tmp_path, make_site):
    """A module of one's own and a patch that changes neither its size nor anything but a digit."""
    env = make_site(tmp_path)
    before, after = {"our_app/a.py": b"a = 1\n"}, {"our_app/a.py": b"a = 2\n"}
    ours = own_patch(tmp_path, before, after, env.site)
    return env, ("--python", env.python, "--patches", ours)


def imported(env, python=sys.executable, options=(), prefix=None):
    """What a Python finds in the module, writing bytecode as it does by default."""
    code = "import sys; sys.path.insert(0, %r); from our_app.a import a; print(a)" % env.site
    environment = {"PATH": os.defpath}
    if prefix is not None:
        environment["PYTHONPYCACHEPREFIX"] = prefix
    command = [python, "-s", *options, "-c", code]
    return int(subprocess.check_output(command, env=environment, cwd="/"))


def compiled(env, python=sys.executable, mode="timestamp", level=0, target=None, prefix=None):
    """A .pyc of the module as it is, of a kind of one's choice."""
    code = (
        "import py_compile, sys; py_compile.compile(sys.argv[1], cfile=sys.argv[2] or None,"
        " doraise=True, optimize=int(sys.argv[3])%s)"
    )
    modes = ", invalidation_mode=py_compile.PycInvalidationMode." + mode.upper()
    if mode == "timestamp":
        modes = ""
    environment = {"PATH": os.defpath}
    if prefix is not None:
        environment["PYTHONPYCACHEPREFIX"] = prefix
    arguments = [path(env, "our_app/a.py"), target or "", str(level)]
    subprocess.run([python, "-c", code % modes] + arguments, env=environment, check=True)


def same_second(env):
    """The source as if it had been written in this very second, and by the clock of the future."""
    now = os.stat(path(env, "our_app/a.py")).st_mtime
    os.utime(path(env, "our_app/a.py"), (now + 1, now + 1))


KINDS = {
    "same size and second": {},
    "unchecked-hash": {"mode": "unchecked_hash"},
    "checked-hash": {"mode": "checked_hash"},
    "-O": {"level": 1, "options": ["-O"]},
    "-OO": {"level": 2, "options": ["-OO"]},
    "unchecked-hash -O": {"mode": "unchecked_hash", "level": 1, "options": ["-O"]},
}


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_new_code_runs_whatever_bytecode_there_was(app, kind, tally):
    """A Python that imports the module before and after each change gets what is there."""
    env, where = app
    how = dict(KINDS[kind])
    options = how.pop("options", [])
    same_second(env)
    for command, number in (("apply", 2), ("revert", 1), ("apply", 2)):
        compiled(env, **how)
        assert imported(env, options=options) == 3 - number
        assert run_in_child(command, *where)[0] == 0
        assert imported(env, options=options) == number
        tally(ODD + "stale bytecode")


def others():
    """Pythons of other releases that are here."""
    found = glob.glob(os.path.expanduser("~/.pyenv/versions/3.*/bin/python3.[0-9]*"))
    found = [one for one in found if one[-1].isdigit()] + glob.glob("/usr/bin/python3.[0-9]*")
    mine = PYTHON
    return sorted(one for one in found if os.path.basename(one) != mine and one[-1].isdigit())


def test_bytecode_of_other_interpreters(app, tally):
    """Each Python that shares the folder has a .pyc of its own: none of them runs on the old."""
    env, where = app
    pythons = others()
    if not pythons:
        pytest.skip("no other Python here")
    same_second(env)
    for command, number in (("apply", 2), ("revert", 1)):
        for python in pythons:
            compiled(env, python)
        if sys.version_info >= (3, 7):
            compiled(env, mode="unchecked_hash")
        assert run_in_child(command, *where)[0] == 0
        assert {imported(env, python) for python in pythons} == {number}
        tally(ODD + "stale bytecode", len(pythons))


def test_legacy_bytecode(app, tally):
    """A .pyc beside the source comes alive when the source is gone: it goes with the change."""
    env, where = app
    for command, number in (("apply", 2), ("revert", 1)):
        legacy = path(env, "our_app/a.pyc")
        compiled(env, target=legacy)
        assert run_in_child(command, *where)[0] == 0
        assert not os.path.exists(legacy)
        assert imported(env) == number
        tally(ODD + "stale bytecode")


def test_a_folder_of_bytecode_elsewhere(app, tmp_path, tally):
    """PYTHONPYCACHEPREFIX: another size or second of the source makes Python look again.

    Nobody can know these folders: an unchecked-hash .pyc in one is run until it is taken
    away, as after any change that pip makes.
    """
    if sys.version_info < (3, 8):
        pytest.skip("came with Python 3.8")
    env, where = app
    prefix = str(tmp_path / "prefix")
    same_second(env)
    for command, number in (("apply", 2), ("revert", 1), ("apply", 2)):
        assert imported(env, prefix=prefix) == 3 - number
        assert run_in_child(command, *where)[0] == 0
        assert imported(env, prefix=prefix) == number
        tally(ODD + "stale bytecode")
    compiled(env, mode="unchecked_hash", prefix=prefix)
    assert run_in_child("revert", *where)[0] == 0
    assert imported(env, prefix=prefix) == 2


# Debian's own packages.

DEBIAN = {
    "jupyterhub": "jupyterhub",
    "python3-notebook": "notebook",
    "python3-jupyter-server": "jupyter_server",
}


@pytest.fixture(scope="session")
def debian(tmp_path_factory):
    """What Debian's packages unpack to."""
    if not shutil.which("apt-get") or not shutil.which("dpkg-deb"):
        pytest.skip("takes apt and dpkg")
    kept = os.path.join(CACHE, "debian")
    os.makedirs(kept, exist_ok=True)
    top = str(tmp_path_factory.mktemp("debian"))
    for name in DEBIAN:
        if not glob.glob(os.path.join(kept, name + "_*.deb")):
            quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
            subprocess.run(["apt-get", "download", name], cwd=kept, **quiet)
        found = sorted(glob.glob(os.path.join(kept, name + "_*.deb")))
        if not found:
            pytest.skip("apt-get cannot download %s here" % name)
        subprocess.run(["dpkg-deb", "-x", found[-1], top], check=True)
    return os.path.join(top, "usr/lib/python3/dist-packages")


def test_debians_packages(debian, tmp_path, tally):
    """jupyterhub, notebook and jupyter_server as Debian ships them: egg-info and no RECORD."""
    site = str(tmp_path / "usr/lib/python3/dist-packages")
    shutil.copytree(debian, site, symlinks=True)
    for document in there_and_back(("--site", site), site):
        applied = {
            one["patch"].partition("/")[0]
            for one in document["sites"][0]["patches"]
            if one["state"] == "applied"
        }
        assert applied == set(DEBIAN.values())
        assert sum("no RECORD" in note for note in document["sites"][0]["notes"]) >= 3
        for name in applied:
            assert glob.glob(os.path.join(site, name, "_jhpatch_kerberos", "__init__.py"))
    assert not os.path.exists(os.path.join(site, ".jhpatch"))
    tally(ODD + "Debian's packages", len(DEBIAN))


# Odd paths, locales, masks and options.


def typed(options, *arguments, environment=(), umask=0o022):
    """A command in a Python of its own with odd options: exit code and what it said."""
    # No bytecode: a ``__pycache__`` of that umask in the checkout would be in others' way.
    code = "import sys; sys.dont_write_bytecode = True; sys.path[:0] = %r; "
    code += "from jhpatch.cli.main import main; sys.exit(main())"
    # With -S there is no site-packages: patch_ng comes from where ours lies.
    import patch_ng

    paths = [ROOT, os.path.dirname(os.path.abspath(patch_ng.__file__))]
    done = subprocess.run(
        [sys.executable, *options, "-c", code % paths, *arguments],
        env=dict({"PATH": os.defpath}, **dict(environment)),
        cwd="/",
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: os.umask(umask) and None,
    )
    assert b"Traceback" not in done.stderr, done.stderr.decode()
    return done.returncode, done.stdout + done.stderr


PATHS = (
    b"two  words",
    b"a\nnew line",
    b"\xff\xfe not UTF-8",
    b"-rf",
    "日本語".encode(),
    b"$(id) `id` ;&'\"\\",
)


@pytest.mark.parametrize("name, locale", [(n, "C") for n in PATHS] + [(PATHS[2], "C.UTF-8")])
def test_an_odd_path(env, name, locale, tally):
    """Spaces, a newline, bytes that are no UTF-8, what a shell would obey, with umask 077."""
    odd = os.path.join(os.fsencode(os.path.dirname(env.prefix)), name)
    before = tree(env.site)
    os.rename(os.fsencode(env.prefix), odd)
    site = os.path.join(odd, os.fsencode(os.path.relpath(env.site, env.prefix)))
    where = (b"--python", os.path.join(odd, b"bin/python"))
    try:
        for command in ("apply", "status", "revert"):
            code, talk = typed((), command, *where, environment={"LANG": locale}, umask=0o077)
            assert code == 0, talk
            changed = {k for k, row in tree(os.fsdecode(site)).items() if before.get(k) != row}
            assert bool(changed) == (command != "revert")
            if changed:
                saved = os.path.join(site, b".jhpatch")
                made = [os.path.join(site, HELPER.encode()), saved + b"/state.json"]
                for one in made + glob.glob(glob.escape(saved) + b"/originals/*"):
                    assert stat.S_IMODE(os.stat(one).st_mode) == 0o644, one
    finally:
        os.rename(odd, os.fsencode(env.prefix))
    tally(ODD + "path, locale and umask")


@pytest.mark.parametrize("options", [["-O"], ["-OO"], ["-I"], ["-S"], ["-I", "-S", "-OO", "-B"]])
def test_a_python_with_odd_options(env, options, tally):
    """A whole apply and revert by a Python without asserts, isolated, or without site."""
    before = tree(env.site)
    for command, same in (("apply", False), ("status", False), ("revert", True)):
        code, talk = typed(options, command, "--python", env.python)
        assert code == 0, talk
        assert (tree(env.site) == before) == same
    tally(ODD + "Python's options")


@pytest.mark.parametrize("options", [["-S"], ["-I", "-S"]])
def test_without_site_its_own_environment_is_the_same(env, options, tally):
    """A venv's Python with -S still looks at the venv, not at the Python that it was made of."""
    code = "import sys; sys.path[:0] = [%r]; from jhpatch.installer import environment; "
    code += "e = environment.own_environment()"
    code += "; print(e.prefix); print(*(one.path for one in e.sites), sep='\\n')"
    found = []
    for more in ([], options):
        command = [env.python, *more, "-c", code % ROOT]
        found.append(subprocess.check_output(command, env={"PATH": os.defpath}, cwd="/"))
    assert found[0] == found[1]
    assert os.fsencode(env.site) in found[0]
    tally(ODD + "Python's options")
