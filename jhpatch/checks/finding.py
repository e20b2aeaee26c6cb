"""A table of the findings that a check can have, and the finding of one code."""

from typing import Mapping, Optional, Union

from jhpatch.errors import Command, NextStep
from jhpatch.namedtuple import NamedTuple
from jhpatch.report.result import Finding


class FindingKind(NamedTuple):
    """What a code means. ``next`` is a command to type or a line to write; {fields} of its
    words and of its arguments are filled in."""

    severity: str
    """``error``: it does not work, or is unsafe; ``warning``: it will bite; ``note``."""
    why: str
    next: Union[str, NextStep, None] = None


class FindingTable:
    """The kinds of finding of one capability, by code."""

    def __init__(self, kinds: Mapping[str, FindingKind]) -> None:
        self.kinds = kinds

    def finding(
        self,
        code: str,
        message: str,
        path: Optional[str] = None,
        user: Optional[str] = None,
        **fields: object,
    ) -> Finding:
        """A finding; ``fields`` fill in its next step, with its path and its user."""
        kind = self.kinds[code]
        texts = {name: str(value) for name, value in fields.items()}
        texts.update(path=path or "PATH", user=user or "USER")
        step = filled(kind.next, texts)
        return Finding(code, kind.severity, message, path, kind.why, step, user)


def filled(step: Union[str, NextStep, None], fields: Mapping[str, str]) -> Optional[NextStep]:
    """A next step with its {fields}. Raises KeyError for one that is not given."""
    if not step:
        return None
    parts = (step,) if isinstance(step, str) else step.parts
    return NextStep(*(_filled(part, fields) for part in parts))


def _filled(part: Union[str, Command], fields: Mapping[str, str]) -> Union[str, Command]:
    if isinstance(part, str):
        return part.format(**fields)
    return part._replace(arguments=tuple(word.format(**fields) for word in part.arguments))
