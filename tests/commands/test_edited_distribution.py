"""The distribution that ``create`` makes a patch of, and what states its release's files."""

import os
import re
import shutil

import pytest

from testing.packages import EDITED, edit, write


@pytest.mark.parametrize("row", ["", "md5=rL0Y20zC-Fzt72VPzMSk2A"])
def test_a_record_without_hashes(create, jhpatch, new_env, tmp_path, row):
    """The named wheel states them; without it the file is refused, and its edit is not lost."""
    env = new_env("env")
    write(env, "pure/a.py", EDITED)
    edit(env, "pure/b.py", b"line_9 = 9\n", b"")
    path = os.path.join(env.site, "pure-1.0.dist-info/RECORD")
    with open(path) as file:
        text = re.sub("pure/a.py,[^,]*,", "pure/a.py,%s," % row, file.read())
    with open(path, "w") as file:
        file.write(text)
    words = ("--patches", str(tmp_path / "p"), "--description", "d")
    answer = jhpatch(env, "create", "pure/try", *words)
    assert answer.code == 5 and "--wheel WHEEL" in answer.error["message"]
    answer = create(env)
    assert (answer.code, answer.states["pure/try"]) == (0, "applied"), answer
    assert answer.document["notes"][:2] == ["changes pure/a.py", "changes pure/b.py"]
    assert jhpatch(env, "revert").code == 0
    with open(path) as file:
        assert file.read() == text


def test_several_sites(create, new_env, tmp_path):
    """The distribution in two environments: which one is meant must be said."""
    one, two = new_env("one"), new_env("two")
    answer = create(one, "--python", two.python)
    assert answer.code == 2 and one.site in answer.error["found"]


def test_a_site_alone(create, new_env, jhpatch, packages, tmp_path):
    """``--site`` names a site without its Python, as in an image."""
    env = new_env("env")
    edit(env, "pure/a.py", b"line_9 = 9\n", b"")
    assert create(None, "--site", env.site).states["pure/try"] == "applied"


def test_without_a_record(create, jhpatch, new_env, packages, tmp_path):
    """Debian's packages: the named wheel states what the release shipped."""
    env = new_env("env")
    info = os.path.join(env.site, "pure-1.0.dist-info")
    with open(os.path.join(env.site, "pure-1.0.egg-info"), "w") as file:
        file.write("Metadata-Version: 1.1\nName: Pure\nVersion: 1.0\n")
    shutil.rmtree(info)
    edit(env, "pure/a.py", b"line_9 = 9\n", b"")
    answer = jhpatch(env, "create", "pure/x", "--patches", str(tmp_path / "p"))
    assert (answer.code, answer.next) == (5, "name the wheel: --wheel WHEEL")
    answer = create(env)
    assert (answer.code, answer.states["pure/try"]) == (0, "applied"), answer
    assert answer.document["candidate"]["text"].startswith("Package: Pure\n")
