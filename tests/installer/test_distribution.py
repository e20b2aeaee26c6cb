"""Distributions of a site, by its entries: only the metadata of the wanted ones is read."""

import os
import zipfile

import pytest

from jhpatch.installer import distribution
from jhpatch.system.rooted_files import RootDir


def distributions(folder, *names, archives=()):
    """The distributions of these names in a directory."""
    with RootDir(str(folder)) as root:
        return distribution.distributions(root, names, archives)


def info(folder, name, text, file="METADATA"):
    """Make a metadata directory."""
    (folder / name).mkdir(parents=True)
    (folder / name / file).write_text(text)


def test_a_distribution_is_found_by_its_directory(tmp_path):
    """Its metadata directory gives name, version, RECORD and installer (names as PEP 503)."""
    info(tmp_path, "Jupyter_Server-2.21.1.dist-info", "Metadata-Version: 2\nVersion: 2.21.1\n\n")
    (tmp_path / "Jupyter_Server-2.21.1.dist-info/INSTALLER").write_text("uv\n")
    (found,) = distributions(tmp_path, "jupyter_server")["jupyter_server"]
    assert (found.version, found.installer, found.layout) == ("2.21.1", "uv", None)
    assert found.record == "Jupyter_Server-2.21.1.dist-info/RECORD"


def test_the_version_is_what_metadata_states(tmp_path):
    """The header of METADATA counts, not the description below it, nor the directory's name."""
    info(tmp_path, "app-1.dist-info", "Name: app\nVersion: 1.5\n\nVersion: 9\n")
    assert distributions(tmp_path, "app")["app"][0].version == "1.5"


@pytest.mark.parametrize("name", ["app-1.0.egg-info", "app-1.0-py3.11.egg-info"])
def test_debians_layout(tmp_path, name):
    """An egg-info directory without RECORD is read; its name may have the Python's version."""
    info(tmp_path, name, "Name: app\nVersion: 1.0\n", "PKG-INFO")
    (found,) = distributions(tmp_path, "app")["app"]
    assert (found.version, found.record, found.layout) == ("1.0", None, None)


def test_others_are_not_read(tmp_path):
    """Distributions that are not wanted are not opened."""
    info(tmp_path, "other-1.dist-info", "Version: 1\n")
    os.mkfifo(str(tmp_path / "other-2.dist-info"))  # reading it would hang
    assert distributions(tmp_path, "app") == {}


def test_hostile_metadata_is_no_traceback(tmp_path):
    """A FIFO in the place of METADATA is not waited for."""
    (tmp_path / "app-1.dist-info").mkdir()
    os.mkfifo(str(tmp_path / "app-1.dist-info/METADATA"))
    assert distributions(tmp_path, "app")["app"][0].version == "1"


def test_a_distutils_egg_info_is_a_file(tmp_path):
    """The metadata may be one file; its version is read from it, without a RECORD."""
    (tmp_path / "app-1.0.egg-info").write_text("Name: app\nVersion: 1.0.post1\n")
    (found,) = distributions(tmp_path, "app")["app"]
    assert (found.version, found.record, found.layout) == ("1.0.post1", None, None)


def test_an_interrupted_upgrade_leaves_two(tmp_path):
    """Each entry is listed; one with nothing but temporary files of jhpatch is not."""
    info(tmp_path, "app-1.0.dist-info", "Version: 1.0\n")
    info(tmp_path, "app-1.1.dist-info", "Version: 1.1\n")
    info(tmp_path, "app-0.9.dist-info", "", ".jhpatch-0123")
    assert [one.version for one in distributions(tmp_path, "app")["app"]] == ["1.0", "1.1"]


def test_an_editable_install_is_a_layout(tmp_path):
    """By direct_url.json (PEP 610), or by the egg-link of ``setup.py develop``."""
    info(tmp_path, "app-1.0.dist-info", "Version: 1.0\n")
    direct = '{"dir_info": {"editable": true}, "url": "file:///src"}'
    (tmp_path / "app-1.0.dist-info/direct_url.json").write_text(direct)
    (tmp_path / "other.egg-link").write_text("/src\n")
    found = distributions(tmp_path, "app", "other")
    assert [found[name][0].layout for name in found] == ["an editable install"] * 2


def test_an_egg_is_a_layout(tmp_path):
    """An egg has its version in its name, and cannot be patched in place."""
    (tmp_path / "app-1.0-py3.6.egg/EGG-INFO").mkdir(parents=True)
    (found,) = distributions(tmp_path, "app")["app"]
    assert (found.version, found.layout) == ("1.0", "an egg")


@pytest.mark.parametrize("linked", ["app-1.0.dist-info", "app-1.0.dist-info/RECORD"])
def test_metadata_that_is_a_symlink_is_a_layout(tmp_path, linked):
    """A change of RECORD would change the target of the link."""
    site = tmp_path / "site"
    info(site, "app-1.0.dist-info", "Version: 1.0\n")
    (site / "app-1.0.dist-info/RECORD").write_text("")
    os.rename(str(site / linked), str(tmp_path / "elsewhere"))
    os.symlink(str(tmp_path / "elsewhere"), str(site / linked))
    (found,) = distributions(site, "app")["app"]
    assert found.layout == linked + " is a symlink"


def test_a_distribution_in_an_archive(tmp_path):
    """A zip on the search path has its distributions inside; a file that is no zip has none."""
    path, odd = str(tmp_path / "bundle.zip"), tmp_path / "odd.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("app-1.0.dist-info/METADATA", "Version: 1.0\n")
    odd.write_bytes(b"no zip")
    (tmp_path / "site").mkdir()
    (found,) = distributions(tmp_path / "site", "app", archives=[path, str(odd)])["app"]
    assert (found.version, found.layout) == ("1.0", "inside of the archive " + path)
