"""Environments and their sites, read from files alone."""

import os

import pytest

from jhpatch.errors import Usage
from jhpatch.installer import environment


def test_a_venv_is_read_from_its_files(tmp_path, make_site):
    """By its interpreter or its directory; no Python is started."""
    env = make_site(tmp_path)
    for named in (env.python, env.prefix):
        found = environment.environment_of(named)
        assert [one.path for one in found.sites] == [env.site]
        assert found.sites[0].inside


def test_a_prefix_without_pyvenv_cfg(tmp_path):
    """conda's layout, bin/python and lib/pythonX.Y, is an environment."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/python").write_text("")
    (tmp_path / "lib/python3.9/site-packages").mkdir(parents=True)
    found = environment.environment_of(str(tmp_path / "bin/python"))
    assert [one.path for one in found.sites] == [str(tmp_path / "lib/python3.9/site-packages")]


def test_debians_directories(tmp_path):
    """local/lib/pythonX.Y/dist-packages comes before lib/python3/dist-packages."""
    names = ["local/lib/python3.11/dist-packages", "lib/python3/dist-packages"]
    for name in names + ["lib/python3.11", "bin"]:
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "bin/python3.11").write_text("")
    found = environment.environment_of(str(tmp_path / "bin/python3.11"))
    assert [one.path for one in found.sites] == [str(tmp_path / name) for name in names]


def test_fedoras_directories(tmp_path):
    """Those in /usr/local, where its pip installs, come first; its site.py names the prefix."""
    names = ["local/%s/python3.9/site-packages" % lib for lib in ("lib64", "lib")]
    names.append("usr/lib64/python3.9/site-packages")
    for name in [*names, "usr/bin", "usr/lib/python3.9"]:
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "usr/bin/python3.9").write_text("")
    text = '    if ENABLE_USER_SITE:\n        PREFIXES.insert(0, "%s")\n' % (tmp_path / "local")
    (tmp_path / "usr/lib64/python3.9/site.py").write_text(text)
    found = environment.environment_of(str(tmp_path / "usr/bin/python3.9"))
    assert [one.path for one in found.sites] == [str(tmp_path / name) for name in names]
    (tmp_path / "usr/lib64/python3.9/site.py").write_text("")
    found = environment.environment_of(str(tmp_path / "usr/bin/python3.9"))
    assert [one.path for one in found.sites] == [str(tmp_path / names[-1])]


def test_system_site_packages_are_outside(tmp_path):
    """The sites that a venv has of its base are shown as outside of it."""
    base, venv = tmp_path / "base", tmp_path / "venv"
    for folder in (base, venv):
        (folder / "lib/python3.9/site-packages").mkdir(parents=True)
        (folder / "bin").mkdir()
    (venv / "bin/python").write_text("")
    (venv / "pyvenv.cfg").write_text(
        "home = %s/bin\ninclude-system-site-packages = true\nversion = 3.9.1\n" % base
    )
    found = environment.environment_of(str(venv / "bin/python"))
    assert [one.inside for one in found.sites] == [True, False]
    assert found.sites[1].path == str(base / "lib/python3.9/site-packages")


def test_a_pth_file_adds_a_site_and_runs_nothing(tmp_path, make_site):
    """Lines that are directories add sites; lines of code are not run."""
    env = make_site(tmp_path)
    (tmp_path / "more").mkdir()
    with open(os.path.join(env.site, "x.pth"), "w") as file:
        file.write("%s\nimport os; os.mkdir(%r)\n" % (tmp_path / "more", str(tmp_path / "ran")))
    found = environment.environment_of(env.python)
    assert [one.path for one in found.sites] == [env.site, str(tmp_path / "more")]
    assert not (tmp_path / "ran").exists()


def test_the_same_directory_counts_once(tmp_path, make_site):
    """lib64, a symlink to lib in most environments, adds no second site."""
    env = make_site(tmp_path)
    os.symlink("lib", os.path.join(env.prefix, "lib64"))
    assert len(environment.environment_of(env.python).sites) == 1


@pytest.mark.parametrize("what", ["nothing", "shim", "ambiguous"])
def test_what_is_no_python_is_a_usage_error(tmp_path, what):
    """A missing path, a shim and a prefix with two Pythons are usage errors."""
    (tmp_path / "bin").mkdir()
    python = tmp_path / "bin/python"
    if what != "nothing":
        python.write_text("#!/bin/sh\n")
    if what == "ambiguous":
        for minor in ("3.8", "3.9"):
            (tmp_path / ("lib/python" + minor)).mkdir(parents=True)
    with pytest.raises(Usage):
        environment.environment_of(str(python))


def test_root_has_no_user_site():
    """Root's own environment has no user site."""
    found = environment.own_environment()
    if os.geteuid() == 0:
        assert not any(".local" in one.path for one in found.sites)
    assert any(one.inside for one in found.sites)
