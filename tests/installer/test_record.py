"""RECORD as rows: what is not changed keeps its bytes."""

import hashlib

import pytest

from jhpatch.installer import record
from jhpatch.installer.record import Entry

HASH = "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU"
EMPTY = hashlib.sha256(b"").hexdigest()
ONE = Entry(hashlib.sha256(b"one").hexdigest(), 3)
DATA = (
    b"a.py,sha256=%s,0\r\n" % HASH.encode()
    + b'"b,c.py",sha256=%s,0\r\n' % HASH.encode()
    + b"hex.py,sha256=%s,0\r\n" % EMPTY.encode()
    + b"none.py,,\r\n"
    + b"../../bin/x,sha256=%s,0\r\n" % HASH.encode()
    + b"app.dist-info/RECORD,,\r\n"
)


def test_the_rows_joined_are_the_data():
    """Parsing loses no byte, whatever the bytes are."""
    for data in (DATA, DATA.replace(b"\r", b""), DATA[:-2], b"", b"\n\n", b'"open', b"\xff,\0\n"):
        assert b"".join(row.raw for row in record.parse(data)) == data


def test_a_quoted_newline_hides_no_row():
    """Text that looks like a row inside another row's quotes is that row's path."""
    data = b'"odd\r\na.py,sha256=x,1\r\n",,\r\n' + DATA
    assert b"".join(row.raw for row in record.parse(data)) == data
    assert record.stated(record.parse(data), "a.py") == EMPTY
    assert record.changed(data, {"a.py": ONE}, {}).startswith(data[:30])


def test_a_stated_hash_is_found():
    """A path is found as it is written, quoted or not."""
    rows = record.parse(DATA)
    assert record.stated(rows, "a.py") == EMPTY
    assert record.stated(rows, "b,c.py") == EMPTY
    assert record.stated(rows, "absent.py") is None


@pytest.mark.parametrize("path", ["hex.py", "none.py"])
def test_a_hash_that_cannot_be_parsed_proves_nothing(path):
    """Debian's hex digests, and rows without a hash, state no hash."""
    assert record.stated(record.parse(DATA), path) is None


def test_two_rows_that_disagree_prove_nothing():
    """Two rows with different hashes state none."""
    data = DATA + b"a.py,sha256=%s,3\r\n" % (b"A" * 43)
    assert record.stated(record.parse(data), "a.py") is None


def test_only_the_named_rows_change():
    """Rows that are not named keep their bytes, CRLF included."""
    after = record.changed(DATA, {"a.py": ONE}, {"helper.py": ONE})
    before_lines, after_lines = DATA.splitlines(True), after.splitlines(True)
    assert after_lines[1:-1] == before_lines[1:]
    assert after_lines[0].startswith(b"a.py,sha256=") and after_lines[0].endswith(b",3\r\n")
    assert after_lines[-1].startswith(b"helper.py,sha256=")
    assert record.stated(record.parse(after), "a.py") == ONE.sha256


def test_all_duplicates_change():
    """No row of a changed path keeps the old hash."""
    after = record.changed(DATA + DATA, {"a.py": ONE}, {})
    assert after.count(b"a.py,sha256=" + HASH.encode()) == 0


@pytest.mark.parametrize("path", ["hex.py", "none.py", "absent.py"])
def test_a_row_that_proves_nothing_is_kept_byte_for_byte(path):
    """A row without a readable hash gets none."""
    assert record.changed(DATA, {path: ONE}, {}) == DATA


def test_a_missing_final_newline_is_added_where_a_row_follows():
    """An added row ends as the others do; the last one gets its line end."""
    data = b"a.py,,\nb.py,,"
    assert record.changed(data, {}, {"c.py": ONE}).splitlines(True)[:2] == [
        b"a.py,,\n",
        b"b.py,,\n",
    ]
    assert record.changed(data, {}, {}) == data


def test_added_rows_come_in_order_and_once():
    """The same additions give the same bytes, and a second time none."""
    added = {"z.py": ONE, "a,b.py": ONE}
    once = record.changed(DATA, {}, added)
    assert record.changed(once, {}, added) == once
    assert once.splitlines()[-2].startswith(b'"a,b.py",')


def test_our_rows_are_restored():
    """Our rows are as in the original; rows that somebody else added stay."""
    patched = record.changed(DATA, {"a.py": ONE}, {"helper.py": ONE})
    theirs = b"new.py,,\r\n"
    assert record.restored(patched + theirs, DATA, ["a.py"], ["helper.py"]) == DATA + theirs
