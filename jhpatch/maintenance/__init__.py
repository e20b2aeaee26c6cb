"""Tools for patch maintainers: check, port and write patch files."""
