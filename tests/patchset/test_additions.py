"""The files that a patch adds: where their bytes may come from, and where they may go."""

import ast
import os

import pytest

from jhpatch.errors import BadPatch
from jhpatch.patchset import additions, edition
from testing.patch_files import HEADER, put


def read(tmp_path, *rows):
    """The edition of a patch file with these rows ``Adds``."""
    text = "".join("Adds: %s\n" % row for row in rows)
    return edition.read_edition(put(str(tmp_path), HEADER.replace("---\n", text + "---\n")))


def test_what_is_added_comes_from_the_patch_directory_or_from_jhpatch(tmp_path, monkeypatch):
    """A file beside the patch, or a helper; its bytes are given by the path in the site."""
    put(str(tmp_path), "h = 1\n", "h.py")
    (tmp_path / "deployed").mkdir()
    (tmp_path / "deployed/kerberos.py").write_text("# Kerberos\n")
    monkeypatch.setattr(additions, "DEPLOYED", str(tmp_path / "deployed"))
    made = read(tmp_path, "app/h.py < app/h.py", "app/_k.py < helper:kerberos")
    assert [addition.is_helper for addition in made.adds] == [False, True]
    added = {addition.path: addition.data for addition in made.adds}
    assert added["app/h.py"] == b"h = 1\n" and b"Kerberos" in added["app/_k.py"]


@pytest.fixture
def sets(tmp_path, monkeypatch):
    """Two sets of jhpatch that share a module."""
    deployed = tmp_path / "deployed"
    (deployed / "service").mkdir(parents=True)
    for name in ("part", "front", "back"):
        (deployed / "service" / (name + ".py")).write_text("name = '%s'\n" % name)
    part = ("part.py", "service/part.py")
    made = {
        "front": (part, ("__init__.py", "service/front.py")),
        "back": (part, ("more.py", "service/back.py"), ("__init__.py", "service/gone.py")),
    }
    monkeypatch.setattr(additions, "SETS", made)
    monkeypatch.setattr(additions, "DEPLOYED", str(deployed))


def test_a_set_is_a_file_each_in_its_order(tmp_path, sets):
    """The names are those in the site, the sources those of jhpatch; all are helpers."""
    made = read(tmp_path, "app/_x/ < deployed:front", "app/h.py < app/h.py")
    paths = [addition.path for addition in made.adds]
    assert paths == ["app/_x/part.py", "app/_x/__init__.py", "app/h.py"]
    assert [addition.is_helper for addition in made.adds] == [True, True, False]
    assert [addition.data for addition in made.adds[:2]] == [
        b"name = 'part'\n",
        b"name = 'front'\n",
    ]


def test_a_file_of_a_set_that_is_missing_is_an_error_when_it_is_read(tmp_path, sets):
    """The header is sound; the error names the source."""
    made = read(tmp_path, "app/_x/ < deployed:back")
    with pytest.raises(BadPatch) as refused:
        edition.digest(made)
    assert refused.value.path == str(tmp_path / "deployed/service/gone.py")


def test_the_digest_of_a_patch_is_that_of_its_set_too(tmp_path, sets):
    """Another version of a module makes the patch outdated where it is applied."""
    row = "app/_x/ < deployed:front"
    before = edition.digest(read(tmp_path, row))
    (tmp_path / "deployed/service/part.py").write_text("name = 'newer'\n")
    assert edition.digest(read(tmp_path, row)) != before


@pytest.mark.parametrize(
    "row",
    [
        "app/_x/ < deployed:none",
        "app/_x/ < deployed:",
        "app/_x < deployed:front",
        "app/_x/ < helper:front",
        "app/_x/ < app/_x/",
        "../_x/ < deployed:front",
        "/ < deployed:front",
        "app/../_x/ < deployed:front",
        "app-1.dist-info/ < deployed:front",
        ".jhpatch/ < deployed:front",
        "app/__pycache__/ < deployed:front",
    ],
)
def test_a_bad_row_of_a_set_is_refused(tmp_path, sets, row):
    """An unknown set, a target that is no directory, and one that no patch may have."""
    with pytest.raises(BadPatch) as refused:
        read(tmp_path, row)
    assert refused.value.path == str(tmp_path / "app/1.0-hooks.patch")


