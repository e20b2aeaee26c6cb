"""The front that is there: its file, its configuration, what it answers.

Readers and judges as in ``diagnosis``: a judge is pure, a reader bounded; none changes anything
but ``sitefile``, which writes the one file that it is told to.
"""
