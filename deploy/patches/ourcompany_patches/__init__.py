"""The patches: ``jhpatch create`` writes ``<distribution>/<first release>-<slug>.patch`` here."""