@pytest.mark.parametrize("kind", ["missing", "a link", "a directory"])
def test_a_source_outside_of_the_patch_directory_is_refused(tmp_path, kind):
    """A source that is missing, a symlink or no regular file is BadPatch when it is read."""
    tree = tmp_path / "tree"
    (tree / "app").mkdir(parents=True)
    if kind == "a link":
        (tree / "app/h.py").symlink_to("/etc/hostname")
    elif kind == "a directory":
        (tree / "app/h.py").mkdir()
    made = read(tree, "app/h.py < app/h.py")
    with pytest.raises(BadPatch) as refused:
        edition.digest(made)
    assert refused.value.path == made.file


@pytest.mark.parametrize(
    "row",
    [
        "app/h.py",
        "app/h.py < ../../etc/passwd",
        "app/h.py < /etc/passwd",
        "../h.py < helper:kerberos",
        "app/h.py < helper:../x",
        "app/h.py < helper:missing",
        "app-1.dist-info/h.py < helper:kerberos",
    ],
)
def test_a_bad_row_is_refused(tmp_path, row):
    """A row that leaves the site or the patch directory is an error with the file's path."""
    with pytest.raises(BadPatch) as refused:
        read(tmp_path, row)
    assert refused.value.path == str(tmp_path / "app/1.0-hooks.patch")


@pytest.mark.parametrize(
    "path, fits",
    [
        ("app/a.py", True),
        ("app/static/a b.js", True),
        ("app/static/ a.js", False),
        ("app/static/a\tb.js", False),
        ("app/static/a\u2028b.js", False),
        ("app/__pycache__/a.pyc", False),
        ("app-1.egg-info/PKG-INFO", False),
        (".jhpatch/state.json", False),
        ("app/%s" % ("a" * 256), False),
        ("app/../a.py", False),
        ("/app/a.py", False),
    ],
)
def test_which_files_a_patch_may_have(path, fits):
    """No metadata, bytecode, state of jhpatch, or name that a diff would have to quote."""
    assert additions.is_of_a_package(path) is fits


def test_a_patch_file_may_be_a_symlink(tmp_path):
    """Some package managers install files as symlinks; their target is read."""
    (tmp_path / "real").write_bytes(b"text")
    os.symlink("real", str(tmp_path / "link"))
    assert additions.read_patch(str(tmp_path / "link")) == b"text"


@pytest.mark.parametrize(
    "kind, message",
    [
        ("missing", "cannot read the patch: No such file or directory"),
        ("a FIFO", "the patch is not a regular file"),
        ("too large", "the patch is larger than 1 MiB"),
    ],
)
def test_a_patch_file_that_cannot_be_read(tmp_path, kind, message):
    """The error names the file and the reason; a FIFO is not waited for."""
    path = str(tmp_path / "1.0-hooks.patch")
    if kind == "a FIFO":
        os.mkfifo(path)
    elif kind == "too large":
        (tmp_path / "1.0-hooks.patch").write_bytes(b"x" * (additions.CAP + 1))
    with pytest.raises(BadPatch) as refused:
        additions.read_patch(path)
    assert (refused.value.message, refused.value.path) == (message, path)


@pytest.mark.parametrize("name", sorted(additions.SETS))
def test_the_sets_of_jhpatch(name):
    """Each file once, ``__init__.py`` last, and no name that a patch may not have."""
    targets = [target for target, _ in additions.SETS[name]]
    assert len(set(targets)) == len(targets) and targets[-1] == "__init__.py"
    assert all(additions.is_of_a_package("app/_jhpatch_kerberos/" + target) for target in targets)


@pytest.mark.skipif(
    not os.path.isdir(os.path.join(additions.DEPLOYED, "kerberos")),
    reason="the modules of the sets are not there yet",
)
@pytest.mark.parametrize("name", sorted(additions.SETS))
def test_a_module_of_a_set_comes_after_those_that_it_imports(name):
    """So that an import between two writes finds what it needs; a set imports nothing else."""
    written = set()
    for target, source in additions.SETS[name]:
        with open(os.path.join(additions.DEPLOYED, source), encoding="utf-8") as file:
            tree = ast.parse(file.read())
        imported = {
            (node.module or alias.name).split(".")[0]
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom) and node.level == 1
            for alias in node.names
        }
        assert imported <= written, (target, imported - written)
        written.add(target[: -len(".py")])
