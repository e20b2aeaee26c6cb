"""Patch files as values: which there are, which fits a release, what they make of a file."""
