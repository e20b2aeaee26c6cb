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
"""Python imports another copy; of reports alone."""
SUPERSEDED = "superseded"
UNSUPPORTED = "unsupported"

PATCHED = (APPLIED, OUTDATED, MODIFIED)
"""Those in which files of the patch are in use."""

LABELS = {PRISTINE: "unpatched", SUPERSEDED: "overwritten by an upgrade"}
"""The states that text names otherwise than JSON."""

# The states of a file.
BEFORE = "before"
AFTER = "after"
MISSING = "missing"
"""The file is missing, as without the patch."""
OTHER = "other"
"""None of these, or missing although it should exist."""
