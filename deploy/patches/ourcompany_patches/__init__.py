"""A patch directory: ``jhpatch create`` writes ``<distribution>/<release>-<name>.patch`` here."""
