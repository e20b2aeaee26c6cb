"""The JSON document of a result (docs/json.md)."""

from typing import Any, Dict, Optional

from jhpatch.errors import NextStep
from jhpatch.report.next_command import MAINTENANCE, Runner
from jhpatch.report.result import FileReport, Result
from jhpatch.report.text import encoded, shown

SCHEMA = 1
HOST = ("ticket", "doctor", "kernelspec", "nginx")
"""The commands about the host, whose ``sites`` is empty."""


def document(result: Result, runner: Runner) -> Dict[str, Any]:
    """Return the document of a result; a path that is not UTF-8 is added as ``…_b64`` too."""
    fields: Dict[str, Any] = {
        "schema": SCHEMA,
        "command": result.command,
        "dry_run": result.dry_run,
        "changed": result.changed or any(site.changed for site in result.sites),
        "would_change": result.would_change or any(site.would_change for site in result.sites),
        "exit_code": result.exit_code,
        "error": result.error,
        "sites": (),
    }
    if result.content is not None:
        fields.update(result.content._asdict())
    elif result.command in ("create", "rebase"):
        fields["candidate"] = None
    if result.command == "rebase":
        is_refused = result.error is not None and result.error.code == "refused"
        fields["findings"] = (result.error, *result.further) if is_refused else ()
    if result.command in (*MAINTENANCE, *HOST, "create"):
        fields["notes"] = result.notes
    return {key: _value(value, runner) for key, value in fields.items()}


def _value(value: Any, runner: Runner) -> Any:
    """Return a value as JSON can hold it; text that is not UTF-8 is escaped."""
    if isinstance(value, FileReport):
        value = value._replace(expected=_hash(value.expected), found=_hash(value.found))
    elif isinstance(value, NextStep):
        value = runner.shown(value)
    if isinstance(value, str):
        return shown(value)
    if hasattr(value, "_asdict"):
        return _object(value._asdict(), runner)
    if isinstance(value, tuple):
        return [_value(item, runner) for item in value]
    return value


def _hash(digest: Optional[str]) -> Optional[str]:
    return digest and "sha256:" + digest


def _object(fields: Dict[str, Any], runner: Runner) -> Dict[str, Any]:
    values = {key: _value(value, runner) for key, value in fields.items()}
    for key, value in fields.items():
        if isinstance(value, NextStep):
            value = runner.shown(value)
        if isinstance(value, str) and encoded(value) != shown(value).encode("utf-8"):
            import base64

            values[key + "_b64"] = base64.b64encode(encoded(value)).decode("ascii")
    return values
