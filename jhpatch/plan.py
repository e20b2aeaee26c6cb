"""Patches, bytes and state → what each patch's state is, and what a command would change.

Nothing is written here, and the disk is seen only through the ``View`` that is
passed in. Whoever reads this module knows what jhpatch does to a site.
"""

from typing import Callable, Dict, Iterable, List, NamedTuple, Optional, Set, Tuple

from jhpatch import catalog, engine, state
from jhpatch.beneath import NotPlain
from jhpatch.catalog import Edition, normalized
from jhpatch.engine import sha256
from jhpatch.errors import BadPatch, JhpatchError, Refused
from jhpatch.site import Distribution
from jhpatch.state import Applied, File, Patched, State

STATE = ".jhpatch/state.json"
FORCED = ".jhpatch/forced"


class View(NamedTuple):
    """A site as a plan sees it."""

    path: str
    distributions: Dict[str, List[Distribution]]
    state: Optional[State]
    state_bytes: Optional[bytes]
    read: Callable[[str], Optional[bytes]]
    """A file's bytes, or None. Raises NotPlain for what is no plain file of the site."""
    original: Callable[[str], bytes]
    """A saved original by SHA-256. Raises Untrusted."""


class FileState(NamedTuple):
    """A file of a patch: ``before``, ``after``, ``missing`` or ``other``; hashes as hex."""

    path: str
    state: str
    expected: Optional[str]
    found: Optional[str]


class Assessment(NamedTuple):
    """A patch in a site: its state, and why."""

    patch: str
    state: str
    reason: Optional[str]
    edition: Optional[Edition]
    distribution: Optional[Distribution]
    applied: Optional[Applied]
    files: Tuple[FileState, ...] = ()
    leftovers: Tuple[File, ...] = ()
    """Files that we added and that are still there, though they should not be."""
    unlisted: Optional[Edition] = None
    """An edition whose bytes fit although its Versions do not name the release."""

    @property
    def version(self) -> Optional[str]:
        """The installed release."""
        return self.distribution.version if self.distribution else None


class Change(NamedTuple):
    """A file's bytes now and as they shall be (None: no file); see transaction.FileChange."""

    path: str
    before: Optional[bytes]
    after: Optional[bytes]
    guard: Optional[str]


class Plan(NamedTuple):
    """What a command would do to a site: every change, in order, or the refusals."""

    changes: Tuple[Change, ...]
    patches: Tuple[str, ...]
    """The patches whose state changes."""
    originals: Tuple[bytes, ...]
    """Bytes that a later revert needs."""
    keep: Tuple[str, ...]
    """All saved originals that stay, by SHA-256."""
    refusals: Tuple[Tuple[str, JhpatchError], ...]


# The state of each patch: the rules in their order, the first that holds decides.


def assess(view: View, editions: Iterable[Edition]) -> Tuple[Assessment, ...]:
    """The state of each patch of the catalog and of the site's own state, by name."""
    by_patch = {}  # type: Dict[str, List[Edition]]
    for edition in editions:
        by_patch.setdefault(edition.patch, []).append(edition)
    recorded = {a.patch: a for one in (view.state.patched if view.state else ()) for a in one.applied}
    for patch in recorded:
        by_patch.setdefault(patch, [])
    return tuple(
        _assess(view, patch, by_patch[patch], recorded.get(patch)) for patch in sorted(by_patch)
    )


def _assess(
    view: View, patch: str, editions: List[Edition], applied: Optional[Applied]
) -> Assessment:
    found = view.distributions.get(normalized(patch.partition("/")[0]), [])
    try:
        if not found:
            left = _leftovers(view, applied)
            return Assessment(patch, "absent", _left(applied), None, None, applied, (), left)
        if len(found) > 1:
            reason = "layout: two of it: " + " and ".join(one.info for one in found)
            return Assessment(patch, "unsupported", reason, None, found[0], applied)
        if found[0].layout:
            reason = "layout: " + found[0].layout
            return Assessment(patch, "unsupported", reason, None, found[0], applied)
        return _of_installed(view, patch, editions, applied, found[0])
    except NotPlain as error:
        reason = "layout: %s: %s" % (error.filename, error.strerror)
        return Assessment(patch, "unsupported", reason, None, found[0] if found else None, applied)


