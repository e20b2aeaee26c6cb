"""Patches in a site: what is there, what shall be, and carrying it out."""
