"""A kernel with ``--lazy --idle-stop``: YARN is used by who uses it."""

import json
import time
from typing import Iterator, List, Set

import pytest

from integration.hadoop.cluster import Application
from integration.hadoop.kernels import Kernels
from integration.hadoop.scene import START, Scene


@pytest.fixture(scope="module")
def lazy(kernels: Kernels) -> Iterator[str]:
    """The kernel's name."""
    kernels.install("lazy", "--lazy", "--idle-stop", "1")
    yield "lazy"


def running(kernels: Kernels, others: Set[str]) -> List[Application]:
    """The applications that run beside others."""
    return [one for one in kernels.cluster.running() if one.id not in others]


def wait_for_none(kernels: Kernels, others: Set[str], seconds: float) -> None:
    """Returns when YARN has no other application left."""
    deadline = time.monotonic() + seconds
    while running(kernels, others):
        assert time.monotonic() < deadline, running(kernels, others)
        time.sleep(1)


def test_an_application_comes_with_the_first_use_and_goes_when_it_is_idle(
    scene: Scene, kernels: Kernels, lazy: str
) -> None:
    """None after opening, one after `spark`, none a minute later, one again when it is used."""
    others = {one.id for one in kernels.cluster.applications()}
    with scene.browsers["alice"].start_kernel(lazy) as kernel:
        assert kernel.run("print(6 * 7)", START).strip() == "42"
        assert running(kernels, others) == []
        assert "rows 7" in kernel.run("print('rows', spark.range(7).count())", START)
        (application,) = running(kernels, others)
        assert application.user == "alice"
        wait_for_none(kernels, others, START)
        assert "rows 8" in kernel.run("print('rows', spark.range(8).count())", START)
        assert len(running(kernels, others)) == 1
    wait_for_none(kernels, others, START)


def test_a_kernel_that_was_removed_is_listed_nowhere(
    scene: Scene, kernels: Kernels, lazy: str
) -> None:
    """Neither by the command nor by a server that runs."""
    assert lazy in listed(scene, kernels)
    kernels.remove(lazy)
    assert lazy not in listed(scene, kernels)


def listed(scene: Scene, kernels: Kernels) -> Set[str]:
    """The names that the user's server and the command agree on."""
    served = scene.browsers["alice"].api("GET", "kernelspecs")["kernelspecs"]
    named = json.loads(kernels.listing())["kernels"]
    ours = {one["name"] for one in named}
    assert ours <= set(served), (ours, sorted(served))
    return set(served)
