"""Which releases a patch is for: closed ranges, and how release numbers compare.

Plain releases (``6.1.0``) compare as tuples of numbers; packaging (32 ms to import)
is asked only about the others. Pure.
"""

import functools
import re
from typing import Any, Dict, Iterable, Iterator, List, Tuple

from jhpatch.namedtuple import NamedTuple

# int() of a million digits takes Python hours, or is refused (CVE-2020-10735).
_MOST_DIGITS = 18
_FIELD_CAP = 2000


def is_plain(version: str) -> bool:
    """Whether it is numbers with dots between them."""
    parts = version.split(".")  # a regular expression would take longer to make than all of them
    return all(0 < len(part) <= _MOST_DIGITS and not part.strip("0123456789") for part in parts)


class Range(NamedTuple):
    """A closed range of releases; ``wildcard`` is a prefix such as ``7.``, or empty."""

    low: str
    high: str
    wildcard: str = ""

    def holds(self, version: str) -> bool:
        """Whether ``version`` lies in it; a prerelease only where it is named exactly."""
        if self.wildcard:
            return (version + ".").startswith(self.wildcard)
        if is_plain(version) and is_plain(self.low):
            return key(self.low) <= key(version) <= key(self.high)
        return self._names(version)

    def meets(self, other: "Range") -> bool:
        """Whether some release lies in both."""
        if self.wildcard or other.wildcard:
            prefix, rest = (self, other) if self.wildcard else (other, self)
            ends = (rest.low, rest.high, rest.wildcard[:-1])
            return any(prefix.holds(end) for end in ends if end)
        if not all(is_plain(end) for end in (self.low, other.low)):
            return other._names(self.low) or self._names(other.low)
        return key(self.low) <= key(other.high) and key(other.low) <= key(self.high)

    def _names(self, version: str) -> bool:
        """Prereleases and local versions: named exactly, or not at all."""
        named = _parsed(self.low) if self.low == self.high else None
        return named is not None and named == _parsed(version)

    def __str__(self) -> str:
        if self.wildcard:
            return self.wildcard + "*"
        return self.low if self.low == self.high else "%s to %s" % (self.low, self.high)


def parse(text: str, wildcard: bool) -> Tuple[Range, ...]:
    """The ranges of a ``Versions`` field; ``7.*`` only with ``wildcard``. Raises ValueError."""
    if len(text) > _FIELD_CAP:
        raise ValueError(text)
    return tuple(_range(part.strip(), wildcard) for part in text.split("|"))


def _range(part: str, wildcard: bool) -> Range:
    sign, version = part[:2], part[2:]
    low, _, high = version.partition(",")
    high = high.lstrip()
    if sign == "==" and len(version) <= 100:
        if is_plain(version):
            return Range(version, version)
        if re.match(r"[0-9][0-9A-Za-z.+!_-]*\Z", version) and _parsed(version) is not None:
            named = str(_parsed(version))  # 0!1.0 is 1.0, and compares as that
            return Range(named, named)
    elif sign == ">=" and high[:2] == "<=" and is_plain(low) and is_plain(high[2:]):
        if key(low) <= key(high[2:]):
            return Range(low, high[2:])
    elif wildcard and part[-2:] == ".*" and is_plain(part[:-2]):
        return Range("", "", part[:-1])
    raise ValueError(part)


@functools.lru_cache(maxsize=None)  # apply compares 1,600 times: 2 ms saved
def key(version: str) -> Tuple[int, ...]:
    """A release's numbers without trailing zeros: 6.1 and 6.1.0 are the same (PEP 440)."""
    digits = version.split(".") if is_plain(version) else re.findall("[0-9]{1,18}", version)
    numbers = list(map(int, digits))
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)


def _parsed(version: str) -> Any:
    """What packaging makes of a version; None for what is none."""
    from packaging.version import Version

    try:
        return Version(version)
    except ValueError:  # InvalidVersion, or more digits than Python turns into a number
        return None


def clashes(ranges: List[Range]) -> Iterator[Tuple[int, int]]:
    """The places in ``ranges`` of each two that some release lies in.

    Of three plain ones that meet, only neighbours are sure to be named.
    """
    plain = [place for place, one in enumerate(ranges) if is_plain(one.low)]
    widest = None
    for place in sorted(plain, key=lambda place: key(ranges[place].low)):
        if widest is not None and key(ranges[place].low) <= key(ranges[widest].high):
            yield widest, place
        if widest is None or key(ranges[place].high) > key(ranges[widest].high):
            widest = place
    yield from _odd_clashes(ranges)


def _odd_clashes(ranges: List[Range]) -> Iterator[Tuple[int, int]]:
    """Those of prefixes, and of prereleases and local versions."""
    for place, one in enumerate(ranges):
        for other, another in enumerate(ranges) if one.wildcard else ():
            if (other < place or not another.wildcard) and one.meets(another):
                yield place, other
    exact = [place for place, one in enumerate(ranges) if one.low and one.low == one.high]
    if all(is_plain(ranges[place].low) for place in exact):
        return  # without packaging
    first: Dict[Any, int] = {}
    for place in exact:
        other = first.setdefault(_parsed(ranges[place].low), place)
        if other != place and not all(is_plain(ranges[n].low) for n in (place, other)):
            yield place, other


def near(version: str, ranges: Iterable[Range]) -> str:
    """``ranges`` for a person: all where they are few, else from which release to which,
    and those that are next to ``version``.
    """
    ordered = sorted(ranges, key=lambda one: key(one.low))
    if len(ordered) <= 3:
        return ", ".join(map(str, ordered)) or "none"
    numbers = re.match("[0-9.]*", version)
    here = key(numbers.group() if numbers else "")
    below = [one for one in ordered if key(one.low) <= here][-1:]
    above = [one for one in ordered if key(one.low) > here][:1]
    last = max(ordered, key=lambda one: key(one.high)).high
    nearest = " and ".join(map(str, below + above))
    return "%s to %s, the nearest %s" % (ordered[0].low, last, nearest)
