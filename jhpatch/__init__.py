"""Versioned, verified and reversible patches against installed Jupyter servers."""

__version__ = "0.1.0"
