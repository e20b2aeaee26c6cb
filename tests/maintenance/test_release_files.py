"""The unpatched files of a release."""

import pytest

from jhpatch.errors import Failed, Refused, Usage
from jhpatch.maintenance import release_files
from jhpatch.maintenance.release_files import ReleaseFiles
from jhpatch.patchset.edition import read_edition
from testing.index import made_wheel
from testing.patch_files import PATH, UPSTREAM, patch_text, put

OTHER = UPSTREAM + b"# other\n"


@pytest.fixture
def wheel(tmp_path):
    """``wheel("1.3", bytes)``: the path of a wheel of ``app``."""

    def make(version, data):
        return made_wheel(str(tmp_path / "wheels"), "app", version, {PATH: data})

    return make


@pytest.fixture
def edition(tmp_path):
    """For 1.0, which has ``UPSTREAM``."""
    return read_edition(put(str(tmp_path), patch_text(versions="==1.0")))


def target(source, release=None, paths=(PATH,), directory="/nowhere"):
    """The release of ``app`` that a command line names."""
    return release_files.target(str(source), release, "app", list(paths), str(directory))


def test_a_wheel_a_file_and_a_release(wheel, tmp_path):
    """The same release, however it is named."""
    expected = ReleaseFiles("1.3", {PATH: OTHER})
    path = tmp_path / "handlers.py"
    path.write_bytes(OTHER)
    assert target(wheel("1.3", OTHER)) == expected
    assert target(path, "1.3") == expected
    assert target("1.3", directory=tmp_path / "wheels") == expected


@pytest.mark.parametrize(
    "source, release, paths, error",
    [
        ("other-1.0-py3-none-any.whl", None, (PATH,), Usage),
        ("app.whl", None, (PATH,), Usage),
        ("/nowhere/app-1.0-py3-none-any.whl", None, (PATH,), Failed),
        (__file__, None, (PATH,), Usage),
        (__file__, "../1.0", (PATH,), Usage),
        (__file__, "1.0", (PATH, "app/other.py"), Usage),
        ("/nowhere/handlers.py", "1.0", (PATH,), Usage),
        ("newest", None, (PATH,), Usage),
        ("1.0/x", None, (PATH,), Usage),
    ],
)
def test_what_names_no_release(source, release, paths, error):
    """Another distribution's wheel, a file without its release, a name that is none."""
    with pytest.raises(error):
        target(source, release, paths)


def test_the_origin_must_be_the_editions(edition, wheel, tmp_path):
    """By its hash: a wheel, the file itself, or the wheel in the directory."""
    path = tmp_path / "handlers.py"
    path.write_bytes(UPSTREAM)
    wheels = str(tmp_path / "wheels")
    for source in (wheel("1.0", UPSTREAM), str(path), None):
        assert release_files.origin(source, edition, wheels) == {PATH: UPSTREAM}
    path.write_bytes(OTHER)
    for source in (wheel("1.3", OTHER), str(path)):
        with pytest.raises(Refused) as refused:
            release_files.origin(source, edition, wheels)
        assert refused.value.path == source


def test_the_bytes_of_an_edition(edition):
    """All of its files, and no others count."""
    assert ReleaseFiles("9", {PATH: UPSTREAM, "app/x.py": b""}).is_before(edition)
    assert not ReleaseFiles("1.0", {PATH: OTHER}).is_before(edition)
    assert not ReleaseFiles("1.0", {}).is_before(edition)
