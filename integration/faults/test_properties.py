"""Properties of the pure parts, over values that nobody would have written down."""

import base64
import difflib
import hashlib
import json
import re

import pytest

from jhpatch.errors import BadPatch, Untrusted
from jhpatch.installer import record, state
from jhpatch.installer.assessment import assess
from jhpatch.installer.distribution import Distribution
from jhpatch.installer.patch_status import SiteSnapshot
from jhpatch.installer.plan import Operation, plan
from jhpatch.installer.record import Entry
from jhpatch.nginx.site import ProxySite
from jhpatch.nginx.site_file import render
from jhpatch.patchset import engine, unified_diff, versions
from jhpatch.patchset.edition import Change, Edition, edition_of, read_edition
from jhpatch.system.rooted_files import is_relative
from jhpatch.system.sha256 import sha256
from jhpatch.transaction import journal

hypothesis = pytest.importorskip("hypothesis")
from hypothesis import HealthCheck, assume, given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

WHEN = "2026-01-01T00:00:00Z"


@pytest.fixture
def every(request, thorough, tally):
    """``every(check, *strategies)``: many examples, the same ones each time without --long."""

    def run(check, *strategies, examples=100):
        made = []

        def counted(values):
            check(*values)
            made.append(1)

        chosen = settings(
            max_examples=examples * 100 if thorough else examples,
            derandomize=not thorough,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        )
        chosen(given(st.tuples(*strategies))(counted))()
        assert len(made) > examples / 3
        name = request.node.name.partition("[")[0][len("test_") :]
        tally("property: " + name.replace("_", " "), len(made))

    return run


# RECORD.

PATHS = st.sampled_from(["a.py", "b.py", "c,d.py", 'q"q.py', "../../bin/x", "n\new.py", "", " s"])
HASHES = st.sampled_from(["", "sha256=" + "A" * 43, "sha256=zz", "md5=x", "sha256=" + "0" * 64])
ENDS = st.sampled_from([b"\n", b"\r\n", b"\r", b""])


@st.composite
def records(draw):
    """A RECORD as tools write it, with odd rows among the others."""
    end = draw(st.sampled_from([b"\n", b"\r\n"]))
    rows = []
    for path, digest in draw(st.lists(st.tuples(PATHS, HASHES), max_size=8)):
        quoted = '"%s"' % path.replace('"', '""') if set(path) & set(',"\n') else path
        rows.append(("%s,%s,%d" % (quoted, digest, len(path))).encode())
    data = end.join(rows) + draw(st.sampled_from([end, b""]))
    return data if rows else b""


def entry(data):
    """What a RECORD says of bytes."""
    return Entry(sha256(data), len(data))


def test_a_record_keeps_its_bytes(every):
    """The rows of any bytes joined are the bytes, and changing nothing changes nothing."""

    def check(data):
        assert b"".join(row.raw for row in record.parse(data)) == data
        assert record.changed(data, {}, {}) == data
        assert record.restored(data, data, [], []) == data

    every(check, st.one_of(records(), st.binary(max_size=200)), examples=300)


def test_a_record_changed_and_restored(every):
    """What was changed says the new hashes; restored, it is what it was, to the byte."""

    def check(data, files, new):
        assume(b"added.py" not in data)
        entries = {path: entry(new) for path in files}
        added = {"added.py": entry(b"more"), "pkg/a,b.py": entry(b"")}
        changed = record.changed(data, entries, added)
        rows = record.parse(changed)
        for path, one in added.items():
            assert record.stated(rows, path) == one.sha256
        for row in record.parse(data):
            if row.path in entries and row.sha256:
                assert entries[row.path].sha256 in {r.sha256 for r in rows if r.path == row.path}
            elif row.path not in entries:
                assert row.raw.rstrip(b"\r\n") in changed
        assert record.restored(changed, data, entries, added) == data
        assert record.changed(changed, entries, added) == changed

    every(check, records(), st.lists(PATHS, max_size=3), st.binary(max_size=9), examples=300)


