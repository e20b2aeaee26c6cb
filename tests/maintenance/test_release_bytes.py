"""The bytes of a release: each source in turn, and none without the hash of RECORD."""

import hashlib
import os
import shutil

import pytest

from jhpatch.errors import Failed, Usage
from jhpatch.maintenance import release_bytes, wheels
from jhpatch.maintenance.release_bytes import Sources
from testing.index import made_wheel, serving

DATA = b"A = 1\n"
HASHES = {"app/a.py": hashlib.sha256(DATA).hexdigest()}


@pytest.fixture
def offline(monkeypatch, tmp_path):
    """pip has an empty cache and no index."""
    monkeypatch.setenv("PIP_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    return str(tmp_path / "cache")


def wheel(folder, data=DATA, version="1.0"):
    """The wheel of a release in a folder."""
    return made_wheel(str(folder), "app", version, {"app/a.py": data})


def find(**fields):
    """What is found, and what was tried."""
    sources = Sources(cache=False, network=False)._replace(**fields)
    return release_bytes.find("App", "1.0", HASHES, sources)


def test_each_source(tmp_path, offline):
    """Saved originals, named wheels, a directory of wheels, pip's cache."""
    path = wheel(tmp_path / "w")
    assert find(saved={HASHES["app/a.py"]: DATA}.get).files == {"app/a.py": DATA}
    assert find(wheels=(path,)).files == {"app/a.py": DATA}
    assert find(directory=str(tmp_path / "w")).files == {"app/a.py": DATA}
    assert find().files == {}


@pytest.mark.parametrize(
    "place, head, tail",
    [
        ("wheels/a/b/app-1.0-py3-none-any.whl", b"", b""),
        ("http-v2/a/b/c/d.body", b"", b""),
        ("http/a/b/c/d", b"cc=4,\x82\xa8response\x86\xa4body\xc5", b"\xa7headers\x80"),
    ],
)
def test_pips_cache(tmp_path, offline, place, head, tail):
    """A wheel that pip built, and a response of an index in both forms of the cache."""
    path = os.path.join(offline, place)
    os.makedirs(os.path.dirname(path))
    with open(wheel(tmp_path / "w"), "rb") as file:
        data = file.read()
    with open(path, "wb") as file:
        file.write(head + data + tail)
    for name, text in (("other.body", b"no zip"), ("empty.body", b"")):
        with open(os.path.join(os.path.dirname(path), name), "wb") as file:
            file.write(text)
    assert find(cache=True).files == {"app/a.py": DATA}


def test_another_release_in_the_cache(tmp_path, offline):
    """A wheel of another release, or with other bytes, is none."""
    os.makedirs(offline + "/wheels")
    shutil.copy(wheel(tmp_path / "w", version="1.1"), offline + "/wheels")
    found = find(cache=True)
    assert (found.files, found.tried) == ({}, ["pip's cache has no wheel with the original"])


def test_bytes_without_the_hash_are_none(tmp_path, offline):
    """A wheel of the release with other bytes is named, and not believed."""
    path = wheel(tmp_path / "w", b"A = 2\n")
    found = find(wheels=(path,), directory=str(tmp_path / "w"), cache=True, network=True)
    assert found.files == {}
    assert (
        found.tried[0]
        == found.tried[1]
        == "app-1.0-py3-none-any.whl does not contain the original"
    )
    assert found.tried[2] == "pip's cache has no wheel with the original"
    assert found.tried[3].startswith(
        "the wheel of the package index does not contain the original"
    )


def test_a_named_wheel_of_another_release_is_refused(tmp_path):
    """It is a mistake of who typed it."""
    with pytest.raises(Usage) as error:
        find(wheels=(wheel(tmp_path, version="1.1"),))
    assert (error.value.expected, error.value.found) == ("App 1.0", "app 1.1")


@pytest.mark.slow
def test_the_index(tmp_path, offline, monkeypatch):
    """pip downloads the wheel, into a directory of wheels if one is named."""
    wheel(tmp_path / "served")
    monkeypatch.delenv("PIP_NO_INDEX")
    with serving(str(tmp_path / "served")) as address:
        monkeypatch.setenv("PIP_INDEX_URL", address)
        assert find(network=True).files == {"app/a.py": DATA}
        assert find(network=True, directory=str(tmp_path / "kept")).files
    assert os.listdir(str(tmp_path / "kept")) == ["app-1.0-py3-none-any.whl"]


@pytest.mark.parametrize(
    "stderr, message",
    [
        (b"/usr/bin/python3: No module named pip", "there is no pip"),
        (b'ERROR: unknown command "cache"', "this pip is too old: it has no command cache"),
    ],
)
def test_a_pip_that_is_missing_or_old_is_said(stderr, message):
    """What is there, and what is needed."""
    with pytest.raises(Failed) as error:
        wheels._refuse_pip(stderr, "cache")
    assert message in error.value.message and error.value.next
