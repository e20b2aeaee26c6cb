"""The text of the results of ``create``, ``lint``, ``rebase`` and ``survey``."""

from typing import Iterator, List, Sequence, Union

from jhpatch.report.next_command import Runner
from jhpatch.report.result import (
    CreatedPatch,
    PatchErrors,
    RebasedPatch,
    Release,
    Releases,
    Result,
)
from jhpatch.report.text import Style, diff_text, ending, error_rows, plain


def text(
    content: Union[PatchErrors, Releases, RebasedPatch, CreatedPatch],
    result: Result,
    style: Style,
    runner: Runner,
) -> str:
    """Return the text for standard output."""
    lines: List[str] = []
    diff = ""
    if isinstance(content, RebasedPatch):
        diff = diff_text(content.candidate.diff, style) if content.candidate else ""
    elif isinstance(content, CreatedPatch):
        diff = diff_text(content.candidate.text, style) if result.dry_run else ""
        lines += result.notes
        lines += _adopted(content)
        result = result._replace(notes=())
    elif isinstance(content, Releases):
        lines += _releases(content.releases, style.verbose)
    else:
        for error in content.findings:
            lines.append("%s: %s" % (plain(error.path or ""), plain(error.message)))
            lines += error_rows(error, runner)
    lines += ending(result, runner)
    return diff + "".join(line + "\n" for line in lines)


def _adopted(content: CreatedPatch) -> Iterator[str]:
    """Yield a line for each site with the state of the patch."""
    for site in content.sites:
        for patch in site.patches:
            if patch.patch == content.candidate.patch:
                yield "%s: %s %s" % (plain(site.site), patch.patch, patch.state)


def _releases(releases: Sequence[Release], verbose: bool) -> Iterator[str]:
    """Yield a line for each release that needs work; for all of them with ``-v``."""
    for release in releases:
        if verbose or release.state in ("identical", "new"):
            state = release.state + ", yanked" * release.yanked
            cells = [release.distribution, release.version, state]
            cells += [", ".join(release.editions)] if release.editions else []
            yield plain(" ".join(cells + ["(%s)" % release.reason] * bool(release.reason)))