def test_a_record_keeps_rows_of_other_programs(every):
    """Rows that came behind ours stay, each on a line of its own."""

    def check(data, files):
        entries = {path: entry(b"new") for path in files}
        changed = record.changed(data, entries, {"added.py": entry(b"")})
        back = record.restored(changed + b"theirs.py,,\n", data, entries, ["added.py"])
        rows = record.parse(back)
        assert rows[-1].raw == b"theirs.py,,\n" and len(rows) == len(record.parse(data)) + 1

    every(check, records(), st.lists(PATHS, max_size=3), examples=200)


# The header.

WORDS = st.text(
    st.characters(blacklist_categories=["Cs", "Cc", "Zl", "Zp"]), min_size=1, max_size=20
)


@st.composite
def headers(draw):
    """Fields, and their text."""
    names = draw(st.lists(st.sampled_from(["a.py", "b/c.py", "d.txt"]), min_size=1, unique=True))
    fields = [("Package", "app"), ("Versions", "==1.0"), ("Description", draw(WORDS).strip())]
    fields += [("Bug", word.strip()) for word in draw(st.lists(WORDS, max_size=3))]
    for name in names:
        for field in ("Before", "After"):
            fields.append((field, "%s sha256:%s" % (name, sha256(draw(st.binary(max_size=3))))))
    fields += [("Adds", "h.py < app/h.txt")] * draw(st.integers(0, 1))
    return draw(st.permutations(fields))


def test_a_header_contains_its_fields(every):
    """What is written down is what is read, in its order."""

    def check(fields):
        assume(all(value for _, value in fields))
        text = "".join("%s: %s\n" % field for field in fields) + "---\n"
        edition = edition_of("/t/app/1.0-slug.patch", text.encode())
        assert list(edition.fields) == fields
        assert len(edition.changes) == sum(name == "After" for name, _ in fields)
        for change in edition.changes:
            assert ("Before", "%s sha256:%s" % (change.path, change.before)) in fields
            assert ("After", "%s sha256:%s" % (change.path, change.after)) in fields

    every(check, headers())


def test_any_bytes_are_a_header_or_a_bad_patch(every):
    """And nothing else: no traceback, no other error."""
    good = b"Package: app\nVersions: ==1.0\nDescription: d\nNot-Needed: n\n---\n"

    def check(before, at, data):
        for text in (data, good[:at] + data + good[at:], before + good):
            try:
                edition = edition_of("/t/app/1.0-slug.patch", text)
            except BadPatch:
                continue
            assert edition.package and edition.ranges

    some = st.one_of(st.binary(max_size=60), st.text(max_size=30).map(lambda t: t.encode()))
    every(check, some.filter(bool), st.integers(0, len(good)), some, examples=200)


# Versions.

NUMBERS = st.lists(st.integers(0, 12), min_size=1, max_size=4).map(lambda n: ".".join(map(str, n)))
ODD = st.sampled_from(["1.0rc1", "2.0.post1", "1.0+local", "1.0.dev3", "0!1.0", "1.0a1", "3.0b2"])
VERSIONS = st.one_of(NUMBERS, ODD)


@st.composite
def ranges(draw):
    """A field ``Versions``."""
    parts = []
    for _ in range(draw(st.integers(1, 4))):
        low, high = sorted((draw(NUMBERS), draw(NUMBERS)), key=versions.key)
        parts.append(draw(st.sampled_from(["==" + draw(VERSIONS), ">=%s,<=%s" % (low, high)])))
    return versions.parse(" | ".join(parts), False)


def test_releases_compare_as_in_packaging(every):
    """Plain ones by their numbers; a range holds what lies between its ends."""
    from packaging.version import Version

    def check(one, other, third):
        assert (versions.key(one) < versions.key(other)) == (Version(one) < Version(other))
        low, high = sorted((one, other), key=Version)
        (found,) = versions.parse(">=%s,<=%s" % (low, high), False)
        assert found.holds(third) == (Version(low) <= Version(third) <= Version(high))

    every(check, NUMBERS, NUMBERS, NUMBERS, examples=200)


