"""The JSON document of a result (docs/json.md)."""

from typing import Any, Dict

from jhpatch.report.next_command import MAINTENANCE, Runner
from jhpatch.report.result import FileReport, Result, SiteReport
from jhpatch.report.text import encoded, shown

SCHEMA = 1
HOST = ("ticket", "doctor", "kernelspec", "nginx")
"""The commands about the host, whose ``sites`` is empty."""


def document(result: Result, runner: Runner) -> Dict[str, Any]:
    """Return the document of a result; a path that is not UTF-8 is added as ``…_b64`` too."""
    error = result.error and dict(
        result.error._asdict(), next=result.error.next and runner.shown(result.error.next)
    )
    fields: Dict[str, Any] = {
        "schema": SCHEMA,
        "command": result.command,
        "dry_run": result.dry_run,
        "changed": result.changed or any(site.changed for site in result.sites),
        "would_change": result.would_change or any(site.would_change for site in result.sites),
        "exit_code": result.exit_code,
        "error": error,
        "sites": [_site(site, runner) for site in result.sites],
    }
    if result.content is not None:
        fields.update(result.content.fields(runner))
    elif result.command == "rebase":
        fields["candidate"] = None
    if result.command in MAINTENANCE + HOST:
        fields["notes"] = list(result.notes)
    return {key: _clean(value) for key, value in fields.items()}


def _site(site: SiteReport, runner: Runner) -> Dict[str, Any]:
    row = dict(site._asdict())
    row["error"] = site.error and dict(
        site.error._asdict(), next=site.error.next and runner.shown(site.error.next, site.python)
    )
    row["patches"] = [
        dict(patch._asdict(), files=[_file(file) for file in patch.files])
        for patch in site.patches
    ]
    if site.restart is not None:
        row["restart"] = [process._asdict() for process in site.restart]
    return row


def _file(file: FileReport) -> Dict[str, Any]:
    row = dict(file._asdict())
    for key in ("expected", "found"):
        row[key] = row[key] and "sha256:" + row[key]
    return row


def _clean(value: Any) -> Any:
    """Escape text that is not UTF-8, and add its bytes in base64."""
    if isinstance(value, dict):
        cleaned = {key: _clean(item) for key, item in value.items()}
        for key, item in value.items():
            if isinstance(item, str) and encoded(item) != shown(item).encode("utf-8"):
                import base64

                cleaned[key + "_b64"] = base64.b64encode(encoded(item)).decode("ascii")
        return cleaned
    if isinstance(value, (list, tuple)):
        return [_clean(item) for item in value]
    return shown(value) if isinstance(value, str) else value