def _of_installed(
    view: View,
    patch: str,
    editions: List[Edition],
    applied: Optional[Applied],
    distribution: Distribution,
) -> Assessment:
    edition = next((one for one in editions if one.fits(distribution.version)), None)
    base = Assessment(patch, "", None, edition, distribution, applied)
    if applied and all(_hash(view, file.path) == file.after for file in applied.files):
        state, reason = _current(applied, edition, editions)
        return base._replace(state=state, reason=reason, files=_applied_files(applied))
    if edition and edition.not_needed:
        left = _leftovers(view, applied)
        return base._replace(
            state="not-needed", reason=edition.not_needed, edition=edition, leftovers=left
        )
    if edition is not None:
        return _by_bytes(view, base, edition)
    entry = view.state.of(distribution.name) if view.state else None
    if applied and entry and entry.version == distribution.version:
        return _by_record(view, base, applied)
    return _unlisted(view, base, editions)


def _current(
    applied: Applied, edition: Optional[Edition], editions: List[Edition]
) -> Tuple[str, Optional[str]]:
    """``applied``, or ``outdated`` where the catalog's patch for this release is another."""
    edition = edition or next((one for one in editions if one.name == applied.edition), None)
    if edition is None:
        return "applied", "the catalog no longer has this patch for this release"
    if edition.not_needed or catalog.digest(edition) != applied.digest:
        return "outdated", "the catalog has another version of this patch"
    return "applied", None


def _unlisted(view: View, base: Assessment, editions: List[Edition]) -> Assessment:
    """No edition names the release; perhaps one has its bytes."""
    fits = next((e for e in editions if e.changes and _is_before(view, e)), None)
    known = " | ".join(one.versions for one in editions if one.changes) or "none"
    reason = "release %s is not known; known: %s" % (base.version, known)
    if fits:
        reason += "; its bytes are those of %s: --allow-unlisted accepts them" % fits.name
    left = _leftovers(view, base.applied)
    return base._replace(state="unsupported", reason=reason, unlisted=fits, leftovers=left)


def _is_before(view: View, edition: Edition) -> bool:
    return all(_hash(view, change.path) == change.before for change in edition.changes)


def _by_bytes(view: View, base: Assessment, edition: Edition) -> Assessment:
    """The states that the bytes decide: modified, pristine, superseded, applied, outdated."""
    applied = base.applied
    adds = {path: sha256(data) for path, data in catalog.added_bytes(edition).items()}
    recorded = {file.path: file for file in applied.files} if applied else {}
    changed = tuple(
        _file_state(view, change.path, change.before, change.after, recorded.get(change.path))
        for change in edition.changes
    )
    added = tuple(
        _file_state(view, path, None, after, recorded.get(path))
        for path, after in sorted(adds.items())
    )
    modules = {change.path for change in edition.changes}
    return _decided(view, base._replace(files=changed + added), modules)


def _decided(view: View, base: Assessment, modules: Set[str]) -> Assessment:
    files = base.files
    odd = next((file for file in files if file.state == "other"), None)
    if odd:
        return _of_odd_bytes(view, base, odd)
    if all(file.state == "before" for file in files if file.path in modules):
        if base.applied is None:
            return base._replace(state="pristine")
        return base._replace(
            state="superseded",
            reason="the distribution was installed again since the patch was applied",
            leftovers=_leftovers(view, base.applied),
        )
    if all(file.state == "after" and file.found == file.expected for file in files):
        return base._replace(state="applied", reason="unrecorded")
    return base._replace(state="outdated", reason="a mix of bytes of several versions")


def _by_record(view: View, base: Assessment, applied: Applied) -> Assessment:
    """A recorded patch that the catalog does not have for this release any more."""
    files = tuple(_file_state(view, f.path, f.before, f.after, f) for f in applied.files)
    modules = {file.path for file in applied.files if file.before is not None}
    return _decided(view, base._replace(files=files), modules)


