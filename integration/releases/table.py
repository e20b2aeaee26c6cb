"""The releases that the patches must cover: every final one, from the first to the last.

To write it anew: ``python -m pip index versions --ignore-requires-python NAME``, oldest
first. What was withdrawn later (PEP 592) is not in pip's answer but with ``-vv``, as
"yanked": pip still installs it where it is pinned, so it stands here too.
"""

RELEASES = {
    "jupyterhub": (
        "0.8.0 0.8.1 "
        "0.9.0 0.9.1 0.9.2 0.9.3 0.9.4 0.9.5 0.9.6 "
        "1.0.0 1.1.0 1.2.0 1.2.1 1.2.2 1.3.0 1.4.0 1.4.1 1.4.2 1.5.0 1.5.1 "
        "2.0.0 2.0.1 2.0.2 2.1.0 2.1.1 2.2.0 2.2.1 2.2.2 2.3.0 2.3.1 "
        "3.0.0 3.1.0 3.1.1 "
        "4.0.0 4.0.1 4.0.2 4.1.0 4.1.1 4.1.2 4.1.3 4.1.4 4.1.5 4.1.6 "
        "5.0.0 5.1.0 5.2.0 5.2.1 5.3.0 5.4.0 5.4.1 5.4.2 5.4.3 5.4.4 5.4.5 5.4.6 "
        "5.5.0 5.5.1 5.5.2 5.5.3 5.5.4 "
        "6.0.0 6.0.1 6.1.0 6.1.1"
    ).split(),
    "notebook": (
        "5.0.0 5.1.0 5.2.0 5.2.1 5.2.2 5.3.0 5.3.1 5.4.0 5.4.1 5.5.0 5.6.0 "
        "5.7.0 5.7.1 5.7.2 5.7.3 5.7.4 5.7.5 5.7.6 5.7.8 5.7.9 "
        "5.7.10 5.7.11 5.7.12 5.7.13 5.7.14 5.7.15 5.7.16 "
        "6.0.0 6.0.1 6.0.2 6.0.3 6.1.0 6.1.1 6.1.2 6.1.3 6.1.4 6.1.5 6.1.6 6.2.0 6.3.0 "
        "6.4.0 6.4.1 6.4.2 6.4.3 6.4.4 6.4.5 6.4.6 6.4.7 6.4.8 6.4.9 "
        "6.4.10 6.4.11 6.4.12 6.4.13 "
        "6.5.0 6.5.1 6.5.2 6.5.3 6.5.4 6.5.5 6.5.6 6.5.7"  # 6.5.0 was withdrawn
    ).split(),
    "jupyter_server": (
        "1.0.0 1.0.1 1.0.2 1.0.3 1.0.4 1.0.5 1.0.6 1.0.7 1.0.8 1.0.9 1.0.10 1.0.11 "
        "1.1.0 1.1.1 1.1.2 1.1.3 1.1.4 1.2.0 1.2.1 1.2.2 1.2.3 1.3.0 1.4.0 1.4.1 "
        "1.5.0 1.5.1 1.6.0 1.6.1 1.6.2 1.6.3 1.6.4 1.7.0 1.8.0 1.9.0 1.10.0 1.10.1 1.10.2 "
        "1.11.0 1.11.1 1.11.2 1.12.0 1.12.1 1.13.0 1.13.1 1.13.2 1.13.3 1.13.4 1.13.5 "
        "1.15.0 1.15.1 1.15.2 1.15.3 1.15.4 1.15.5 1.15.6 1.16.0 1.17.0 1.17.1 "
        "1.18.0 1.18.1 1.19.0 1.19.1 1.21.0 "
        "1.23.0 1.23.1 1.23.2 1.23.3 1.23.4 1.23.5 1.23.6 1.24.0 "
        "2.0.0 2.0.1 2.0.2 2.0.3 2.0.4 2.0.5 2.0.6 2.0.7 2.1.0 2.2.0 2.2.1 2.3.0 "
        "2.4.0 2.5.0 2.6.0 2.7.0 2.7.1 2.7.2 2.7.3 2.8.0 2.9.0 2.9.1 2.10.0 2.10.1 "
        "2.11.0 2.11.1 2.11.2 2.12.0 2.12.1 2.12.2 2.12.3 2.12.4 2.12.5 2.13.0 "
        "2.14.0 2.14.1 2.14.2 2.15.0 2.16.0 2.17.0 2.18.0 2.18.1 2.18.2 2.19.0 2.20.0 "
        "2.21.0 2.21.1"  # 1.2.3, 2.0.0, 2.0.7 and 2.11.0 were withdrawn
    ).split(),
}

PATCHES = {
    "jupyterhub": ["jupyterhub/kerberos-login"],
    "notebook": ["notebook/kerberos-open", "notebook/kerberos-save"],
    "jupyter_server": ["jupyter_server/kerberos-contents"],
}
"""What each of these releases must have."""

OUTSIDE = {
    "jupyterhub": ["0.7.2", "6.0.0b3"],
    "notebook": ["4.4.1", "6.5.0rc0"],
    "jupyter_server": ["0.3.0", "2.0.0rc8"],
}
"""Releases that no edition names: the last before the first, and prereleases in between."""

KNOWN_BYTES = {
    ("jupyterhub", "6.0.0b3"): ["6.0.0-kerberos-login"],
    ("notebook", "6.5.0rc0"): ["6.4.11-kerberos-open", "6.4.12-kerberos-save"],
    ("jupyter_server", "0.3.0"): ["1.0.0-kerberos-contents"],
    ("jupyter_server", "2.0.0rc8"): ["2.0.0-kerberos-contents"],
}
"""The editions that were cut for the very bytes of a release outside."""
