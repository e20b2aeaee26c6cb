"""Ten releases of the package index, of ten kinds: edited, patched elsewhere, and reverted."""

import os

import pytest

from testing.packages import write
from testing.trees import tree


def inserted(data):
    """A line in the middle, with the line end of the file."""
    lines = data.splitlines(True)
    end = b"\r\n" if lines[0].endswith(b"\r\n") else b"\n"
    middle = next(n for n in range(len(lines) // 2, len(lines)) if not lines[n].strip())
    return b"".join(lines[:middle]) + b"# a line of our own" + end + b"".join(lines[middle:])


def shortened(data):
    """The file without its last two lines, and without a final newline."""
    return b"".join(data.splitlines(True)[:-2]).rstrip(b"\n")


RELEASES = {
    "a single module": ("six", "1.16.0", {"six.py": inserted}),
    "a single module with CRLF and a script": ("tabulate", "0.8.9", {"tabulate.py": inserted}),
    "modules beside a C extension": (
        "psutil",
        "5.9.8",
        {"psutil/_common.py": inserted, "psutil/ours.py": b"A = 1\n"},
    ),
    "a namespace by a .pth file": (
        "zope.event",
        "4.6",
        {"zope/event/__init__.py": inserted, "zope/event/tests.py": None},
    ),
    "a namespace without __init__.py": (
        "jaraco.functools",
        "3.5.0",
        {"jaraco/functools.py": inserted},
    ),
    "a data file": (
        "certifi",
        "2021.5.30",
        {"certifi/cacert.pem": shortened, "certifi/core.py": inserted},
    ),
    "a nested package behind a console script": (
        "chardet",
        "4.0.0",
        {
            "chardet/cli/chardetect.py": inserted,
            "chardet/cli/ours/__init__.py": b"",
            "chardet/cli/ours/deep/more.py": b"A = 1",
        },
    ),
    "stubs": (
        "attrs",
        "21.4.0",
        {"attr/__init__.pyi": inserted, "attr/py.typed": b"partial\n", "attr/_make.py": inserted},
    ),
    "a dash in the name": (
        "python-dateutil",
        "2.8.2",
        {"dateutil/tz/tz.py": inserted, "dateutil/zoneinfo/our notes.txt": b"one\r\ntwo\n"},
    ),
    "two packages": (
        "toolz",
        "0.11.2",
        {"tlz/__init__.py": b"", "toolz/curried/__init__.py": inserted, "toolz/tests": None},
    ),
}
"""Name, release and edits: a function of the bytes, new bytes, or None for a removal."""


def edit(env, edits):
    """Edit the files of a site."""
    for path, change in edits.items():
        full = os.path.join(env.site, path)
        if change is None:
            names = [full]
            if os.path.isdir(full):
                names = [os.path.join(full, name) for name in os.listdir(full)]
            for name in names:
                os.unlink(name)
        elif isinstance(change, bytes):
            write(env, path, change)
        else:
            with open(full, "rb") as file:
                write(env, path, change(file.read()))


def files(env):
    """All files of a site and of ``bin`` but those that jhpatch keeps."""
    return {
        (top, path): row
        for top in (env.site, os.path.join(env.prefix, "bin"))
        for path, row in tree(top).items()
        if not path.startswith(".jhpatch")
    }


@pytest.mark.slow
@pytest.mark.parametrize("kind", sorted(RELEASES))
def test_a_release_of_the_index(make_site, wheel, jhpatch, tmp_path, kind):
    """create, lint, apply in another environment, revert: the edited bytes, then the release's."""
    name, version, edits = RELEASES[kind]
    here, there = (make_site(tmp_path, [(name, version)], name=env) for env in ("here", "there"))
    released = {path[1]: row for path, row in files(here).items()}
    edit(here, edits)
    patch, patches = name + "/ours", ("--patches", str(tmp_path / "p"))
    words = ("--description", "d", "--wheel", wheel(name, version))
    answer = jhpatch(here, "create", patch, *patches, *words)
    assert (answer.code, list(answer.states.values())) == (0, ["applied"]), answer
    assert jhpatch(None, "lint", *patches, *words[2:]).document["findings"] == []
    answer = jhpatch(there, "apply", *patches, patch)
    assert (answer.code, list(answer.states.values())) == (0, ["applied"]), answer
    assert jhpatch(there, "status", *patches, patch).code == 0
    ours, theirs = ({path: row for (_, path), row in files(env).items()} for env in (here, there))
    ours.pop("toolz/tests", None)  # an edit leaves the directory, an apply does not
    assert ours == theirs != released
    for env in (here, there):
        assert jhpatch(env, "revert").code == 0
        assert not os.path.exists(os.path.join(env.site, ".jhpatch"))
        assert {path: row for (_, path), row in files(env).items()} == released
