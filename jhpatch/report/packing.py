"""Site reports as plain data, which a child process that runs as another user returns."""

from typing import Any, Dict, Iterable, List, Tuple

from jhpatch.errors import NextStep
from jhpatch.report.result import Error, FileReport, PatchReport, SiteReport
from jhpatch.system.processes import Process


def packed(sites: Iterable[SiteReport]) -> List[Dict[str, Any]]:
    """Return the sites as JSON values."""
    return [_packed(site) for site in sites]


def _packed(site: SiteReport) -> Dict[str, Any]:
    row = dict(site._asdict())
    if site.error:
        step = site.error.next
        row["error"] = dict(site.error._asdict(), next=step and step.packed())
    row["patches"] = [
        dict(patch._asdict(), files=[file._asdict() for file in patch.files])
        for patch in site.patches
    ]
    if site.restart is not None:
        row["restart"] = [process._asdict() for process in site.restart]
    return row


def unpacked(rows: Iterable[Dict[str, Any]]) -> Tuple[SiteReport, ...]:
    """Return the sites from the value of ``packed``. Raises KeyError, TypeError, ValueError."""
    return tuple(_unpacked(dict(row)) for row in rows)


def _unpacked(row: Dict[str, Any]) -> SiteReport:
    if row["error"]:
        step = row["error"]["next"]
        row["error"] = Error(**dict(row["error"], next=step and NextStep.unpacked(step)))
    row["patches"] = tuple(
        PatchReport(**dict(patch, files=tuple(FileReport(**file) for file in patch["files"])))
        for patch in row["patches"]
    )
    if row["restart"] is not None:
        row["restart"] = tuple(Process(**process) for process in row["restart"])
    row["notes"] = tuple(map(str, row["notes"]))
    return SiteReport(**row)
