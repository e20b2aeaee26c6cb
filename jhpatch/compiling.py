"""Compiles sources and rebuilds .pyc files with the interpreter that runs this file.

Also run as a script by a site's own Python (``python -I -S -B``): standard library
only, Python 3.6 and later; JSON on standard input and output.
"""

import json
import os
import re
import sys
from typing import Dict, List


def check(sources: Dict[str, str]) -> List[List[str]]:
    """``[path, message]`` of each source (path: text) that does not compile."""
    bad = []
    for path in sorted(sources):
        try:
            compile(sources[path], path, "exec", dont_inherit=True)
        except (SyntaxError, ValueError) as error:
            bad.append([path, str(error)])
    return bad


def rebuild(site: str, dropped: List[str]) -> None:
    """Writes those of the ``dropped`` .pyc files that this interpreter would write."""
    import py_compile

    for path in dropped:
        match = re.match(r"^(.*)/__pycache__/([^/.]+)\.([^/.]+)(?:\.opt-([12]))?\.pyc$", path)
        if match and match.group(3) == sys.implementation.cache_tag:
            source = os.path.join(site, match.group(1), match.group(2) + ".py")
            if os.path.isfile(source):
                optimize = int(match.group(4) or 0)
                py_compile.compile(source, os.path.join(site, path), optimize=optimize)


def main() -> None:
    """One job from standard input; its answer on standard output."""
    job = json.load(sys.stdin)
    if "sources" in job:
        json.dump(check(job["sources"]), sys.stdout)
    else:
        rebuild(job["site"], job["dropped"])
        json.dump([], sys.stdout)


if __name__ == "__main__":
    main()
