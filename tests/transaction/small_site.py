"""A small distribution before and after a change, and runs that apply or revert the change."""

import hashlib
import os

from jhpatch.transaction.transaction import FileChange, locked

RECORD = "app-1.dist-info/RECORD"
OLD = {
    RECORD: b"app/a.py,sha256=x,1\r\n",
    "app/a.py": b"a = 'old'\n",
    "app/sub/b.py": b"b = 'old'\n",
}
NEW = {
    RECORD: b"app/a.py,sha256=y,2\r\napp/helper.py,sha256=z,3\r\n",
    "app/helper.py": b"helper = 1\n",
    "app/new/part.py": b"part = 1\n",
    "app/new/deep/data.txt": b"data\n",
    "app/new/__init__.py": b"from app.new import part\n",
    "app/a.py": b"from app import helper, new\na = 'new'\n",
    "app/sub/b.py": b"from app import helper\nb = 'new'\n",
    ".jhpatch/state.json": b"{}\n",
}
PACKAGE = ["app/new/part.py", "app/new/deep/data.txt", "app/new/__init__.py"]
"""Files in directories that the change creates."""
APPLY = [RECORD, "app/helper.py", *PACKAGE, "app/a.py", "app/sub/b.py", ".jhpatch/state.json"]
REVERT = ["app/a.py", "app/sub/b.py", *PACKAGE[::-1], "app/helper.py", RECORD]
REVERT += [".jhpatch/state.json"]
KEEP = [hashlib.sha256(data).hexdigest() for data in OLD.values()]


def changes(order, before, after):
    """The FileChanges from one state of the files to another."""
    guards = dict.fromkeys(["app/helper.py", *PACKAGE], RECORD)
    return [FileChange(p, before.get(p), after.get(p), guards.get(p)) for p in order]


def write(site, files):
    """Write files into a new directory, as pip leaves them."""
    for path, data in files.items():
        full = os.path.join(str(site), path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "wb") as file:
            file.write(data)


def contents(site):
    """All files of a site, and its empty directories, which end in ``/``.

    Of .jhpatch the state alone.
    """
    files = {}
    for directory, inner, names in os.walk(str(site)):
        path = os.path.relpath(directory, str(site))
        if not inner and not names and not path.startswith(".jhpatch") and "__p" not in path:
            files[path + "/"] = b""
        for name in names:
            path = os.path.relpath(os.path.join(directory, name), str(site))
            if not path.startswith(".jhpatch/") or path == ".jhpatch/state.json":
                with open(os.path.join(directory, name), "rb") as file:
                    files[path] = file.read()
    return files


def apply(site, step=lambda label: None):
    """Change the old files to the new ones."""
    with locked(str(site), step=step) as transaction:
        transaction.commit(changes(APPLY, OLD, NEW), keep=KEEP)


def revert(site, step=lambda label: None):
    """Change the new files to the old ones."""
    with locked(str(site), step=step) as transaction:
        transaction.commit(changes(REVERT, NEW, OLD))


def labels_of(job, site):
    """The steps that a job takes."""
    labels = []
    job(site, labels.append)
    return labels


def killed_at(number, job, site):
    """Run ``job`` in a child that dies, as if by kill -9, at a step; return whether it died."""
    pid = os.fork()
    if pid == 0:
        count = [0]

        def step(label):
            if count[0] == number:
                os._exit(9)
            count[0] += 1

        try:
            job(site, step)
        finally:
            os._exit(0)
    return os.WEXITSTATUS(os.waitpid(pid, 0)[1]) == 9


def assert_nothing_temporary(site):
    """Fail where a temporary file or a journal is left."""
    for _folder, _, names in os.walk(str(site)):
        for name in names:
            assert not name.startswith(".jhpatch-"), name
            assert not name.endswith(".new"), name
            assert name != "journal.json"


def fresh(directory):
    """Make a site with the old files."""
    write(directory, OLD)
    return directory


def applied(directory):
    """Make a site with the new files."""
    apply(fresh(directory))
    return directory


def interrupt(site):
    """Leave a site as a run leaves it that dies after its first module."""
    steps = labels_of(apply, fresh(site.parent / "steps"))
    assert killed_at(steps.index("replace app/sub/b.py"), apply, site)
    assert contents(site)["app/a.py"] == NEW["app/a.py"]
