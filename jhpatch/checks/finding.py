"""The kinds of finding that a check can have, and the finding of one kind."""

from typing import Mapping, Optional, Union

from jhpatch.errors import Command, NextStep
from jhpatch.namedtuple import NamedTuple
from jhpatch.report.result import Finding


class Line(NamedTuple):
    """A line to write into a configuration file."""

    text: str
    where: str = ""
    """Where to write it, as text; empty for a line of jupyterhub_config.py."""


Step = Union[str, Line, NextStep, None]
"""A command to type, a line to write, or advice as text; all can contain {fields}."""


class FindingKind(NamedTuple):
    """What a code means: how severe it is, why it matters, and the next step."""

    severity: str
    """``error``, ``warning`` or ``note``."""
    why: str
    next: Step = None


def error(why: str, next: Step = None) -> FindingKind:
    """Return a kind for something that does not work or is unsafe."""
    return FindingKind("error", why, next)


def warning(why: str, next: Step = None) -> FindingKind:
    """Return a kind for something that works now and can fail later."""
    return FindingKind("warning", why, next)


def note(why: str, next: Step = None) -> FindingKind:
    """Return a kind for something that is only reported."""
    return FindingKind("note", why, next)


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
        """Return the finding of a code.

        ``fields``, the path and the user fill in its next step. A step that needs a path or a
        user is omitted if there is none. Raises KeyError for a code that the table lacks and
        for any other field that is not given.
        """
        kind = self.kinds[code]
        texts = {name: str(value) for name, value in fields.items()}
        known = {"path": path, "user": user}
        texts.update({name: value for name, value in known.items() if value})
        try:
            step = fill_in(kind.next, texts)
        except KeyError as error:
            if error.args[0] not in known:
                raise
            step = None
        return Finding(code, kind.severity, message, path, kind.why, step, user)


def fill_in(step: Step, fields: Mapping[str, str]) -> Optional[NextStep]:
    """Return a next step with its {fields} filled in. Raises KeyError for one not given."""
    if not step:
        return None
    if isinstance(step, Line):
        step = ", ".join(filter(None, step))
    parts = (step,) if isinstance(step, str) else step.parts
    return NextStep(*(_fill_in_part(part, fields) for part in parts))


def _fill_in_part(part: Union[str, Command], fields: Mapping[str, str]) -> Union[str, Command]:
    if isinstance(part, str):
        return part.format(**fields)
    arguments = tuple(argument.format(**fields) for argument in part.arguments)
    return part._replace(arguments=arguments)