def _file_state(
    view: View, path: str, before: Optional[str], after: str, recorded: Optional[File]
) -> FileState:
    found = _hash(view, path)
    if found == before:
        return FileState(path, "before" if before else "missing", before, found)
    if found == after or (recorded and found == recorded.after):
        return FileState(path, "after", after, found)
    if found is None:
        return FileState(path, "other", before, found)
    if recorded and found == recorded.before:
        return FileState(path, "after", after, found)
    return FileState(path, "other", after if recorded else before, found)


def _of_odd_bytes(view: View, base: Assessment, odd: FileState) -> Assessment:
    """Bytes that we do not know: another build of the release, if RECORD states them."""
    from jhpatch import record

    distribution = base.distribution
    listed = distribution and distribution.record and view.read(distribution.record)
    if listed and odd.found and record.stated(record.parse(listed), odd.path) == odd.found:
        reason = "another build: RECORD states the bytes of %s, no patch does" % odd.path
        return base._replace(state="unsupported", reason=reason)
    what = "is missing" if odd.found is None else "has bytes that no patch knows"
    return base._replace(state="modified", reason="%s %s" % (odd.path, what))


def _applied_files(applied: Applied) -> Tuple[FileState, ...]:
    return tuple(FileState(f.path, "after", f.after, f.after) for f in applied.files)


def _leftovers(view: View, applied: Optional[Applied]) -> Tuple[File, ...]:
    """The files that we added and that are there still, with our bytes."""
    added = [file for file in applied.files if file.before is None] if applied else []
    return tuple(file for file in added if _hash(view, file.path) == file.after)


def _left(applied: Optional[Applied]) -> Optional[str]:
    return "the distribution is gone; what was recorded of it is left" if applied else None


def _hash(view: View, path: str) -> Optional[str]:
    data = view.read(path)
    return None if data is None else sha256(data)


# What apply and revert would change.


def plan_apply(
    view: View,
    assessments: Iterable[Assessment],
    named: Set[str],
    tool: str,
    when: str,
    allow_unlisted: bool = False,
) -> Plan:
    """Everything that ``apply`` would do; ``named`` is empty for all patches.

    ``tool`` is the version of jhpatch and ``when`` the time, for the state.
    """
    wanted = []  # type: List[Assessment]
    dropped = []  # type: List[Assessment]
    refusals = []  # type: List[Tuple[str, JhpatchError]]
    for one in assessments:
        if named and one.patch not in named:
            continue
        if one.state == "unsupported" and one.unlisted and allow_unlisted:
            one = one._replace(state="pristine", edition=one.unlisted)
        refusal = _refusal(view, one, bool(named), tool)
        if refusal:
            refusals.append((one.patch, refusal))
        elif one.state in ("absent", "not-needed"):
            dropped += [one] if one.applied else []
        elif one.state != "applied" or one.reason == "unrecorded":
            wanted.append(one)
    refusals += _two_owners(view, wanted)
    if refusals:
        return Plan((), (), (), (), tuple(refusals))
    return _plan(view, tuple(assessments), wanted, dropped, tool, when, reverting=False)


def plan_revert(
    view: View,
    assessments: Iterable[Assessment],
    named: Set[str],
    tool: str,
    force: bool = False,
) -> Plan:
    """Everything that ``revert`` would do; ``named`` is empty for all patches."""
    dropped = []  # type: List[Assessment]
    refusals = []  # type: List[Tuple[str, JhpatchError]]
    for one in assessments:
        if named and one.patch not in named:
            continue
        if one.state == "modified" and not (force and _is_recorded(view, one)):
            refusals.append((one.patch, _modified(view, one, reverting=True)))
        elif one.state == "unsupported" and one.applied and _is_layout(one):
            refusals.append((one.patch, _unsupported(view, one)))
        elif one.applied or one.state in ("applied", "outdated"):
            dropped.append(one)
    if refusals:
        return Plan((), (), (), (), tuple(refusals))
    return _plan(view, tuple(assessments), [], dropped, tool, "", reverting=True)


