"""Times as text: UTC, ISO 8601 (RFC 3339)."""

import re
import time


def iso(seconds: float) -> str:
    """A time in UTC, as the JSON document has it."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def seconds_of(text: str) -> float:
    """Seconds since the epoch of a time that ``now`` wrote; 0 where it is none.

    By hand: time.strptime costs 8 ms to import.
    """
    match = re.match(r"^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(\.\d+)?Z$", text)
    if not match:
        return 0.0
    year, month, day, hour, minute, second = (int(group) for group in match.groups()[:6])
    year -= month <= 2  # a year that begins in March has its leap day last
    days = year * 365 + year // 4 - year // 100 + year // 400
    days += (153 * ((month + 9) % 12) + 2) // 5 + day - 719469
    return days * 86400 + hour * 3600 + minute * 60 + second + float(match.group(7) or 0)


def now(seconds: float) -> str:
    """A time as the state keeps it: UTC, to the hundredth that /proc counts in."""
    return "%s.%02dZ" % (iso(seconds)[:-1], int(seconds * 100) % 100)
