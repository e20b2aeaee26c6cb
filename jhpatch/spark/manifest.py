"""The values of any installed kernel.json, and whether the kernel is a PySpark kernel.

The format is jupyter_client's ("Making kernels for Jupyter"). Pure.
"""

import json
import os
from typing import Any, Dict, Tuple

from jhpatch.namedtuple import NamedTuple
from jhpatch.spark.kernelspec import SCHEMA

_VARIABLES = ("SPARK_HOME", "SPARK_CONF_DIR", "SPARK_OPTS", "SPARK_REMOTE")
_PATHS = ("PYTHONPATH", "PYTHON_PATH", "PYTHONSTARTUP", "IPYTHONDIR")


class KernelSpec(NamedTuple):
    """The values in an existing kernel.json."""

    ours: bool
    """Whether jhpatch wrote it."""
    display_name: str
    environment: Dict[str, str]
    """As it is written: jupyter_client fills in variables (``launch.environment_of``)."""
    spark: str
    """Spark's release; empty if the file does not name it."""
    argv: Tuple[str, ...]
    language: str = "python"
    is_remote: bool = False
    """Whether a process proxy of Enterprise Gateway starts it, possibly on another host."""
    problem: str = ""
    """Why Jupyter cannot use the file; only ``mentions_spark`` is then set, too."""
    mentions_spark: bool = False
    """Whether the text of a file that cannot be used mentions Spark."""

    @property
    def python(self) -> str:
        """The program of the kernel."""
        return self.argv[0] if self.argv else ""


def parse(data: bytes) -> KernelSpec:
    """Return the values of a kernel.json, or what is wrong with it."""
    try:
        text = data.decode("utf-8")
        document = json.loads(text)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        return _unusable(
            data, "the file is not UTF-8: byte 0x%02x in line %d" % (data[error.start], line)
        )
    except RecursionError:
        return _unusable(data, "the file is nested too deeply")
    except ValueError as error:
        return _unusable(data, "the file is not JSON: " + _json_problem(text, error))
    problem = _shape_problem(document)
    if problem:
        return _unusable(data, problem)
    metadata = document.get("metadata") or {}
    ours = metadata.get("jhpatch") or {} if isinstance(metadata, dict) else {}
    ours = ours if isinstance(ours, dict) else {}
    return KernelSpec(
        ours=ours.get("schema") == SCHEMA,
        display_name=str(document.get("display_name", "")),
        environment=dict(document.get("env") or {}),
        spark=str(ours.get("spark", "")),
        argv=tuple(document["argv"]),
        language=str(document.get("language", "")).lower(),
        is_remote=isinstance(metadata, dict) and "process_proxy" in metadata,
    )


def _unusable(data: bytes, problem: str) -> KernelSpec:
    return KernelSpec(False, "", {}, "", (), "", False, problem, b"spark" in data.lower())


def _json_problem(text: str, error: ValueError) -> str:
    """Return the parser's message with line and column, and its usual cause."""
    position = getattr(error, "pos", 0)
    before, after = text[:position].rstrip(), text[position:].lstrip()
    hint = ""
    if text.startswith("\ufeff"):
        hint = " (a byte order mark: save the file as UTF-8 without BOM)"
    elif after.startswith(("//", "/*", "#")):
        hint = " (JSON has no comments)"
    elif (after[:1] in ("}", "]") and before.endswith(",")) or after.startswith(","):
        hint = " (a superfluous comma)"
    return "%s%s" % (error, hint)


def _shape_problem(document: Any) -> str:
    """Return what a kernel.json lacks, or has in a form that jupyter_client does not start."""
    if not isinstance(document, dict):
        return "the file is not a JSON object"
    argv, env = document.get("argv"), document.get("env")
    if not isinstance(argv, list) or not argv or not all(isinstance(one, str) for one in argv):
        return "argv must be a list of one or more strings"
    if env is not None and not isinstance(env, dict):
        return "env is not a JSON object"
    for name, value in (env or {}).items():
        if not isinstance(value, str):
            return "the value of %s in env is not a string" % name
    return ""


def is_pyspark(spec: KernelSpec, name: str, text: str = "") -> bool:
    """Return whether the kernel runs PySpark.

    ``text`` is that of the files that start it: a wrapper script, an IPython profile.
    """
    if spec.problem:
        return spec.mentions_spark
    if spec.language not in ("", "python"):
        return False  # Scala, R
    env = spec.environment
    if spec.ours or any(key in _VARIABLES or key.startswith("PYSPARK_") for key in env):
        return True
    # Not the directory of argv[0]: an environment may have any name.
    words = [name, spec.display_name, text, os.path.basename(spec.python)] + list(spec.argv[1:])
    words += [env.get(key, "") for key in _PATHS]
    return any("spark" in word.lower() or "py4j" in word.lower() for word in words)
