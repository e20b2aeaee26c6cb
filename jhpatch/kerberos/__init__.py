"""What may be missing on a host, for ``doctor``: readers, and judges of what was read.

A judge is pure: it takes what was read and gives findings. A reader is thin, bounded in
time, and changes nothing. What a user can choose is looked at by a child that has become
that user (``running.run``), never by root.
"""
