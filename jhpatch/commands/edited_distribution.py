"""The installed distribution whose edited files become a patch, and what its release shipped."""

import argparse
import contextlib
import re
from typing import Dict, Tuple

from jhpatch.commands.arguments import environments_of
from jhpatch.errors import Refused, Usage
from jhpatch.installer import edits, record, selection
from jhpatch.installer.distribution import Distribution
from jhpatch.installer.inspection import Inspection
from jhpatch.installer.record import Row
from jhpatch.maintenance import release_bytes, wheels
from jhpatch.namedtuple import NamedTuple
from jhpatch.patchset.additions import is_of_a_package
from jhpatch.patchset.catalog import Catalog
from jhpatch.system.sha256 import sha256


class Target(NamedTuple):
    """The installed distribution, and the rows of the release's RECORD."""

    inspection: Inspection
    distribution: Distribution
    package: str
    rows: Tuple[Row, ...]


def target_of(arguments: argparse.Namespace, patches: Catalog, name: str) -> Target:
    """Return the installed distribution.

    Raises Refused if there is none or if jhpatch cannot patch it, Usage if several sites have it.
    """
    inspections = selection.inspect_all(environments_of(arguments), patches)
    for inspection in inspections:
        if inspection.error:
            raise inspection.error
        if inspection.journal:
            raise Refused(
                "another run is changing the site, or was interrupted",
                path=inspection.site.path,
                next="wait until that run ends, or run the interrupted command again: it restores "
                "the site first",
            )
    found = [
        inspection
        for inspection in inspections
        if name in inspection.snapshot.distributions and name not in inspection.shadows.copies
    ]
    if not found:
        raise Refused(
            "the distribution is not installed here",
            path=", ".join(inspection.site.path for inspection in inspections) or None,
            expected=name,
            found="nothing",
            next="name its environment: --python PYTHON, or --site DIR",
        )
    if len(found) > 1:
        raise Usage(
            "the distribution is installed in several sites",
            expected="one environment: --python PYTHON, or --site DIR",
            found=", ".join(inspection.site.path for inspection in found),
        )
    return _target_in(arguments, found[0], name)


def _target_in(arguments: argparse.Namespace, inspection: Inspection, name: str) -> Target:
    distribution = inspection.snapshot.distributions[name][0]
    copies = len(inspection.snapshot.distributions[name])
    if distribution.layout or copies > 1:
        raise Refused(
            "jhpatch cannot patch this installation of %s" % name,
            path=inspection.site.path,
            expected="one copy whose files are in the site",
            found=distribution.layout or "%d copies" % copies,
        )
    rows = edits.release_rows(inspection.snapshot, distribution)
    if rows is None:
        rows = _rows_of_wheel(arguments, distribution)
    rows = _with_hashes(arguments, distribution, rows)
    return Target(inspection, distribution, _package(inspection, distribution), rows)


def _with_hashes(
    arguments: argparse.Namespace, distribution: Distribution, rows: Tuple[Row, ...]
) -> Tuple[Row, ...]:
    """Return the rows; a row without a SHA-256 receives that of the file in a named wheel."""
    paths = [row.path for row in rows if row.sha256 is None and is_of_a_package(row.path)]
    files: Dict[str, bytes] = {}
    for wheel in arguments.wheel if paths else ():
        release_bytes.refuse_other_release(wheel, distribution.name, distribution.version)
        files.update(wheels.read_files(wheel, paths))
    return tuple(
        row._replace(sha256=sha256(files[row.path])) if row.path in files else row for row in rows
    )


def _rows_of_wheel(arguments: argparse.Namespace, distribution: Distribution) -> Tuple[Row, ...]:
    """Return the RECORD of a named wheel, for a distribution without one (Debian's)."""
    for wheel in arguments.wheel:
        release_bytes.refuse_other_release(wheel, distribution.name, distribution.version)
        name, version = wheels.release_of(wheel)
        path = "%s-%s.dist-info/RECORD" % (name, version)
        rows = record.parse(wheels.read_files(wheel, [path]).get(path, b""))
        inside = re.compile(r"[^/]*\.(dist-info|data)/")  # pip installs these elsewhere
        return tuple(row for row in rows if not inside.match(row.path))
    raise Refused(
        "there is no RECORD, so the original files of the release are unknown",
        path=distribution.info,
        expected="a RECORD, or the wheel of %s" % distribution.version,
        next="name the wheel: --wheel WHEEL",
    )


def _package(inspection: Inspection, distribution: Distribution) -> str:
    """Return the distribution's name as its metadata spells it."""
    for name in ("/METADATA", "/PKG-INFO", ""):
        with contextlib.suppress(OSError):  # an egg-info can be a file itself
            data = inspection.snapshot.read(distribution.info + name) or b""
            for line in data.split(b"\n\n")[0].decode("utf-8", "replace").splitlines():
                field, _, value = line.partition(":")
                if field.lower() == "name" and value.strip():
                    return value.strip()
    return distribution.name