def _plan(
    view: View,
    assessments: Tuple[Assessment, ...],
    wanted: List[Assessment],
    dropped: List[Assessment],
    tool: str,
    when: str,
    reverting: bool,
) -> Plan:
    touched = {one.patch.partition("/")[0] for one in wanted + dropped}
    patched = {one.name: one for one in (view.state.patched if view.state else ())}
    changes = []  # type: List[Change]
    originals = []  # type: List[bytes]
    for name in sorted(normalized(name) for name in touched):
        ours = [one for one in assessments if normalized(one.patch.partition("/")[0]) == name]
        job = _Job(view, name, ours, [w for w in wanted if w.patch in {o.patch for o in ours}])
        entry = job.run({one.patch for one in dropped}, when)
        changes += job.changes
        originals += job.originals
        patched.pop(name, None)
        if entry is not None:
            patched[name] = entry
    after = State(tool, tuple(patched[name] for name in sorted(patched)))
    data = state.dump(after) if after.patched else None
    if changes or touched:
        changes = _ordered(changes, reverting)
        if data != view.state_bytes:
            changes.append(Change(STATE, view.state_bytes, data, None))
    names = tuple(sorted(one.patch for one in wanted + dropped))
    keep = after.originals()
    return Plan(tuple(changes), names if changes else (), tuple(originals), keep, ())


def _ordered(changes: List[Change], reverting: bool) -> List[Change]:
    """What others import must be there first: RECORD, helper, modules; back the other way."""

    def place(change: Change) -> Tuple[int, str]:
        if change.path.endswith("/RECORD"):
            return (4 if reverting else 0), change.path
        if change.after is None:
            return 3, change.path
        return (1 if change.before is None or change.guard else 2), change.path

    return sorted(changes, key=place)


