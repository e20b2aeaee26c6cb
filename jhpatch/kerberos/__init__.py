"""doctor's Kerberos checks, and the state of tickets.

``checks`` lists what doctor checks; ``facts`` reads the host, each part once. A function
named ``probe_*`` reads the host; one named ``check_*`` yields findings about what was read.
A child that has become the user (``programs.run_program``) reads what that user can choose;
root never does. No check changes a setting or a stored ticket.
"""
