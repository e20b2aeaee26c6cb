"""Results of commands, as values, for what reports them."""

from typing import Any

from jhpatch.report.next_command import Runner
from jhpatch.report.result import Error, FileReport, PatchReport, Result, SiteReport, Sites
from jhpatch.system.processes import Process

RUNNER = Runner("/opt/python", ("--python", "/opt/my env/bin/python"))
OPEN = PatchReport("notebook/kerberos-open", "5.5.0-kerberos-open", "5.7.9", "pristine")
PAGE = FileReport("notebook/handlers.py", "before", "0" * 64, "0" * 64)
HUB = Process(7, "jupyterhub", "2026-01-01T00:00:00Z", "root")


def site(**fields: Any) -> SiteReport:
    """The report of a site with one pristine patch, with other ``fields``."""
    base = SiteReport("/site", "/opt/my env/bin/python", "pip", patches=(OPEN,))
    return base._replace(**fields)


def result(command: str, *sites: SiteReport, **fields: Any) -> Result:
    """The result of a command on sites; on the one above if none is given."""
    return Result(command, Sites(sites or (site(),)), **fields)


def error(**fields: Any) -> Error:
    """A refusal with all of its fields but the next step."""
    return Error("refused", "it does not fit", "/site/a.py", "1.0", "2.0")._replace(**fields)
