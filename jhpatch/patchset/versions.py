"""The releases that a patch is for: closed ranges, and the comparison of release numbers.

Plain releases (``6.1.0``) compare as tuples of numbers. Only other releases need packaging,
which takes 32 ms to import. Pure functions.
"""

import functools
import re
from typing import Any, Dict, Iterable, Iterator, List, Tuple

from jhpatch.namedtuple import NamedTuple

# int() of a million digits takes hours, or raises ValueError (CVE-2020-10735).
_MOST_DIGITS = 18
_FIELD_CAP = 2000


def is_plain(version: str) -> bool:
    """Return whether a version is numbers separated by dots."""
    parts = version.split(".")  # faster than compiling a regular expression
    return all(0 < len(part) <= _MOST_DIGITS and not part.strip("0123456789") for part in parts)


class Range(NamedTuple):
    """A closed range of releases; ``wildcard`` is a prefix such as ``7.`` or empty."""

    low: str
    high: str
    wildcard: str = ""

    def holds(self, version: str) -> bool:
        """Return whether ``version`` is in the range; a prerelease must be named exactly."""
        if self.wildcard:
            return (version + ".").startswith(self.wildcard)
        if is_plain(version) and is_plain(self.low):
            return key(self.low) <= key(version) <= key(self.high)
        return self._names(version)

    def meets(self, other: "Range") -> bool:
        """Return whether a release can be in both ranges."""
        if self.wildcard or other.wildcard:
            prefix, second = (self, other) if self.wildcard else (other, self)
            ends = (second.low, second.high, second.wildcard[:-1])
            return any(prefix.holds(end) for end in ends if end)
        if not all(is_plain(end) for end in (self.low, other.low)):
            return other._names(self.low) or self._names(other.low)
        return key(self.low) <= key(other.high) and key(other.low) <= key(self.high)

    def _names(self, version: str) -> bool:
        """Return whether the range names exactly ``version``: a prerelease or local version."""
        exact = _parsed(self.low) if self.low == self.high else None
        return exact is not None and exact == _parsed(version)

    def __str__(self) -> str:
        if self.wildcard:
            return self.wildcard + "*"
        return self.low if self.low == self.high else "%s to %s" % (self.low, self.high)


def parse(text: str, wildcard: bool) -> Tuple[Range, ...]:
    """Parse a ``Versions`` field; ``7.*`` is valid only with ``wildcard``. Raises ValueError."""
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
            normalized = str(_parsed(version))  # 0!1.0 is 1.0, and compares like it
            return Range(normalized, normalized)
    elif sign == ">=" and high[:2] == "<=" and is_plain(low) and is_plain(high[2:]):
        if key(low) <= key(high[2:]):
            return Range(low, high[2:])
    elif wildcard and part[-2:] == ".*" and is_plain(part[:-2]):
        return Range("", "", part[:-1])
    raise ValueError(part)


@functools.lru_cache(maxsize=None)  # apply compares 1,600 times: 2 ms saved
def key(version: str) -> Tuple[int, ...]:
    """Return a release's numbers without trailing zeros: 6.1 equals 6.1.0 (PEP 440)."""
    digits = version.split(".") if is_plain(version) else re.findall("[0-9]{1,18}", version)
    numbers = list(map(int, digits))
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)


def _parsed(version: str) -> Any:
    """Parse a version by packaging; None if it is invalid."""
    from packaging.version import Version

    try:
        return Version(version)
    except ValueError:  # InvalidVersion, or too many digits for int()
        return None


def clashes(ranges: List[Range]) -> Iterator[Tuple[int, int]]:
    """Yield the indexes of pairs of ``ranges`` that can contain the same release.

    If more than two plain ranges overlap, not every pair is included, but at least one is.
    """
    plain = [index for index, interval in enumerate(ranges) if is_plain(interval.low)]
    widest = None
    for index in sorted(plain, key=lambda index: key(ranges[index].low)):
        if widest is not None and key(ranges[index].low) <= key(ranges[widest].high):
            yield widest, index
        if widest is None or key(ranges[index].high) > key(ranges[widest].high):
            widest = index
    yield from _inexact_clashes(ranges)


def _inexact_clashes(ranges: List[Range]) -> Iterator[Tuple[int, int]]:
    """Yield the clashes of prefixes, and of prereleases and local versions."""
    for index, interval in enumerate(ranges):
        for other, second in enumerate(ranges) if interval.wildcard else ():
            if (other < index or not second.wildcard) and interval.meets(second):
                yield index, other
    exact = [
        index
        for index, interval in enumerate(ranges)
        if interval.low and interval.low == interval.high
    ]
    if all(is_plain(ranges[index].low) for index in exact):
        return  # without packaging
    first: Dict[Any, int] = {}
    for index in exact:
        other = first.setdefault(_parsed(ranges[index].low), index)
        if other != index and not all(is_plain(ranges[n].low) for n in (index, other)):
            yield index, other


def near(version: str, ranges: Iterable[Range]) -> str:
    """Return ``ranges`` as text: all if they are at most three; else the first and the last
    release, and the ranges next to ``version``.
    """
    ordered = sorted(ranges, key=lambda interval: key(interval.low))
    if len(ordered) <= 3:
        return ", ".join(map(str, ordered)) or "none"
    match = re.match("[0-9.]*", version)
    numbers = key(match.group() if match else "")
    below = [interval for interval in ordered if key(interval.low) <= numbers][-1:]
    above = [interval for interval in ordered if key(interval.low) > numbers][:1]
    last = max(ordered, key=lambda interval: key(interval.high)).high
    nearest = " and ".join(map(str, below + above))
    return "%s to %s (nearest: %s)" % (ordered[0].low, last, nearest)
