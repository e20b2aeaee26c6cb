"""doctor's Kerberos checks, and the state of tickets.

``checks`` lists what doctor checks; ``facts`` reads the host, each part once. A function
named ``probe_*`` asks the host; one named ``check_*`` is pure: it takes what was read and
yields findings. What a user can choose is read by a child that has become that user
(``programs.run_program``), never by root. Nothing is changed.
"""