class _Job:
    """The changes of one distribution: its files, what is added to it, and its RECORD."""

    def __init__(
        self, view: View, name: str, ours: List[Assessment], wanted: List[Assessment]
    ) -> None:
        self.view = view
        self.name = name
        self.ours = ours
        self.changes = []  # type: List[Change]
        self.originals = []  # type: List[bytes]
        self.distribution = next((one.distribution for one in ours if one.distribution), None)
        self.entry = view.state.of(name) if view.state else None
        self._wanted = wanted

    def run(self, dropped: Set[str], when: str) -> Optional[Patched]:
        """Fills ``changes``; gives the distribution's new entry for the state, or None."""
        kept = [
            one
            for one in self.ours
            if one.applied and one.patch not in dropped and one not in self._wanted
        ]
        records = [self._apply(one, when) for one in self._wanted]
        records += [self._with_shared(one.applied) for one in kept if one.applied]
        stays = {file.path for applied in records for file in applied.files}
        for one in self.ours:
            if one.patch in dropped:
                self._give_back(one, stays)
            elif one in self._wanted:
                self._drop(one.leftovers, stays)
        file = self._record(records)
        if not records or self.distribution is None:
            return None
        records.sort(key=lambda applied: applied.patch)
        return Patched(self.name, self.distribution.version, file, tuple(records))

    def _with_shared(self, applied: Applied) -> Applied:
        """A patch that stays, with the new bytes of a file that it shares with another."""
        new = {c.path: sha256(c.after) for c in self.changes if c.after is not None}
        files = (
            file._replace(after=new.get(file.path, file.after)) if file.before is None else file
            for file in applied.files
        )
        return applied._replace(files=tuple(files))

    def _apply(self, one: Assessment, when: str) -> Applied:
        edition = one.edition
        assert edition is not None
        before = self._before(one, edition)
        after = engine.after_of(edition, before)
        files = []  # type: List[File]
        for path, data in sorted(after.items()):
            self._change(path, data, None)
            self.originals.append(before[path])
            files.append(File(path, sha256(before[path]), sha256(data)))
        for path, data in sorted(catalog.added_bytes(edition).items()):
            self._change(path, data, self._guard(edition))
            files.append(File(path, None, sha256(data)))
        return Applied(one.patch, edition.name, catalog.digest(edition), when, tuple(files))

    def _guard(self, edition: Edition) -> str:
        record = self.distribution.record if self.distribution else None
        return record or edition.changes[0].path

    def _before(self, one: Assessment, edition: Edition) -> Dict[str, bytes]:
        """The unpatched bytes: those that are there, the saved ones, or derived and proved."""
        found = {change.path: self.view.read(change.path) or b"" for change in edition.changes}
        saved = {file.before for file in one.applied.files} if one.applied else set()
        before = {}  # type: Dict[str, bytes]
        for change in edition.changes:
            if sha256(found[change.path]) == change.before:
                before[change.path] = found[change.path]
            elif change.before in saved:
                before[change.path] = self.view.original(change.before)
        rest = {path: data for path, data in found.items() if path not in before}
        if rest:
            try:
                before.update(engine.before_of(edition, rest))
            except BadPatch:
                raise _modified(self.view, one, reverting=True)
        return before

    def _give_back(self, one: Assessment, stays: Set[str]) -> None:
        if one.state in ("absent", "not-needed", "unsupported", "superseded"):
            self._drop(one.leftovers, stays)
        elif one.applied:
            for file in one.applied.files:
                if file.before is not None:
                    self._keep_forced(one, file)
                    self._change(file.path, self.view.original(file.before), None)
            added = [file for file in one.applied.files if file.before is None]
            self._drop(added, stays)
        elif one.edition:
            for path, data in sorted(self._before(one, one.edition).items()):
                self._change(path, data, None)
            added = [File(path, None, "") for path in catalog.added_bytes(one.edition)]
            self._drop(added, stays)

    def _keep_forced(self, one: Assessment, file: File) -> None:
        """Bytes that ``--force`` overwrites are somebody's work: they stay in .jhpatch."""
        data = self.view.read(file.path)
        if data is not None and any(f.path == file.path and f.state == "other" for f in one.files):
            path = "%s/%s-%s" % (FORCED, sha256(data)[:16], file.path.replace("/", "-"))
            if self.view.read(path) is None:
                self.changes.append(Change(path, None, data, None))

    def _drop(self, added: Iterable[File], stays: Set[str]) -> None:
        guard = self.distribution.record if self.distribution else None
        for file in added:
            if file.path not in stays:
                self._change(file.path, None, guard or self._module())

    def _module(self) -> Optional[str]:
        """A changed file: the guard of a distribution without RECORD."""
        files = (f for one in self.ours if one.applied for f in one.applied.files if f.before)
        return next((file.path for file in files), None)

    def _change(self, path: str, after: Optional[bytes], guard: Optional[str]) -> None:
        before = self.view.read(path)
        if before != after and all(change.path != path for change in self.changes):
            self.changes.append(Change(path, before, after, guard))

    # RECORD: a function of the original one and of the patches that are applied.

    def _record(self, records: List[Applied]) -> Optional[File]:
        from jhpatch import record

        path = self.distribution.record if self.distribution else None
        found = self.view.read(path) if path else None
        if path is None or found is None:
            return None
        original = self._original_record(path, found)
        files = {}  # type: Dict[str, record.Entry]
        added = {}  # type: Dict[str, record.Entry]
        for file in (file for applied in records for file in applied.files):
            data = self._planned(file.path)
            entry = record.Entry(sha256(data), len(data))
            (files if file.before is not None else added)[file.path] = entry
        after = record.changed(original, files, added) if records else original
        self._change(path, after, None)
        if records:
            self.originals.append(original)
        return File(path, sha256(original), sha256(after))

    def _original_record(self, path: str, found: bytes) -> bytes:
        from jhpatch import record

        old = self.entry.record if self.entry else None
        if old and old.path == path and sha256(found) in (old.before, old.after):
            return found if sha256(found) == old.before else self.view.original(old.before or "")
        live = [one for one in self.ours if one.state in ("applied", "outdated", "modified")]
        files = {f.path for one in live if one.applied for f in one.applied.files if f.before}
        added = {f.path for one in live if one.applied for f in one.applied.files if not f.before}
        if old and old.path == path and old.before and files:
            return record.restored(found, self.view.original(old.before), files, added)
        return self._derived_record(found, live)

    def _derived_record(self, found: bytes, live: List[Assessment]) -> bytes:
        """For files that were patched and never recorded: RECORD with their release's hashes."""
        from jhpatch import record

        editions = [one.edition for one in live if one.edition and not one.applied]
        files = {}  # type: Dict[str, record.Entry]
        for one in (one for one in live if one.edition and not one.applied):
            assert one.edition is not None
            for path, data in self._before(one, one.edition).items():
                files[path] = record.Entry(sha256(data), len(data))
        dropped = [addition.path for edition in editions for addition in edition.adds]
        return record.changed(found, files, {}, dropped) if editions else found

    def _planned(self, path: str) -> bytes:
        """A file as it will be."""
        for change in self.changes:
            if change.path == path:
                return change.after or b""
        return self.view.read(path) or b""


