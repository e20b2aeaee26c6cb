"""Patch files as values: the catalog, the releases that they fit, and their application."""
