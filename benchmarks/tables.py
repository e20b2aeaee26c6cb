"""The document of a run of hub.py, as a table for a person."""

import statistics
from typing import Any, Dict, Iterable, Iterator, List, Tuple

from benchmarks.environments import VARIANTS
from benchmarks.subject import MODES


def table(found: Dict[str, Any]) -> str:
    """For a person: each figure, and its ratio to that of the unpatched hub."""
    versions = ", ".join("%s %s" % pair for pair in found["versions"].items())
    lines = ["%s: %s" % (found["stack"], versions)]
    lines += [", ".join("%s %s" % (value, name) for name, value in found["options"].items())]
    names = _plain(list(VARIANTS))
    for mode in MODES:
        lines += ["", "%-32s%s" % (mode.title, names)]
        lines += ["  %-30s%s" % row for row in _rows(found["kdc"][mode.name])]
    lines += ["", "%-32s%s" % ("memory", names)]
    lines += ["  %-30s%s" % row for row in _memory_rows(found["memory"])]
    return "\n".join(map(str.rstrip, lines))


def _rows(kdc: Dict[str, Any]) -> Iterator[Tuple[str, str]]:
    for title, figure, part in (
        ("save, p50, ms", "save_ms", "p50"),
        ("save, p95, ms", "save_ms", "p95"),
        ("save, p99, ms", "save_ms", "p99"),
        ("another request, p99, ms", "other_ms", "p99"),
        ("login, p50, ms", "login_ms", "p50"),
        ("login, slowest, ms", "login_ms", "max"),
        ("login with a ticket, p50, ms", "login_again_ms", "p50"),
    ):
        yield title, _ratios([kdc[variant][figure][part] for variant in VARIANTS])
    asked = kdc["unpatched"]["bursts"][0]["asked"]
    bursts = [kdc[variant]["bursts"] for variant in VARIANTS]
    seconds = [statistics.median(one["seconds"] for one in rows) for rows in bursts]
    yield "%d logins at once, s" % asked, _ratios(seconds)
    yield "  more than unpatched, s", _plain(["%+.2f" % (one - seconds[0]) for one in seconds])
    yield "  logged in, of %d" % asked, _plain([min(one["let_in"] for one in r) for r in bursts])
    for title, figure in (
        ("saves", "save_ms"),
        ("logins", "login_ms"),
        ("logins with a ticket", "login_again_ms"),
    ):
        counts = [kdc[variant][figure] for variant in VARIANTS]
        yield title + ", measured", _plain([one["count"] for one in counts])
        if any(one["failed"] for one in counts):
            yield "  refused", _plain([one["failed"] for one in counts])
    requests_ = [kdc[variant]["as_req"] for variant in VARIANTS]
    yield "AS-REQ, user who saves", _plain([next(iter(one.values())) for one in requests_])
    rest = [list(one.values())[1:] for one in requests_]
    yield (
        "AS-REQ, users who log in, mean",
        _plain([round(statistics.mean(one), 1) for one in rest]),
    )


def _memory_rows(memory: Dict[str, Any]) -> Iterator[Tuple[str, str]]:
    for process in ("hub", "server"):
        rss = [memory[variant][process]["rss_kib"] / 1024 for variant in VARIANTS]
        yield process + ", resident, MiB", _differences(rss, "%.1f")
        threads = [memory[variant][process]["threads"] for variant in VARIANTS]
        yield process + ", threads", _differences(threads, "%d")


def _ratios(values: List[float]) -> str:
    ratios = [one / values[0] for one in values]
    cells = [("%.2fx" if one < 100 else "%.0fx") % one for one in ratios]
    return _columns(["%.2f" % one for one in values], ["", *cells[1:]])


def _differences(values: List[float], form: str) -> str:
    signed = form.replace("%", "%+")
    cells = [signed % (one - values[0]) for one in values]
    return _columns([form % one for one in values], ["", *cells[1:]])


def _plain(values: List[Any]) -> str:
    return _columns(map(str, values), [""] * len(values))


def _columns(values: Iterable[str], beside: Iterable[str]) -> str:
    return "".join("%11s%8s" % pair for pair in zip(values, beside))
