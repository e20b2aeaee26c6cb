"""A wheel's Python sources laid out as a site (PEP 427), without what no patch touches."""

import os
import zipfile
from typing import NamedTuple


class Laid(NamedTuple):
    """A site with one distribution. All paths are strings."""

    site: str
    info: str
    """Its ``.dist-info``, from the site's root."""

    def path(self, name: str) -> str:
        """A file of the site."""
        return os.path.join(self.site, *name.split("/"))

    def read(self, name: str) -> bytes:
        """A file's bytes."""
        with open(self.path(name), "rb") as file:
            return file.read()

    @property
    def requires_python(self) -> str:
        """``Requires-Python`` of METADATA; empty where it has none."""
        head = self.read(self.info + "/METADATA").decode().partition("\n\n")[0]
        rows = [line.partition(": ") for line in head.split("\n")]
        return next((value for name, _, value in rows if name == "Requires-Python"), "")


def laid_out(wheel: str, site: str) -> Laid:
    """Unpacks a wheel into the new folder ``site``: modules, and .dist-info as it was shipped.

    The front ends stay out (data files, and ``.data``, which belongs elsewhere); RECORD
    still lists them.
    """
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        info = next(name for name in names if name.endswith(".dist-info/RECORD"))
        info = info[: -len("/RECORD")]
        wanted = [name for name in names if name.startswith(info + "/")]
        wanted += [name for name in names if name.endswith(".py") and ".data/" not in name]
        archive.extractall(site, wanted)
    with open(os.path.join(site, info, "INSTALLER"), "w") as file:
        file.write("pip\n")
    return Laid(site, info)
