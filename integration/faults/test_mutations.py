"""Good patches, broken at random: the declared bytes or a refusal, never anything else."""

import glob
import os
import random
import re
import shutil
import zipfile

import pytest

from integration.faults.watched import answer, bounded, picture
from jhpatch.errors import BadPatch
from jhpatch.patchset import catalog, engine
from jhpatch.patchset.edition import digest, edition_of, read_edition
from jhpatch.system.sha256 import sha256
from testing.wheels import fetched_wheel

SHARES = 4
WORDS = [
    "",
    "0",
    "1",
    "7",
    "-1",
    "4294967296",
    "a",
    "../x",
    "/x",
    "*",
    "helper:x",
    "deployed:x",
    "a/ < deployed:kerberos-hub",
    "\u00e9",
    "==1",
]


# Each takes the bytes of a patch, the bytes of another one, and the source of chance.


def flip(data, other, chance):
    """One bit."""
    at = chance.randrange(len(data))
    return data[:at] + bytes([data[at] ^ 1 << chance.randrange(8)]) + data[at + 1 :]


def byte(data, other, chance):
    """Another byte in the place of one."""
    at = chance.randrange(len(data))
    return data[:at] + bytes([chance.randrange(256)]) + data[at + 1 :]


def insert(data, other, chance):
    """A byte more."""
    at = chance.randrange(len(data) + 1)
    return (
        data[:at] + chance.choice([b"\n", b" ", b"\t", b"\r", b"-", b"+", b"\0", b"x"]) + data[at:]
    )


def delete(data, other, chance):
    """A few bytes less."""
    at = chance.randrange(len(data))
    return data[:at] + data[at + chance.choice([1, 1, 1, 2, 5, 80]) :]


def truncate(data, other, chance):
    """Cut anywhere."""
    return data[: chance.randrange(len(data))]


def double_line(data, other, chance):
    """A line twice."""
    lines = data.splitlines(True)
    at = chance.randrange(len(lines))
    return b"".join(lines[: at + 1] + lines[at:])


def drop_line(data, other, chance):
    """A line less."""
    lines = data.splitlines(True)
    del lines[chance.randrange(len(lines))]
    return b"".join(lines)


def swap_lines(data, other, chance):
    """Two neighbours change places."""
    lines = data.splitlines(True)
    at = chance.randrange(len(lines) - 1)
    lines[at : at + 2] = lines[at : at + 2][::-1]
    return b"".join(lines)


def move_line(data, other, chance):
    """A line elsewhere."""
    lines = data.splitlines(True)
    line = lines.pop(chance.randrange(len(lines)))
    lines.insert(chance.randrange(len(lines) + 1), line)
    return b"".join(lines)


def sign(data, other, chance):
    """A context line that becomes an added or a removed one, or the other way round."""
    lines = data.splitlines(True)
    at = chance.randrange(data.partition(b"\n---\n")[0].count(b"\n") + 2, len(lines))
    lines[at] = chance.choice([b" ", b"+", b"-", b"\\"]) + lines[at][1:]
    return b"".join(lines)


def field(data, other, chance):
    """A word of the header is another."""
    head, end, diff = data.partition(b"\n---\n")
    words = re.split(rb"(\W+)", head)
    words[chance.randrange(0, len(words), 2)] = chance.choice(WORDS).encode()
    return b"".join(words) + end + diff


def field_of_other(data, other, chance):
    """A line of the header is another patch's."""
    lines = data.splitlines(True)
    end = lines.index(b"---\n")
    theirs = other.splitlines(True)
    lines[chance.randrange(end)] = theirs[chance.randrange(theirs.index(b"---\n"))]
    return b"".join(lines)


def hunk_number(data, other, chance):
    """A number of a hunk is another."""
    places = [
        match.span(group)
        for match in re.finditer(rb"^@@ -(\d+),(\d+) \+(\d+),(\d+) @@", data, re.M)
        for group in range(1, 5)
    ]
    start, end = chance.choice(places)
    old = int(data[start:end])
    new = chance.choice([old + 1, old - 1, 0, old * 10, old + 1000000, -old])
    return data[:start] + str(new).encode() + data[end:]


def splice(data, other, chance):
    """The beginning of one and the end of another."""
    return data[: chance.randrange(len(data))] + other[chance.randrange(len(other)) :]


def splice_at_the_end(data, other, chance):
    """The header of one and the diff of another."""
    return data.partition(b"---\n")[0] + b"---\n" + other.partition(b"\n---\n")[2]


def hunk_of_other(data, other, chance):
    """A hunk of another one behind our own."""
    return data + b"@@ -" + chance.choice(other.split(b"\n@@ -")[1:]).rstrip(b"\n") + b"\n"


MUTATIONS = [
    *(flip, byte, insert, delete, truncate, double_line, drop_line, swap_lines, move_line, sign),
    *(field, field_of_other, hunk_number, splice, splice_at_the_end, hunk_of_other),
]


