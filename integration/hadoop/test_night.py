"""Two users' PySpark notebooks on a Kerberized cluster, past the end of tickets and tokens."""

import re

import pytest

from integration.e2e.patched_stack import is_valid
from integration.e2e.world import PASSWORDS
from integration.hadoop.scene import START, Scene


@pytest.mark.parametrize("name", sorted(PASSWORDS))
def test_a_notebook_works_as_its_user(scene: Scene, name: str) -> None:
    """Log in, open, count, write, read: the user owns the file on HDFS and YARN's application."""
    first = scene.first[name]
    assert first["read"] == 1000 and first["master"] == "yarn"
    assert first["user"] == first["owner"] == name
    assert first["path"] == "hdfs://localhost:8020/user/%s/of-%s" % (name, name)
    users = {one.id: one.user for one in scene.cluster.running()}
    assert users[first["application"]] == name


@pytest.mark.parametrize("name, other", [("alice", "bob"), ("bob", "alice")])
def test_no_user_reads_the_others_files(scene: Scene, name: str, other: str) -> None:
    """HDFS knows both, at the same time on the same hub."""
    code = "spark.read.parquet('%s').count()" % scene.first[other]["path"]
    found = scene.kernels[name].run(code, START)
    assert "Permission denied: user=%s" % name in found, found


@pytest.mark.parametrize("name", sorted(PASSWORDS))
def test_past_ticket_and_token_the_session_still_works(scene: Scene, name: str) -> None:
    """Nobody was at the notebook for six minutes: Spark and a plain FileSystem read and write."""
    scene.over()
    assert set(scene.last[name].values()) == {""}, scene.last[name]
    assert is_valid(name)


def test_without_the_setting_the_token_ends_it(scene: Scene) -> None:
    """The same notebook with Spark's default: a valid ticket, and a token that has expired."""
    scene.over()
    assert is_valid("alice")
    for what in ("read", "write"):
        error = scene.last["as-upstream"][what]
        assert re.search("InvalidToken|[Tt]oken .*(expired|can't be found)", error), error
