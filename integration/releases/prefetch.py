"""All wheels of a run into the cache, several at a time: a call of pip takes a second."""

import contextlib
import fcntl
import os
import tempfile
from concurrent.futures import ThreadPoolExecutor
from typing import Iterable, List, Tuple

from testing.wheels import CACHE, run_pip

_THREADS = 4

Release = Tuple[str, str]


def prefetch(releases: Iterable[Release]) -> None:
    """Brings what is missing; of several processes one does it, and the others wait.

    What pip refuses here is left to the test that needs it, which says why.
    """
    os.makedirs(CACHE, exist_ok=True)
    with open(os.path.join(CACHE, ".prefetch"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        missing = sorted(set(releases) - _there())
        with ThreadPoolExecutor(_THREADS) as pool:
            list(pool.map(_download, _batches(missing)))


def _there() -> "set[Release]":
    names = [name.split("-") for name in os.listdir(CACHE) if name.endswith(".whl")]
    return {(name[0], name[1]) for name in names}


def _batches(releases: List[Release]) -> List[List[Release]]:
    """pip takes one release of a distribution in a call, and several distributions."""
    batches: List[List[Release]] = []
    for name in sorted({name for name, _ in releases}):
        for number, release in enumerate(one for one in releases if one[0] == name):
            if number == len(batches):
                batches.append([])
            batches[number].append(release)
    return batches


def _download(batch: List[Release]) -> None:
    with tempfile.TemporaryDirectory(prefix=".download-", dir=CACHE) as folder:
        with contextlib.suppress(RuntimeError):
            run_pip(
                *"download --no-deps --only-binary :all: --ignore-requires-python".split(),
                *["--dest", folder],
                *["%s==%s" % release for release in batch],
            )
        for one in os.listdir(folder):
            os.replace(os.path.join(folder, one), os.path.join(CACHE, one))
