"""Draw the pictures of the documentation: ``python tools/pictures.py``; standard library only.

docs/pictures/renewal.svg shows two users past the end of their tickets. It is drawn from
docs/pictures/renewal.json, which ``python -m benchmarks.renewal`` writes. tickets.svg shows who
obtains, renews and uses a ticket. The words of both are in labels.json; ``*.zh.svg`` are in
Chinese.
"""

import json
import os
from html import escape
from typing import Any, Dict, Iterator, List, Tuple

FOLDER = os.path.join(
    os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "docs", "pictures"
)
_WIDTH = 720
_STYLE = """
  svg { --back: #ffffff; --text: #1f2328; --line: #8c959f; --grid: #d0d7de; --box: #f6f8fa;
        --ticket: #0969da; --good: #1a7f37; --bad: #cf222e }
  @media (prefers-color-scheme: dark) {
    svg { --back: #0d1117; --text: #e6edf3; --line: #848d97; --grid: #30363d; --box: #161b22;
          --ticket: #58a6ff; --good: #3fb950; --bad: #ff7b72 } }
  text { font: 21px system-ui, sans-serif; fill: var(--text) }
  .title { font-weight: bold } .middle { text-anchor: middle } .end { text-anchor: end }
  .back { fill: var(--back) } .grid { stroke: var(--grid) } .line { stroke: var(--line) }
  .dashed { stroke: var(--text); stroke-width: 2; stroke-dasharray: 6 5 }
  .life { fill: var(--ticket); fill-opacity: .25; stroke: var(--ticket); stroke-width: 3 }
  .box { fill: var(--box); stroke: var(--line); stroke-width: 2 }
  .cache { fill: var(--ticket); fill-opacity: .15; stroke: var(--ticket); stroke-width: 2 }
  .host { fill: none; stroke: var(--line); stroke-width: 2; stroke-dasharray: 6 5 }
  .arrow { fill: none; stroke: var(--text); stroke-width: 2 }
  .head, .number { fill: var(--text) } .digit { fill: var(--back); font-weight: bold }
  .good { fill: var(--good) } .bad { fill: var(--bad) } .on { fill: var(--back) }
  .cross { stroke: var(--bad); stroke-width: 5; fill: none }
"""

Words = Dict[str, str]


def svg(height: int, title: str, desc: str, body: List[str]) -> str:
    """Return a document with a background of its own: a page's theme may be another one."""
    lines = [
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d"'
        ' role="img" aria-labelledby="title desc">' % (_WIDTH, height, _WIDTH, height),
        '<title id="title">%s</title>' % escape(title),
        '<desc id="desc">%s</desc>' % escape(desc),
        "<style>%s</style>" % _STYLE,
        '<rect class="back" width="%d" height="%d" rx="8"/>' % (_WIDTH, height),
    ]
    return "\n".join(lines + body + ["</svg>", ""])


def text(x: float, y: float, words: str, kind: str = "") -> str:
    """Return a line of text whose baseline is at ``y``."""
    style = ' class="%s"' % kind if kind else ""
    return '<text x="%g" y="%g"%s>%s</text>' % (x, y, style, escape(words))


def line(kind: str, x1: float, y1: float, x2: float, y2: float) -> str:
    """Return a straight line."""
    return '<line class="%s" x1="%g" y1="%g" x2="%g" y2="%g"/>' % (kind, x1, y1, x2, y2)


def rect(kind: str, x: float, y: float, width: float, height: float, radius: int = 0) -> str:
    """Return a rectangle."""
    form = '<rect class="%s" x="%g" y="%g" width="%g" height="%g" rx="%d"/>'
    return form % (kind, x, y, width, height, radius)


# The time line.

_LEFT, _RIGHT = 78, 700
_PLOT = 130
"""Height of a plot, whose top is the whole life of a ticket."""
_PANEL = 274
_STEP = 30
"""Seconds between two marks of an axis."""


