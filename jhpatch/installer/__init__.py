"""Patches in a site: their current state, the plan of a command, and its execution."""