def test_ranges_overlap_if_a_release_is_in_both(every):
    """Whoever looks from which side; and clashes are named."""

    def check(one, other, version):
        for a in one:
            for b in other:
                assert a.meets(b) == b.meets(a)
                if a.holds(version) and b.holds(version):
                    assert a.meets(b)
        both = list(one + other)
        pairs = [(i, j) for i in range(len(both)) for j in range(i) if both[i].meets(both[j])]
        named = {place for pair in versions.clashes(both) for place in pair}
        assert named == {place for pair in pairs for place in pair}

    every(check, ranges(), ranges(), VERSIONS, examples=300)


def test_any_text_is_ranges_or_a_value_error(every):
    """And a release that nobody can read lies in none of them."""

    def check(text, version, wildcard):
        try:
            found = versions.parse(text, wildcard)
        except ValueError:
            return
        for one in found:
            assert one.holds(version) in (True, False) and one.meets(one)
            assert not one.holds("")

    chars = st.text("0123456789.=<>,|* abrc!+-_\n\u0661", max_size=25)
    every(check, st.one_of(chars, st.text(max_size=10)), st.text(max_size=10), st.booleans())


# The engine.

TEXTS = [b"", b"a", b"b", b" a", b"-a", b"+b", b"\\ no", b"\f", b"\xff", b"c d"]
TEXTS += [b"-- a/x.py", b"++ b/x.py", b"@@ -1 +1 @@", b"rename from x"]
LINES = st.lists(st.sampled_from(TEXTS), min_size=1, max_size=25)


def edition(before, after):
    """One of a file."""
    changes = (Change("x.py", sha256(before), sha256(after)),)
    return Edition(
        *("app/slug", "1.0-slug", "app", "==1.0", (), "d", None),
        *(changes, (), "/t/app/1.0-slug.patch", (), b""),
    )


@pytest.fixture
def diffed(monkeypatch):
    """``diffed(diff)`` puts bytes in the place of the diff of a file."""
    return lambda diff: monkeypatch.setattr(Edition, "diff", diff)


def unified(before, after, context):
    """The diff of difflib."""
    rows = difflib.diff_bytes(
        difflib.unified_diff,
        *([line + b"\n" for line in text] for text in (before, after)),
        *(b"a/x.py", b"b/x.py"),
        n=context,
    )
    return b"".join(rows)


def joined(lines):
    """A text file."""
    return b"".join(line + b"\n" for line in lines)


def test_a_diff_produces_the_declared_bytes(every, diffed):
    """From any lines to any lines, forth and back; with the smallest contexts too."""

    def check(before, after, context):
        assume(before != after)
        diffed(unified(before, after, context))
        old, new = joined(before), joined(after)
        one = edition(old, new)
        assert engine.after_of(one, {"x.py": old}) == {"x.py": new}
        assert engine.before_of(one, {"x.py": new}) == {"x.py": old}
        with pytest.raises(BadPatch):
            engine.after_of(edition(old, new + b"x\n"), {"x.py": old})
        with pytest.raises(BadPatch):
            engine.after_of(one, {"x.py": b"one more\n" + old})

    every(check, LINES, LINES, st.integers(1, 5), examples=200)


TEXTS = st.one_of(
    st.none(),
    st.lists(
        st.sampled_from(
            [b"a", b"b\n", b"\r\n", b"\n", b"\r", b"caf\xe9\n", b"\\ No\n", b"--- a/x\n"]
        ),
        max_size=12,
    ).map(b"".join),
)
"""No file, or text with any line ends, in any encoding."""


def test_our_own_diff_of_any_text_gives_it_exactly(every):
    """Created, removed, emptied and filled files, CR, and no final newline, forth and back."""

    def check(before, after):
        assume(before != after)
        text = unified_diff.diff("x y", before, after).encode("utf-8", "surrogateescape")
        diff = engine.parsed(text, "p")["x y"]
        assert engine.spliced(before, diff, "p") == after
        assert engine.spliced(after, engine._inverse(diff), "p") == before

    every(check, TEXTS, TEXTS, examples=400)