def renewal(record: Dict[str, Any], words: Words) -> str:
    """Return the time line of a record."""
    people = record["people"]
    ends = {name: _ends(people[name]) for name in people}
    fields = dict(
        life=record["life"],
        seconds=record["seconds"],
        renewed=len(ends["alice"]) - 1,
        expired=ends["bob"][-1],
    )
    body = []
    for number, name in enumerate(("alice", "bob")):
        body += _panel(record, name, words, 20 + number * _PANEL)
    y = 20 + 2 * _PANEL
    for second in range(0, record["seconds"] + 1, _STEP):
        body.append(text(_x(record, second), y + 12, "%d s" % second, "middle"))
    body.append(text((_LEFT + _RIGHT) / 2, y + 42, words["x"], "middle"))
    return svg(y + 58, words["title"], words["desc"] % fields, body)


def _x(record: Dict[str, Any], second: float) -> float:
    return round(_LEFT + (_RIGHT - _LEFT) * second / record["seconds"], 1)


def _ends(person: Dict[str, Any]) -> List[float]:
    """Return when each ticket expires; the clock that was read each second has fractions."""
    found: List[float] = []
    for _, end in person["tickets"]:
        if not found or end > found[-1] + 0.5:
            found.append(end)
    return found


def _panel(record: Dict[str, Any], name: str, words: Words, top: float) -> Iterator[str]:
    person = record["people"][name]
    zero = top + 68 + _PLOT
    yield text(16, top + 18, words[name], "title")
    yield text(16, top + 48, words["y"])
    for left in range(0, record["life"] + 1, _STEP):
        y = zero - _PLOT * left / record["life"]
        yield line("grid", _LEFT, y, _RIGHT, y)
        yield text(_LEFT - 8, y + 7, "%d s" % left, "end")
    yield _life(record, person["tickets"], zero)
    first = _x(record, _ends(person)[0])
    yield line("dashed", first, top + 32, first, zero)
    yield text(first + 8, top + 48, words["expires"])
    yield text(_LEFT - 8, zero + 35, words["job"], "end")
    began = [row[0] for row in person["job"] if row[1] == 0]
    start, end = _x(record, began[0]), min(_x(record, began[-1] + 1), _RIGHT)
    yield rect("good", start, zero + 14, round(end - start, 1), 30, 4)
    yield text(start + 10, zero + 36, words["runs"], "on")
    for at, code, message in person["job"]:
        if code:
            yield '<path class="cross" d="M%g %gl20 20m0 -20l-20 20"/>' % (
                _x(record, at),
                zero + 19,
            )
            yield text(_x(record, at) + 32, zero + 36, words["fails"] + _reason(message), "bad")


def _reason(message: str) -> str:
    """Return what kvno printed, without its own name and the principal's."""
    return message.partition(": ")[2].partition(" while ")[0]


def _life(record: Dict[str, Any], tickets: List[List[float]], zero: float) -> str:
    """Return the area under the time left, second by second."""
    points: List[Tuple[float, float]] = []
    for at, end in tickets:
        left = max(end - at, 0)
        height = _PLOT * left / record["life"]
        if points and zero - height < points[-1][1] - 1:  # a new ticket
            points.append((_x(record, at), points[-1][1]))
        points.append((_x(record, at), round(zero - height, 1)))
    outline = [(points[0][0], zero)] + points + [(points[-1][0], zero)]
    return '<polygon class="life" points="%s"/>' % " ".join("%g,%g" % pair for pair in outline)


# The diagram.

_BOX, _BOX_WIDTH, _RAIL = 68, 346, 40
"""The left edge and the width of the boxes on the host, and where the hub's writes run."""
_HOST, _KDC, _KDC_WIDTH = 436, 606, 98
"""Where the host ends and the KDC begins."""


