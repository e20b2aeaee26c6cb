"""Times as text: UTC, ISO 8601 (RFC 3339)."""

import re
import time


def iso(seconds: float) -> str:
    """Return a time in UTC, as in the JSON document."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def seconds_of(text: str) -> float:
    """Return the seconds since the epoch of a time that ``now`` wrote; 0 if it is invalid.

    It does not use time.strptime, which takes 8 ms to import.
    """
    match = re.match(r"^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(\.\d+)?Z$", text)
    if not match:
        return 0.0
    year, month, day, hour, minute, second = (int(group) for group in match.groups()[:6])
    year -= month <= 2  # count years from March: the leap day is then the last day
    days = year * 365 + year // 4 - year // 100 + year // 400
    days += (153 * ((month + 9) % 12) + 2) // 5 + day - 719469
    return days * 86400 + hour * 3600 + minute * 60 + second + float(match.group(7) or 0)


def now(seconds: float) -> str:
    """Return a time for the state: UTC, in hundredths of a second, as /proc counts."""
    return "%s.%02dZ" % (iso(seconds)[:-1], int(seconds * 100) % 100)
