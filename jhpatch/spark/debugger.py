"""Whether the ipykernel of a Python has a debugger, as its own kernelspec reports."""

import subprocess
from typing import Mapping

_CODE = (
    "from ipykernel.kernelspec import get_kernel_dict\n"
    "print(get_kernel_dict().get('metadata', {}).get('debugger') is True)\n"
)


def has_debugger(python: str, environ: Mapping[str, str], seconds: float = 20) -> bool:
    """Return whether ipykernel reports a debugger (6 and later); False if it is too slow."""
    known = {key: environ[key] for key in sorted(environ) if not key.startswith("PYTHON")}
    try:
        output = subprocess.run(
            [python, "-c", _CODE],
            cwd="/",
            env=known,
            timeout=seconds,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return False
    return output.strip() == b"True"