def test_any_bytes_are_a_diff_or_a_bad_patch(every, diffed):
    """Whatever the diff is, only the declared bytes come out."""

    def check(before, after, data, at, size):
        old, new = joined(before), joined(after)
        diff = unified(before, after, 2)
        diffed(diff[:at] + data + diff[at + size :])
        try:
            assert engine.after_of(edition(old, new), {"x.py": old}) == {"x.py": new}
        except BadPatch:
            pass

    some = st.one_of(
        st.binary(max_size=8),
        st.sampled_from(
            [b"\n", b"@@ -1 +1 @@\n", b"+a\n", b"-a\n", b" \n", b"--- a/x.py\n", b"\t"]
        ),
    )
    every(check, LINES, LINES, some, st.integers(0, 300), st.integers(0, 9), examples=300)


# What lies in .jhpatch.

JSON = st.recursive(
    st.one_of(
        *(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8)),
        st.sampled_from(["../x", "/x", "a/b", "0" * 64, ".jhpatch-" + "0" * 16 + "-0"]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.one_of(
                st.text(max_size=5),
                st.sampled_from(
                    [*state.FileHashes._fields, *state.AppliedPatch._fields, *journal.Row._fields]
                    + list(journal.Directory._fields)
                ),
            ),
            inner,
            max_size=4,
        ),
    ),
    max_leaves=8,
)
FILE = state.FileHashes("app/a.py", "1" * 64, "2" * 64)
STATE = state.State(
    "0.1.0",
    (
        state.DistributionState(
            *("app", "1.0", state.FileHashes("app-1.0.dist-info/RECORD", "3" * 64, "4" * 64)),
            (state.AppliedPatch("app/slug", "1.0-slug", "5" * 64, WHEN, (FILE,)),),
        ),
    ),
)
ROW = journal.Row(
    *("app/a.py", "1" * 64, "2" * 64, ".jhpatch-" + "0" * 16 + "-0", 420, 0, 0),
    "app-1.0.dist-info/RECORD",
)
JOURNAL = journal.Journal(1, "1", "b", "h", None, (ROW,))
PACKAGES = JOURNAL._replace(
    rows=(
        ROW._replace(path="app/new/deep/a.py", before=None),
        ROW._replace(path="app/old/a.py", after=None),
    ),
    directories=(
        journal.Directory("app/new", 0o2755, 0, 0, True),
        journal.Directory("app/new/deep", 0o755, 0, 0, True),
        journal.Directory("app/old", 0o700, 1, 2, False),
    ),
)


def places(value, here=()):
    """The place of each value in a document."""
    yield here
    items = value.items() if isinstance(value, dict) else ()
    for key, inner in enumerate(value) if isinstance(value, list) else items:
        yield from places(inner, (*here, key))


def replaced(document, place, value):
    """The document with another value at a place."""
    if not place:
        return value
    copy = json.loads(json.dumps(document))
    inner = copy
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    return copy


def beneath(value):
    """Every path that a believed document names."""
    if isinstance(value, state.State):
        files = [file for patch in value.patches() for file in patch.files]
        files += [entry.record for entry in value.distributions if entry.record]
        return [file.path for file in files]
    directories = [directory.path for directory in value.directories]
    assert not any(path.split("/")[0] == ".jhpatch" for path in directories)
    assert all(any(row.path.startswith(path + "/") for row in value.rows) for path in directories)
    rows = [path for row in value.rows for path in (row.path, row.guard) if path is not None]
    return rows + directories


@pytest.mark.parametrize(
    "room, good",
    [(state, STATE), (journal, JOURNAL), (journal, PACKAGES)],
    ids=["state", "journal", "journal with directories"],
)
def test_saved_documents(every, room, good):
    """Written and read again it is the same; any other is believed only with our kind of paths."""
    document = json.loads(room.dump(good).decode())
    assert room.parse(room.dump(good), "p") == good

    def check(place, value, raw):
        for data in (json.dumps(replaced(document, place, value)).encode(), raw):
            try:
                found = room.parse(data, "p")
            except Untrusted as error:
                assert error.path == "p" and len(error.found) < 400
                continue
            assert all(map(is_relative, beneath(found)))
            assert room.parse(room.dump(found), "p") == found

    every(
        check, st.sampled_from(list(places(document))), JSON, st.binary(max_size=30), examples=300
    )


