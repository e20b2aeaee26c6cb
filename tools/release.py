"""Builds the sdist and the wheel: the same bytes on any day, on any machine.

    python tools/release.py FOLDER [--check]      (needs build; --check: twine too)

Times are those of the last commit (SOURCE_DATE_EPOCH), owners and modes are plain, names are
sorted; the wheel is built from the sdist. ``--check`` builds twice, under another umask and at
another time, compares, and has twine read the result.
"""

import argparse
import gzip
import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from typing import Dict, List, Optional

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from testing import ROOT, checkout


def epoch() -> int:
    """Seconds: when the last commit was made, or what SOURCE_DATE_EPOCH says."""
    said = os.environ.get("SOURCE_DATE_EPOCH")
    argv = ["git", "log", "-1", "--format=%ct"]
    return int(said or subprocess.check_output(argv, cwd=ROOT).decode())


def built(folder: str, when: int) -> Dict[str, str]:
    """Builds both into ``folder``; their names and SHA-256."""
    os.makedirs(folder, exist_ok=True)
    os.umask(0o022)  # a wheel has the modes of the files that it is built from
    environment = dict(os.environ, SOURCE_DATE_EPOCH=str(when), PYTHONHASHSEED="0")
    build = [sys.executable, "-m", "build", "--outdir"]
    with tempfile.TemporaryDirectory() as top:
        copy = checkout.copy(os.path.join(top, "checkout"))
        _run([*build, top, "--sdist", copy], environment)
        shutil.rmtree(copy)
        (name,) = os.listdir(top)
        _plain(os.path.join(top, name), os.path.join(folder, name), when)
        with tarfile.open(os.path.join(folder, name)) as archive:
            archive.extractall(top)  # our own
        source = os.path.join(top, name[: -len(".tar.gz")])
        _run([*build, folder, "--wheel", source], environment)
    return {one: _digest(os.path.join(folder, one)) for one in sorted(os.listdir(folder))}


def _run(argv: List[str], environment: Dict[str, str]) -> None:
    done = subprocess.run(
        argv, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=600
    )
    if done.returncode:
        sys.exit(done.stdout.decode("utf-8", "replace"))


def _plain(source: str, target: str, when: int) -> None:
    """The same archive without what differs from one machine and day to the next."""

    def plain(member: tarfile.TarInfo) -> tarfile.TarInfo:
        member.mtime, member.uid, member.gid, member.uname, member.gname = when, 0, 0, "", ""
        member.mode = 0o755 if member.isdir() or member.mode & 0o100 else 0o644
        member.pax_headers = {}
        return member

    with tarfile.open(source) as old, open(target, "wb") as file:
        with gzip.GzipFile(filename="", fileobj=file, mode="wb", mtime=when) as packed:
            with tarfile.open(fileobj=packed, mode="w", format=tarfile.GNU_FORMAT) as new:
                for member in sorted(old.getmembers(), key=lambda one: one.name):
                    data = old.extractfile(member) if member.isfile() else None
                    new.addfile(plain(member), data)


def _digest(path: str) -> str:
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def difference(when: int) -> Optional[str]:
    """What a second build, under another umask, gives that the first did not; None: nothing."""
    found = []
    with tempfile.TemporaryDirectory() as top:
        for number, mask in enumerate((0o022, 0o077)):
            os.umask(mask)
            found.append(built(os.path.join(top, str(number)), when))
        paths = [os.path.join(top, "0", name) for name in found[0]]
        subprocess.run([sys.executable, "-m", "twine", "check", "--strict", *paths], check=True)
    return None if found[0] == found[1] else "%s\n%s" % tuple(found)


def main() -> int:
    """0: built, and the same each time."""
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("folder", nargs="?", default=os.path.join(ROOT, "dist"))
    parser.add_argument("--check", action="store_true", help="build twice, compare; write nothing")
    arguments = parser.parse_args()
    when = epoch()
    if arguments.check:
        found = difference(when)
        print(
            "two builds differ:\n" + found if found else "two builds are the same, byte for byte"
        )
        return 1 if found else 0
    for name, digest in built(arguments.folder, when).items():
        print("%s  %s" % (digest, name))
    return 0


if __name__ == "__main__":
    sys.exit(main())
