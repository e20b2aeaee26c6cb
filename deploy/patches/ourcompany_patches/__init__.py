"""Patches: ``<distribution>/<first release>-<slug>.patch``. `jhpatch create` writes them here."""