# The plan.

MODULES = ["app/m%d.py" % number for number in range(4)]
RECORD = "app-1.0.dist-info/RECORD"
BEFORE = {path: b"".join(b"%d\n" % n for n in range(k, k + 9)) for k, path in enumerate(MODULES)}
PATCHES = ["app/p%d" % number for number in range(4)]


@pytest.fixture(scope="module")
def editions(tmp_path_factory):
    """Four patches of a module each; three bring a file that they share."""
    folder = tmp_path_factory.mktemp("tree") / "app"
    folder.mkdir()
    (folder / "shared.py").write_text("shared = 1\n")
    made = []
    for number, path in enumerate(MODULES):
        before = BEFORE[path].split(b"\n")[:-1]
        after = [*before[:4], b"patched", *before[5:]]
        text = "Package: app\nVersions: ==1.0\nDescription: d\n"
        text += "Before: %s sha256:%s\n" % (path, sha256(joined(before)))
        text += "After: %s sha256:%s\n" % (path, sha256(joined(after)))
        text += "Adds: app/shared.py < app/shared.py\n" * (number < 3) + "---\n"
        diff = unified(before, after, 3).replace(b"x.py", path.encode())
        (folder / ("1.0-p%d.patch" % number)).write_bytes(text.encode() + diff)
        made.append(read_edition(str(folder / ("1.0-p%d.patch" % number))))
    return made


class Memory:
    """A site in memory, changed as a plan says."""

    def __init__(self, record_bytes):
        self.files = dict(BEFORE, **{RECORD: record_bytes})
        self.saved = {}

    def view(self):
        """As a plan sees it."""
        data = self.files.get(state.STATE)
        known = state.parse(data, state.STATE) if data is not None else None
        found = {"app": [Distribution("app", "1.0", "app-1.0.dist-info", None, "pip")]}
        return SiteSnapshot("/site", found, known, data, self.files.get, self.saved.__getitem__)

    def carry_out(self, made):
        """Every change, from what lies there."""
        assert not made.refusals
        for data in made.originals:
            self.saved[sha256(data)] = data
        for change in made.changes:
            assert is_relative(change.path)
            assert change.path in {*MODULES, RECORD, "app/shared.py", state.STATE}
            assert self.files.get(change.path) == change.before != change.after
            if change.after is None:
                del self.files[change.path]
            else:
                self.files[change.path] = change.after
        if made.changes:
            self.saved = {k: v for k, v in self.saved.items() if k in made.keep}
            assert set(self.saved) == set(made.keep)

    def step(self, editions, command, named):
        """Plans and does; a second time there is nothing to do."""
        for turn in range(2):
            view = self.view()
            found = assess(view, editions)
            operation = Operation(command, frozenset(named), "0.1.0", WHEN)
            made = plan(operation, view, found)
            assert not (turn and made.changes)
            self.carry_out(made)
        for patch in self.view().state.patches() if state.STATE in self.files else ():
            for file in patch.files:
                assert sha256(self.files[file.path]) == file.after


@st.composite
def own_records(draw):
    """A RECORD of the distribution: some rows, in any order, with any line ends."""
    rows = []
    for path in draw(st.permutations([*MODULES, "app/other.py", RECORD]))[
        : draw(st.integers(0, 6))
    ]:
        digest = hashlib.sha256(BEFORE.get(path, b"")).digest()
        value = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        rows.append(("%s,sha256=%s,1" % (path, value) if path in BEFORE else path + ",,").encode())
    end = draw(st.sampled_from([b"\n", b"\r\n"]))
    return end.join(rows) + (draw(st.sampled_from([end, b""])) if rows else b"")


def test_any_series_of_apply_and_revert(every, editions):
    """Any subsets applied and reverted in any order: at last every byte is as it was."""
    some = st.one_of(st.just(set()), st.sets(st.sampled_from(PATCHES), min_size=1, max_size=2))
    commands = st.tuples(st.sampled_from(["apply", "revert"]), some)

    def check(record_bytes, steps):
        site = Memory(record_bytes)
        before = dict(site.files)
        for command, named in steps:
            site.step(editions, command, named)
        site.step(editions, "revert", set())
        assert site.files == before

    every(check, own_records(), st.lists(commands, min_size=1, max_size=6), examples=100)


