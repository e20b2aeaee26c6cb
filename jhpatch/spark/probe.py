"""Ask a kernel's Python what it is and what it would import, with the kernel's environment."""

import json
import os
import subprocess
from typing import Mapping, Optional, Tuple

from jhpatch.deployed.spark_home import KernelPython

_TIMEOUT = 30  # seconds; a Python on a network file system may be slow
_MARK = "jhpatch_probe "
# Runs on Python 2.7 and later. It imports none of the modules: importing pyspark takes a second.
_CODE = """
import json, os, re, sys
def origin(name):
    try:
        import importlib.util
        spec = importlib.util.find_spec(name)
        return spec and spec.loader and (spec.origin, spec.loader)
    except ImportError:
        import pkgutil
        loader = pkgutil.find_loader(name)
        return loader and (loader.get_filename(name), loader)
found = {}
for name in ("ipykernel", "pyspark", "py4j") + tuple(sys.argv[1:]):
    try:
        place = origin(name)
    except Exception:
        place = None
    if not place:
        continue
    text = ""
    try:
        text = place[1].get_data(os.path.join(os.path.dirname(place[0]), "version.py"))
        text = text.decode("utf-8", "replace")
    except Exception:
        pass
    match = re.search("__version__[^=]*= *[\\"']([^\\"']+)", text)
    found[name] = [os.path.dirname(place[0]), match.group(1) if match else ""]
print("%s" + json.dumps({"release": list(sys.version_info[:2]), "found": found}))
"""


def ask(
    python: str, environ: Mapping[str, str], module: str = ""
) -> Tuple[Optional[KernelPython], str]:
    """Return what a kernel's Python is, or None and the last line that it printed.

    ``module``: the top package of what it runs, if that is not ipykernel. This runs the program
    with the kernel's own environment, so call it only as the user of the kernel.
    """
    own = {name: environ[name] for name in environ if name != "PYTHONSTARTUP"}
    try:
        done = subprocess.run(
            [python, "-c", _CODE.replace("%s", _MARK)] + [module] * bool(module),
            env=own,
            timeout=_TIMEOUT,
            cwd=os.path.expanduser("~") if os.path.isdir(os.path.expanduser("~")) else "/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
    except (OSError, subprocess.SubprocessError) as error:
        return None, str(getattr(error, "strerror", None) or error)
    text = done.stdout.decode("utf-8", "replace")
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    for line in lines:
        if line.startswith(_MARK):
            try:
                found = _parsed(python, json.loads(line[len(_MARK) :]), module)
                return found, ""
            except (KeyError, TypeError, ValueError, AttributeError, IndexError):
                break
    last = lines[-1][:200] if lines else "nothing"
    if done.returncode == 0:
        return None, "it printed %s" % last
    return None, last if lines else "it ended with exit code %d" % done.returncode


def _parsed(python: str, document: object, module: str) -> KernelPython:
    if not isinstance(document, dict):
        raise TypeError("no JSON object")
    places = {str(name): row for name, row in document["found"].items()}

    def place(name: str) -> Tuple[str, str]:
        row = places.get(name, ("", ""))
        return str(row[0]), str(row[1])

    return KernelPython(
        path=python,
        release=tuple(int(part) for part in document["release"][:2]),
        has_ipykernel="ipykernel" in places,
        lacks=module if module and module not in places else "",
        pyspark=place("pyspark"),
        py4j=place("py4j"),
    )