# Refusals.


def _refusal(view: View, one: Assessment, named: bool, tool: str) -> Optional[JhpatchError]:
    if one.state == "modified":
        return _modified(view, one, reverting=False)
    if one.state == "unsupported" or (one.state == "outdated" and one.edition is None):
        return _unsupported(view, one)
    if one.state == "absent" and named and not one.applied:
        return Refused(
            "%s: its distribution is not installed here" % one.patch,
            path=view.path,
            expected=one.patch.partition("/")[0],
            found="nothing",
            next="python -m jhpatch status",
        )
    if one.state == "outdated" and view.state and _is_newer(view.state.tool, tool):
        return Refused(
            "%s was applied by a newer jhpatch" % one.patch,
            path=view.path,
            expected="jhpatch %s or older" % tool,
            found="jhpatch " + view.state.tool,
            next="python -m pip install 'jhpatch>=%s'" % view.state.tool,
        )
    return None


def _two_owners(view: View, wanted: List[Assessment]) -> List[Tuple[str, JhpatchError]]:
    """A file belongs to one patch at most: the second is refused, with both names."""
    applied = [a for one in (view.state.patched if view.state else ()) for a in one.applied]
    owners = {f.path: a.patch for a in applied for f in a.files if f.before is not None}
    refusals = []  # type: List[Tuple[str, JhpatchError]]
    for one in wanted:
        for change in one.edition.changes if one.edition else ():
            owner = owners.setdefault(change.path, one.patch)
            if owner != one.patch:
                error = Refused(
                    "two patches change the same file: %s and %s" % (owner, one.patch),
                    path="%s/%s" % (view.path, change.path),
                    next="python -m jhpatch apply %s, or revert %s first" % (owner, owner),
                )
                refusals.append((one.patch, error))
    return refusals


def _is_recorded(view: View, one: Assessment) -> bool:
    """Whether the changed file is of the release that was patched, so that --force may act."""
    entry = view.state.of(one.distribution.name) if view.state and one.distribution else None
    return bool(one.applied and entry and entry.version == one.version)


def _is_layout(one: Assessment) -> bool:
    return (one.reason or "").startswith("layout")


def _is_newer(one: str, other: str) -> bool:
    return catalog.release_key(one) > catalog.release_key(other)


def _unsupported(view: View, one: Assessment) -> Refused:
    name = one.patch.partition("/")[0]
    known = (one.reason or "").partition("known: ")[2].partition(";")[0]
    return Refused(
        "%s does not fit: %s" % (one.patch, one.reason),
        path=view.path,
        expected=known or "a release that a patch was made for",
        found="%s %s" % (name, one.version or ""),
        next="python -m jhpatch apply --allow-unlisted " + one.patch
        if one.unlisted
        else "python -m jhpatch list",
    )


def _modified(view: View, one: Assessment, reverting: bool) -> Refused:
    odd = next((file for file in one.files if file.state == "other"), None)
    release = "%s==%s" % (one.patch.partition("/")[0], one.version)
    again = "python -m pip install --force-reinstall --no-deps " + release
    if reverting and one.applied:
        again = "python -m jhpatch revert --force %s" % one.patch
    return Refused(
        "%s: %s" % (one.patch, one.reason or "the bytes are not known"),
        path="%s/%s" % (view.path, odd.path) if odd else view.path,
        expected="sha256:%s" % odd.expected if odd and odd.expected else None,
        found=("sha256:%s" % odd.found if odd.found else "no file") if odd else None,
        next="python -m jhpatch diff %s; then %s" % (one.patch, again),
    )


def way_back(view_path: str, names: Iterable[str]) -> str:
    """The command that brings a site back when its state cannot be believed."""
    return "python -m pip install --force-reinstall --no-deps %s && rm -r %s/.jhpatch" % (
        " ".join(names),
        view_path,
    )

