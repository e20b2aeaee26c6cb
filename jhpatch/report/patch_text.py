"""The text of the results of ``lint``, ``rebase`` and ``survey``, for patch maintainers."""

from typing import Iterator, List, Sequence, Union

from jhpatch.report.next_command import Runner
from jhpatch.report.result import PatchErrors, RebasedPatch, Release, Releases, Result
from jhpatch.report.text import Style, diff_text, ending, error_rows, plain


def text(
    content: Union[PatchErrors, Releases, RebasedPatch],
    result: Result,
    style: Style,
    runner: Runner,
) -> str:
    """Return the text for standard output."""
    lines: List[str] = []
    diff = ""
    if isinstance(content, RebasedPatch):
        diff = diff_text(content.candidate.diff, style) if content.candidate else ""
    elif isinstance(content, Releases):
        lines += _releases(content.releases, style.verbose)
    else:
        for error in content.findings:
            lines.append("%s: %s" % (plain(error.path or ""), plain(error.message)))
            lines += error_rows(error, runner)
    lines += ending(result, runner)
    return diff + "".join(line + "\n" for line in lines)


def _releases(releases: Sequence[Release], verbose: bool) -> Iterator[str]:
    """Yield a line for each release that needs work; for all of them with ``-v``."""
    for release in releases:
        if verbose or release.state in ("identical", "new"):
            cells = [release.distribution, release.version, release.state]
            cells += [", ".join(release.editions)] if release.editions else []
            yield plain(" ".join(cells + ["(%s)" % release.reason] * bool(release.reason)))
