"""The nginx site of a hub: rendered, and checked by its configuration and by its answers.

Only ``output`` writes, the one file that is named.
"""
