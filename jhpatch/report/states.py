"""The states of a patch in a site and of a file of a patch, as in the JSON document."""

ABSENT = "absent"
APPLIED = "applied"
BUSY = "busy"
INTERRUPTED = "interrupted"
MODIFIED = "modified"
NOT_NEEDED = "not-needed"
OUTDATED = "outdated"
PRISTINE = "pristine"
SHADOWED = "shadowed"
"""Python imports another copy; used only in reports."""
SUPERSEDED = "superseded"
UNSUPPORTED = "unsupported"

PATCHED = (APPLIED, OUTDATED, MODIFIED)
"""The states in which files of the patch are in use."""

LABELS = {PRISTINE: "unpatched", SUPERSEDED: "overwritten by an upgrade"}
"""The labels of the states that have another name in text than in JSON."""

# The states of a file.
BEFORE = "before"
AFTER = "after"
MISSING = "missing"
"""The file is missing, as it is without the patch."""
OTHER = "other"
"""None of these, or missing although it should exist."""
