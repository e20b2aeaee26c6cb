"""Patch files as text for their maintainers: what ``lint``, ``rebase`` and ``survey`` print."""

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
    """What goes to standard output."""
    lines: List[str] = []
    diff = ""
    if isinstance(content, RebasedPatch):
        diff = diff_text(content.candidate.diff, style) if content.candidate else ""
    elif isinstance(content, Releases):
        lines += _releases(content.releases, style.verbose)
    else:
        for error in content.errors:
            lines.append("%s: %s" % (plain(error.path or ""), plain(error.message)))
            lines += error_rows(error, runner)
    lines += ending(result, runner)
    return diff + "".join(line + "\n" for line in lines)


def _releases(releases: Sequence[Release], verbose: bool) -> Iterator[str]:
    """Those that ask for something; all of them with ``-v``."""
    for one in releases:
        if verbose or one.state in ("identical", "new"):
            words = [one.distribution, one.version, one.state]
            words += [", ".join(one.editions)] if one.editions else []
            yield plain(" ".join(words + ["(%s)" % one.reason] * bool(one.reason)))
