"""The document of a run of sizing.py, as a table for a person."""

from typing import Any, Dict, Iterator, List, Tuple

_VARIANTS = ("unpatched", "patched")


def table(found: Dict[str, Any]) -> str:
    """Return each figure of both hubs, and their ratio."""
    title = "%(users)d users, %(minutes)g of 10 minutes" % found
    rows = list(_rows(found))
    lines = ["%-42s%12s%12s%9s" % (title, *_VARIANTS, "")]
    lines += ["  %-40s%12s%12s%9s" % row for row in rows]
    lines += ["", "the patched hub, tickets of %g s" % found["life"]]
    lines += ["  %-52s%12s" % row for row in _of_patched(found)]
    return "\n".join(map(str.rstrip, lines))


def _rows(found: Dict[str, Any]) -> Iterator[Tuple[str, str, str, str]]:
    morning, once = found["morning"], found["at_once"]
    for title, figure, part in (
        ("login, p50, ms", "login_ms", "p50"),
        ("login, p95, ms", "login_ms", "p95"),
        ("login, slowest, ms", "login_ms", "max"),
        ("server, p50, ms", "spawn_ms", "p50"),
    ):
        yield _ratio(title, [morning[one][figure][part] for one in _VARIANTS])
    yield _ratio("CPU for each, ms", [morning[one]["cpu_ms_each"] for one in _VARIANTS])
    yield _plain("logged in", [morning[one]["let_in"] for one in _VARIANTS])
    for part in ("p50", "p99", "max"):
        yield _difference(
            "lag of the loop, %s, ms" % part, [morning[one]["lag_ms"][part] for one in _VARIANTS]
        )
    idle = found["idle"]
    for part in ("p99", "max"):
        yield _difference(
            "lag without logins, %s, ms" % part, [idle[one]["lag_ms"][part] for one in _VARIANTS]
        )
    yield _difference("CPU without logins, %", [100 * idle[one]["cpu"] for one in _VARIANTS])
    yield _ratio("logins a second, at most", [once[one]["logins_per_s"] for one in _VARIANTS])
    yield _ratio("  CPU for each, ms", [once[one]["cpu_ms_each"] for one in _VARIANTS])
    for when in ("start", "morning", "restart"):
        sizes = found["memory_mib"][when]
        yield _difference("hub, resident, %s, MiB" % when, [sizes[one] for one in _VARIANTS])
    restart = found["restart_s"]
    for what in ("answers", "running"):
        yield _ratio("restart: %s, s" % what, [restart[one][what] for one in _VARIANTS])
    for what in ("watched", "looked at"):
        yield "restart: all %s, s" % what, "", "%.1f" % restart["patched"][what], ""


def _of_patched(found: Dict[str, Any]) -> Iterator[Tuple[str, str]]:
    renewals = found["renewals"]
    yield from _of_kdc("the morning, tickets of 10 h", found["morning_kdc"])
    yield from _of_kdc("a start of the hub without any ticket", renewals["first"])
    yield "  seconds until all are there", "%.1f" % renewals["first_s"]
    wave = renewals["wave"]
    yield from _of_kdc("the first renewals", renewals["wave_kdc"])
    yield "  seconds", "%.1f" % wave["patched"]["seconds"]
    for part in ("p50", "p99", "max"):
        lags = tuple(wave[one]["lag_ms"][part] for one in ("patched", "unpatched"))
        yield "  lag of the loop, %s, ms (unpatched, idle)" % part, "%.2f (%.2f)" % lags
    spent = (wave["patched"]["cpu"] - wave["unpatched"]["cpu"]) * wave["patched"]["seconds"]
    yield "  CPU for each, ms", "%.1f" % (1000 * spent / renewals["wave_kdc"]["tickets"])
    yield "  valid tickets afterwards", "%d" % renewals["valid"]
    if "restart_kdc" in renewals:
        yield from _of_kdc("the second renewals, the hub restarts", renewals["restart_kdc"])
        yield "  valid tickets afterwards", "%d" % renewals["valid_at_end"]
    yield "attempts that failed", "%d" % renewals["failed"]


def _of_kdc(title: str, figures: Dict[str, int]) -> Iterator[Tuple[str, str]]:
    yield title + ": tickets", "%d" % figures["tickets"]
    most = figures["most_requests_per_s"], figures["most_tickets_per_s"]
    yield "  requests (tickets) in one second, at most", "%d (%d)" % most


def _ratio(title: str, values: List[float]) -> Tuple[str, str, str, str]:
    first, second = values
    return title, "%.1f" % first, "%.1f" % second, "%.2fx" % (second / first)


def _difference(title: str, values: List[float]) -> Tuple[str, str, str, str]:
    first, second = values
    return title, "%.2f" % first, "%.2f" % second, "%+.2f" % (second - first)


def _plain(title: str, values: List[int]) -> Tuple[str, str, str, str]:
    return title, str(values[0]), str(values[1]), ""