@pytest.fixture(scope="module")
def patches():
    """Each patch of ours: its path, its bytes, and the real files that it is for."""
    found = []
    for path in sorted(glob.glob(os.path.join(catalog.own_patch_dir(), "*", "*.patch"))):
        edition = read_edition(path)
        if edition.changes:
            release = edition.name.partition("-")[0]
            with zipfile.ZipFile(fetched_wheel(edition.distribution, release)) as archive:
                before = {change.path: archive.read(change.path) for change in edition.changes}
            with open(path, "rb") as file:
                found.append((path, file.read(), before))
    assert len(found) > 50
    return found


def put(path, data):
    """A new file: to overwrite one waits for the disk (ext4, auto_da_alloc)."""
    if os.path.exists(path):
        os.unlink(path)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(data)


def outcome(path, before):
    """What apply would make of a site with the files ``before``: bytes, or None for a refusal."""
    try:
        edition = read_edition(path)
        # A file that is not as the header says is another's edit: refused, as by assessment.py.
        if any(sha256(before.get(one.path, b"")) != one.before for one in edition.changes):
            return edition, None
        digest(edition)
        return edition, engine.after_of(edition, before)
    except BadPatch as error:
        assert error.path == path, error.path
        assert "unexpected" not in error.message
        return None, None


@pytest.mark.parametrize("share", range(SHARES))
def test_a_mutation_gives_the_declared_bytes_or_none(share, patches, tmp_path, thorough, tally):
    """The After of the patch as it was, byte for byte, or a refusal that names the file."""
    chance = random.Random(share)
    right = made = 0
    for number in range(30000 if thorough else 2500):
        source, data, before = patches[chance.randrange(len(patches))]
        mutation = MUTATIONS[number % len(MUTATIONS)]
        mutated = mutation(data, chance.choice(patches)[1], chance)
        if mutated == data:
            continue
        path = str(tmp_path / os.path.basename(os.path.dirname(source)) / os.path.basename(source))
        put(path, mutated)
        original = edition_of(source, data)
        with bounded():
            edition, after = outcome(path, before)
        made += 1
        if after:
            right += 1
            assert edition.changes == original.changes, mutated
            assert {name: sha256(now) for name, now in after.items()} == {
                change.path: change.after for change in original.changes
            }, mutated
        elif edition is not None:
            assert edition.changes != original.changes, mutated
    assert right < made / 3 and made > 1000
    tally("mutation of a valid patch", made)


def test_every_truncation(patches, tmp_path, thorough, tally):
    """Cut at every byte: a refusal, and nothing but a refusal."""
    for source, data, before in patches if thorough else patches[:: len(patches) // 2]:
        path = str(tmp_path / os.path.basename(os.path.dirname(source)) / os.path.basename(source))
        for size in range(len(data)):
            put(path, data[:size])
            with bounded():
                assert outcome(path, before)[1] is None, data[:size]
        tally("truncation of a valid patch", len(data))


@pytest.mark.parametrize("share", range(SHARES))
def test_a_mutation_from_end_to_end(share, lab, tmp_path, thorough, tally, monkeypatch):
    """apply with a broken patch: all of it, or a refusal and nothing; never 0 and nothing done."""
    chance = random.Random(100 + share)
    own = catalog.own_patch_dir()
    names = ["6.4.11-kerberos-open.patch", "6.4.12-kerberos-save.patch"]
    texts = []
    for name in names:
        with open(os.path.join(own, "notebook", name), "rb") as file:
            texts.append(file.read())
    site = lab.copy(lab.pristine, str(tmp_path / "site"))
    for number in range(1000 if thorough else 40):
        tree = str(tmp_path / ("tree-%d" % number))
        shutil.copytree(own, tree)
        monkeypatch.setattr("jhpatch.patchset.catalog.own_patch_dir", lambda tree=tree: tree)
        which = chance.randrange(2)
        mutation = MUTATIONS[number % len(MUTATIONS)]
        mutated = mutation(texts[which], texts[1 - which], chance)
        with open(os.path.join(tree, "notebook", names[which]), "wb") as file:
            file.write(mutated)
        site = end_to_end(lab, site, mutated)
        shutil.rmtree(tree)
        tally("mutation of a valid patch: end to end")


def end_to_end(lab, site, mutated):
    """Applies and reverts; gives the site back as it was."""
    before = picture(site)
    found = answer("apply", "--site", site)
    if found.code:
        assert picture(site) == before, (found, mutated)
        return site
    assert found.document["changed"] and set(found.states.values()) == {"applied"}, found
    # What a patch adds may have another name by now; what it changes is declared.
    now = picture(site)
    for path in lab.before:
        assert path.endswith("RECORD") or now[path][0] == lab.after[path][0], (path, mutated)
    assert answer("revert", "--site", site).code == 0
    assert lab.state(site) == "before", mutated
    return site
