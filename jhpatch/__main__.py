"""``python -m jhpatch``."""

import sys

# ``-m`` puts the current folder first on the import path, and root may stand in
# a folder where somebody else left a json.py (bpo-33053, CPython's -P and -I).
if not (sys.flags.isolated or getattr(sys.flags, "safe_path", False)):
    del sys.path[0]

from jhpatch.cli import main

sys.exit(main())
