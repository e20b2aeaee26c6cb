"""pip, uv, conda and dpkg, each with a site of its own, and the releases that they install."""

import json
import os
import shutil
import subprocess
import sys
import zipfile

import pytest

from testing.sites import make_environment
from testing.wheels import CACHE, PYTHON, fetched_wheel

FRONT_ENDS = ("static", "nbextensions", "labextension", "labextensions", "tests", "i18n")


def slim_wheel(version, folder):
    """The real wheel of a notebook release, as a wheel without its front ends."""
    source = fetched_wheel("notebook", version)
    target = os.path.join(folder, "notebook-%s-py3-none-any.whl" % version)
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for info in old.infolist():
            data = old.read(info)
            if info.filename.endswith(".dist-info/RECORD"):
                lines = data.splitlines(True)
                data = b"".join(line for line in lines if _is_kept(line.decode()))
            if _is_kept(info.filename):
                new.writestr(info, data)
    return target


def _is_kept(path):
    parts = path.partition(",")[0].split("/")
    return not set(parts[:-1]) & set(FRONT_ENDS) and not parts[0].endswith(".data")


# The managers.


class Manager:
    """A package manager; a site of its own lies in ``top``."""

    command = ()

    def __init__(self, wheels):
        self.wheels = wheels

    def make(self, top):
        """An empty environment."""
        make_environment(os.path.join(top, "env"))

    def site(self, top):
        """Where it installs."""
        return os.path.join(top, "env", "lib", PYTHON, "site-packages")

    def where(self, top):
        """How jhpatch is told of it."""
        return ("--python", os.path.join(top, "env", "bin", "python"))

    def put(self, top, version):
        """Installs a release over what is there; None takes it away."""
        raise NotImplementedError

    def _run(self, *arguments):
        done = subprocess.run(
            self.command + arguments,
            env=dict(os.environ, PIP_DISABLE_PIP_VERSION_CHECK="1", UV_NO_CONFIG="1"),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        assert done.returncode == 0, (arguments, done.stdout.decode())


class Pip(Manager):
    """The real pip."""

    command = (sys.executable, "-m", "pip", "--quiet")

    def put(self, top, version):
        where = ("--python", self.where(top)[1])
        if version is None:
            self._run(*where, "uninstall", "--yes", "notebook")
            return
        self._run(
            *(where + ("install", "--no-deps", "--no-index", "--force-reinstall")),
            *("--ignore-requires-python", "--no-warn-script-location", "--no-compile"),
            *("--find-links", self.wheels, "notebook==" + version),
        )


class Uv(Manager):
    """The real uv."""

    def __init__(self, wheels):
        Manager.__init__(self, wheels)
        self.command = (real_uv(), "--quiet", "--offline", "--no-cache", "pip")

    def put(self, top, version):
        where = self.where(top)
        if version is None:
            self._run("uninstall", *where, "notebook")
            return
        self._run(
            *(("install",) + where + ("--no-deps", "--no-index", "--reinstall")),
            os.path.join(self.wheels, "notebook-%s-py3-none-any.whl" % version),
        )


class Conda(Manager):
    """conda's way: what its own manifest lists is unlinked, what the next package has is linked.

    Folders go where they are empty. Anything else stays, RECORD is not looked at.
    """

    def put(self, top, version):
        site, manifest = self.site(top), os.path.join(top, "manifest.json")
        if os.path.exists(manifest):
            with open(manifest) as file:
                self._unlink(site, json.load(file))
            os.unlink(manifest)
        if version is not None:
            with open(manifest, "w") as file:
                json.dump(self._link(site, version), file)

    def _unlink(self, site, names):
        for name in names:
            if os.path.lexists(os.path.join(site, name)):
                os.unlink(os.path.join(site, name))
        for folder in sorted({above for name in names for above in _above(name)}, reverse=True):
            if os.path.isdir(os.path.join(site, folder)):
                if not os.listdir(os.path.join(site, folder)):
                    os.rmdir(os.path.join(site, folder))

    def _link(self, site, version):
        wheel = os.path.join(self.wheels, "notebook-%s-py3-none-any.whl" % version)
        with zipfile.ZipFile(wheel) as archive:
            names = [name for name in archive.namelist() if not name.endswith("/")]
            for name in names:
                path = os.path.join(site, name)
                os.makedirs(os.path.dirname(path), exist_ok=True)
                if os.path.lexists(path):
                    os.unlink(path)  # it says "clobber", and goes on
                with open(path, "wb") as file:
                    file.write(archive.read(name))
        return names


class Dpkg(Manager):
    """The real dpkg, with a root folder of its own: an egg-info and no RECORD, as in Debian."""

    def make(self, top):
        for name in ("info", "updates", "parts"):
            os.makedirs(os.path.join(top, "var/lib/dpkg", name))
        os.makedirs(self.site(top))
        for name in ("status", "available"):
            with open(os.path.join(top, "var/lib/dpkg", name), "w"):
                pass

    def site(self, top):
        return os.path.join(top, "usr/lib/python3/dist-packages")

    def where(self, top):
        return ("--site", self.site(top))

    def put(self, top, version):
        self.command = ("dpkg", "--root=" + top, "--force-all", "--log=/dev/null")
        if version is None:
            self._run("--purge", "notebook")
        else:
            self._run("--install", self._package(version))

    def _package(self, version):
        made = os.path.join(self.wheels, "notebook_%s.deb" % version)
        if os.path.exists(made):
            return made
        tree = os.path.join(self.wheels, "deb-" + version)
        place = os.path.join(tree, "usr/lib/python3/dist-packages")
        with zipfile.ZipFile(
            os.path.join(self.wheels, "notebook-%s-py3-none-any.whl" % version)
        ) as archive:
            archive.extractall(place)
        info = os.path.join(place, "notebook-%s.dist-info" % version)
        egg = os.path.join(place, "notebook-%s.egg-info" % version)
        os.mkdir(egg)
        os.rename(os.path.join(info, "METADATA"), os.path.join(egg, "PKG-INFO"))
        shutil.rmtree(info)
        os.mkdir(os.path.join(tree, "DEBIAN"))
        with open(os.path.join(tree, "DEBIAN/control"), "w") as file:
            file.write(
                "Package: notebook\nVersion: %s\nArchitecture: all\n"
                "Maintainer: nobody <nobody@localhost>\nDescription: a test\n" % version
            )
        subprocess.run(
            ["dpkg-deb", "--root-owner-group", "-Znone", "--build", tree, made],
            stdout=subprocess.DEVNULL,
            check=True,
        )
        return made


def _above(path):
    while "/" in path:
        path = path.rpartition("/")[0]
        yield path


def real_uv():
    """A uv that runs, from pip, kept beside the wheels."""
    found = shutil.which("uv")
    if found:
        return found
    folder = os.path.join(CACHE, "tools", "uv")
    path = os.path.join(folder, "bin", "uv")
    if not os.path.exists(path):
        new = "%s.%d" % (folder, os.getpid())
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--target", new, "uv"]
        if subprocess.run(pip, stderr=subprocess.DEVNULL).returncode:
            pytest.skip("no uv, and pip cannot bring one")
        try:
            os.rename(new, folder)
        except OSError:
            shutil.rmtree(new)  # another process was first
    return path


MANAGERS = {"pip": Pip, "uv": Uv, "conda": Conda, "dpkg": Dpkg}