def test_the_order_of_patches_does_not_matter(every, editions):
    """One after the other in any order, or all at once: the same bytes everywhere."""

    def check(record_bytes, order):
        site, at_once = Memory(record_bytes), Memory(record_bytes)
        for patch in order:
            site.step(editions, "apply", {patch})
        at_once.step(editions, "apply", set(order))
        assert site.files == at_once.files

    every(check, own_records(), st.permutations(PATCHES), examples=40)


# The site file of a reverse proxy.

SITE = ProxySite(
    server_names=("name.example",),
    upstreams=("https://upstream.example:8000",),
    version="1.22.1",
    listens=("8443",),
    certificates=(("/certificate", "/key"),),
    redirect_http=True,
    stapling="192.0.2.53",
    max_body="123457k",
    read_timeout="123457s",
    base_url="/base-path/",
    upstream_ca="/upstream-ca",
)
SITE_WORDS = {
    "server_names": "name.example",
    "upstreams": "upstream.example",
    "listens": "8443",
    "certificates": "/certificate",
    "stapling": "192.0.2.53",
    "max_body": "123457k",
    "read_timeout": "123457s",
    "base_url": "/base-path/",
    "upstream_ca": "/upstream-ca",
}
"""Each field, and a word that is in no other field's."""


def with_word(field, word):
    """The site with another word in that field, and nothing else changed."""

    def put(value):
        if isinstance(value, tuple):
            return tuple(map(put, value))
        return (
            word
            if value == SITE_WORDS[field]
            else value.replace("//" + SITE_WORDS[field], "//" + word)
        )

    return SITE._replace(**{field: put(getattr(SITE, field))})


def shape(text):
    """The text without the hash of its own and the names that are derived from values."""
    return re.sub(r"site_[a-z0-9]*_[0-9a-f]{6}", "site", text.partition("\n")[2])


LISTENS = ["443", "192.0.2.1:443", "192.0.2.1:9443"]
SITE_SIGNS = st.text(st.sampled_from("a0-._/:[]@~% \t\n\r;{}$\"'\\#\0\u00e4*=kd"), max_size=12)
SITE_PLAIN = st.from_regex(r"[a-z0-9/][a-z0-9./:-]{0,9}", fullmatch=True)


@pytest.mark.parametrize("field", sorted(SITE_WORDS))
def test_no_value_ends_its_directive(every, field):
    """A value is refused, or the file is the same but for that word, which ends nothing."""
    benign, own = shape(render(SITE)), SITE_WORDS[field]
    assert own in benign
    taken = []

    def check(word):
        try:
            text = shape(render(with_word(field, word)))
        except ValueError:
            return
        taken.append(word)
        if field == "server_names":
            word = word.lower()
        if field == "stapling" and ":" in word:
            word = "[%s]" % word
        if field == "base_url":
            own_bare, bare = own[:-1], word.rstrip("/")  # it may lack the last one
            assert text in (benign.replace(own_bare, bare), render_at_root(benign, own))
        elif field == "listens":
            port = int(word.rpartition(":")[2])  # all of it that a redirect names; 443 not at all
            where = "$host$" if port == 443 else "$host:%d$" % port
            assert text == benign.replace("$host:%s$" % own, where).replace(
                " %s " % own, " %s " % word
            )
        else:
            assert text == benign.replace(own, word)
        assert not set(word) & set(" \t\n\r;{}$\"'\\#\0")

    every(check, st.one_of(SITE_SIGNS, SITE_PLAIN, st.text(max_size=8)), examples=300)
    for word in [own] + (LISTENS if field == "listens" else []):
        check(word)
        assert taken[-1] == word


def render_at_root(benign, own):
    """Without a base path there is no second location to send browsers there."""
    begin = benign.index("    location = " + own[:-1])
    end = benign.index("        return 404;\n    }\n") + len("        return 404;\n    }\n")
    return (benign[:begin] + benign[end:]).replace(own, "/")