def tickets(words: Words) -> str:
    """Return the diagram of login, spawn, server and KDC."""
    body = [
        rect("box", _BOX, 16, _BOX_WIDTH, 44, 8),
        text(_BOX + 16, 45, words["browser"], "title"),
        rect("host", 14, 92, _HOST - 14, 774, 8),
        text(28, 120, words["host"]),
        *_down(60, 136, words["password"], 83),
        *_box(138, 204, words["hub"]),
        text(_BOX + 16, 200, words["root"]),
        *_row(236, "1", words["login"]),
        *_row(268, "2", words["spawn"]),
        *_row(300, "4", words["hub thread"]),
        text(_BOX + 50, 328, words["hub thread 2"]),
        *_exchange(206, words["kinit"], words["tgt"]),
        *_arrow([(_BOX, 240), (_RAIL, 240), (_RAIL, 600), (_BOX - 2, 600)]),
        *_down(342, 390, words["starts"], 372),
        *_box(392, 114, words["server"]),
        *_row(458, "3", words["server thread"]),
        text(_BOX + 50, 488, words["server thread 2"]),
        *_exchange(416, words["kinit"], words["tgt"]),
        *_down(506, 554, words["writes"], 536),
        rect("cache", _BOX, 556, _BOX_WIDTH, 84, 8),
        text(_BOX + 16, 588, words["cache"], "title"),
        text(_BOX + 16, 622, words["path"]),
        *_down(640, 688, words["reads"], 670),
        *_box(690, 158, words["kernel"]),
        text(_BOX + 16, 756, words["jobs"]),
        *_exchange(690, words["tgt"], words["service"]),
        *_arrow([(_BOX + _BOX_WIDTH, 818), (_KDC - 2, 818)]),
        text((_HOST + _KDC) / 2, 808, words["service"], "middle"),
        rect("box", _KDC, 138, _KDC_WIDTH, 624, 8),
        text(_KDC + _KDC_WIDTH / 2, 170, "KDC", "title middle"),
        rect("box", _KDC, 776, _KDC_WIDTH, 84, 8),
        text(_KDC + _KDC_WIDTH / 2, 812, "HDFS", "title middle"),
        text(_KDC + _KDC_WIDTH / 2, 842, "YARN", "title middle"),
    ]
    return svg(880, words["title"], words["desc"], body)


def _box(top: float, height: float, title: str) -> List[str]:
    return [
        rect("box", _BOX, top, _BOX_WIDTH, height, 8),
        text(_BOX + 16, top + 30, title, "title"),
    ]


def _row(baseline: float, number: str, words: str) -> List[str]:
    """Return a numbered line of a box."""
    return [
        '<circle class="number" cx="%g" cy="%g" r="13"/>' % (_BOX + 28, baseline - 7),
        text(_BOX + 28, baseline, number, "digit middle"),
        text(_BOX + 50, baseline, words),
    ]


def _exchange(top: float, request: str, answer: str) -> List[str]:
    """Return two arrows between a box and the KDC, each with a label."""
    left, right = _BOX + _BOX_WIDTH, _KDC
    return [
        text((_HOST + _KDC) / 2, top + 8, request, "middle"),
        *_arrow([(left, top + 16), (right - 2, top + 16)]),
        text((_HOST + _KDC) / 2, top + 46, answer, "middle"),
        *_arrow([(right, top + 54), (left + 2, top + 54)]),
    ]


def _down(top: float, bottom: float, words: str, baseline: float) -> List[str]:
    """Return an arrow between two boxes on the host, with a label."""
    return [*_arrow([(240, top), (240, bottom)]), text(252, baseline, words)]


def _arrow(points: List[Tuple[float, float]]) -> List[str]:
    """Return a line through points, with a head at the last; horizontal or vertical there."""
    (before, _), (x, y) = points[-2:]
    if x != before:
        back = 10 if x > before else -10
        head = "M%g %gl%g -6v12z" % (x, y, -back)
    else:
        head = "M%g %gl-6 -10h12z" % (x, y)
    path = "M" + "L".join("%g %g" % point for point in points)
    return [
        '<path class="arrow" d="%s"/>' % path,
        '<path class="head" d="%s"/>' % head,
    ]


def pictures() -> Dict[str, str]:
    """Return each file of docs/pictures/ that this script writes, by its name."""
    record, labels = _document("renewal"), _document("labels")
    found = {}
    for language, kind in (("en", ""), ("zh", ".zh")):
        words = labels[language]
        found["renewal%s.svg" % kind] = renewal(record, words["renewal"])
        found["tickets%s.svg" % kind] = tickets(words["tickets"])
    return found


def _document(name: str) -> Any:
    with open(os.path.join(FOLDER, name + ".json"), encoding="utf-8") as file:
        return json.load(file)


if __name__ == "__main__":
    for name, drawn in pictures().items():
        with open(os.path.join(FOLDER, name), "w", encoding="utf-8") as file:
            file.write(drawn)
