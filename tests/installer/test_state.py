"""The state of a site as a value; one that jhpatch did not write is refused whole."""

import json

import pytest

from jhpatch.errors import Untrusted
from jhpatch.installer import state
from jhpatch.installer.state import AppliedPatch, DistributionState, FileHashes, State

A, B, C = "a" * 64, "b" * 64, "c" * 64
FILES = (FileHashes("app/m.py", A, B), FileHashes("app/_helper.py", None, C))
APPLIED = AppliedPatch("app/patch", "1.0-patch", B, "2026-01-01T00:00:00Z", FILES)
STATE = State(
    "0.1.0",
    (DistributionState("app", "1.0", FileHashes("app-1.0.dist-info/RECORD", B, C), (APPLIED,)),),
)


def test_a_state_is_read_back():
    """What is written is what is read, and the same state gives the same bytes."""
    assert state.parse(state.dump(STATE), "p") == STATE
    bare = State("0.1.0", (STATE.distributions[0]._replace(record=None),))
    assert state.parse(state.dump(bare), "p") == bare
    assert state.dump(STATE) == state.dump(state.parse(state.dump(STATE), "p"))


def test_what_a_revert_needs():
    """The originals are the before of each file; an added file has none."""
    assert STATE.originals() == (A, B)
    assert STATE.of("app") == STATE.distributions[0] and STATE.of("other") is None


def changed(**fields):
    """The document with other fields in its distribution, its patch or its first file."""
    document = json.loads(state.dump(STATE).decode())
    row = document["distributions"][0]
    for key, value in fields.items():
        for place in (document, row, row["patches"][0], row["patches"][0]["files"][0]):
            if key in place:
                place[key] = value
    return json.dumps(document).encode()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        b"[]",
        b"\xff",
        b"[" * 100000,
        b'{"schema": ' + b"9" * 1000000 + b"}",
        state.dump(STATE)[:-20],
        changed(schema=2),
        changed(schema="1"),
        changed(tool=7),
        changed(distributions={"a": 1}),
        changed(name="../app"),
        changed(name=""),
        changed(record={"path": "/etc/passwd", "before": A, "after": B}),
        changed(patches=[7]),
        changed(files=[{"path": "app/m.py"}]),
        changed(path="../m.py"),
        changed(path="/etc/passwd"),
        changed(path="app//m.py"),
        changed(path=".jhpatch/lock"),
        changed(path="app/\x00m.py"),
        changed(path=None),
        changed(before="A" * 64),
        changed(before="../" + A[3:]),
        changed(before=None, after=None),
        changed(after=7),
        changed(version="9" * 5000),
    ],
)
def test_what_jhpatch_did_not_write_is_refused(data):
    """A damaged, newer or hostile state is an error that names the file."""
    with pytest.raises(Untrusted) as refused:
        state.parse(data, "the/state.json")
    assert refused.value.path == "the/state.json"
