"""How a kernel is started: its program, the Python in it, the environment that Spark will see.

jupyter_client starts argv[0] with the variables of kernel.json (``format_kernel_cmd``,
``KernelProvisionerBase.pre_launch``). argv[0] may be a shell script that starts Python. This
module reads the text of the script and never runs it. What the text does not show is unknown, and
is not reported.
"""

import os
import re
import shlex
import shutil
import string
import sys
from typing import Callable, Dict, Iterator, List, Mapping, Optional, Sequence, Set, Tuple

from jhpatch.namedtuple import NamedTuple

_SHELLS = ("sh", "bash", "dash", "ksh", "zsh")
_PYTHON = re.compile(r"(python|pypy)\d*(\.\d+)*")
_ASSIGNMENT = re.compile(r"([A-Za-z_]\w*)=(.*)", re.S)
_REFERENCE = re.compile(r"\$(?:(\w+)|\{(\w+)\})")
# After these words, the environment is unknown: other files run, or a branch may not be taken.
_UNREADABLE = (
    *("source", ".", "eval", "module", "conda", "micromamba", "ml", "unset", "read"),
    *("if", "for", "while", "case", "function", "until", "select", "{"),
)
_FOLLOWED = ("exec", "nohup", "time", "command", "nice")  # a command follows

ReadText = Callable[[str], Optional[str]]
"""The text of a small file; None if it cannot be read or is no text."""


class Launch(NamedTuple):
    """What is known of a kernel's start without running anything."""

    program: str
    """Absolute path of argv[0]; empty if there is no such program."""
    named: str
    """argv[0] as it is written."""
    python: str
    """Absolute path of the Python that runs the kernel; empty if it is not known."""
    environment: Mapping[str, str]
    unfilled: Mapping[str, str]
    """Variables whose value keeps a ``$NAME`` that this environment does not have: the name."""
    opaque: str
    """Why more than this decides about Spark: "docker", "the IPython profile x"; else empty."""
    module: str = ""
    """The top package that Python runs (``-m``); empty if it is not known."""
    missing: str = ""
    """A script or Python that the shell would run, if it does not exist."""
    runs_ipykernel: bool = False
    """Whether what Python runs is ipykernel, and not another kernel."""


def environment_of(
    env: Mapping[str, str], environ: Mapping[str, str]
) -> Tuple[Dict[str, str], Dict[str, str]]:
    """Return a kernel's environment, and the variables that keep a reference, with its name.

    As jupyter_client does, this fills in references from the server's environment ``environ``,
    not from ``env``; a reference to a missing variable stays. A variable that extends itself
    (``PYTHONPATH=x:${PYTHONPATH}``) does not count: its value is right without the reference.
    """
    values = {name: string.Template(env[name]).safe_substitute(environ) for name in env}
    unfilled = {}
    for name in sorted(env):
        references = [
            match.group("named") or match.group("braced")
            for match in string.Template.pattern.finditer(env[name])
        ]
        absent = [one for one in references if one and one not in environ and one != name]
        if absent:
            unfilled[name] = absent[0]
    return dict(environ, **values), unfilled


def launch_of(
    argv: Sequence[str],
    env: Mapping[str, str],
    environ: Mapping[str, str],
    directory: str,
    read: ReadText,
) -> Launch:
    """Return how a kernel is started; ``directory`` is that of its kernel.json."""
    environment, unfilled = environment_of(env, environ)
    words = [
        word.replace("{resource_dir}", directory).replace("{prefix}", sys.prefix) for word in argv
    ]
    named = words[0]
    minor = "python%d.%d" % sys.version_info[:2]
    if words[0] in ("python", "python%d" % sys.version_info[0], minor):
        words[0] = sys.executable  # as jupyter_client does
    return _followed(words, named, environment, unfilled, read)


def _followed(
    words: List[str],
    named: str,
    environment: Dict[str, str],
    unfilled: Mapping[str, str],
    read: ReadText,
) -> Launch:
    program = found(words[0], environment)
    launch = Launch(program, named, "", environment, unfilled, "")
    name = os.path.basename(words[0])
    if not program:
        return launch._replace(opaque="" if _PYTHON.fullmatch(name) else name)
    if name == "env":
        rest = list(words[1:])
        while rest and _ASSIGNMENT.fullmatch(rest[0]):
            key, _, value = rest.pop(0).partition("=")
            environment[key] = value
        if not rest or rest[0].startswith("-"):
            return launch._replace(opaque=name)
        inner = _followed(rest, rest[0], environment, unfilled, read)
        missing = "" if inner.program else rest[0]
        return inner._replace(program=program, named=named, missing=inner.missing or missing)
    text = read(program)
    if name in _SHELLS:
        script, login = _script_of(words[1:])
        if login or script is None:
            return launch._replace(opaque="a login shell" if login else name)
        if script.startswith("-c "):
            return _through_shell(launch, script[3:], read)
        path = found(script, environment, is_run=False)
        if not path:
            return launch._replace(missing=script, opaque=name)
        return _through_shell(launch, read(path) or "", read)
    is_python = bool(_PYTHON.fullmatch(name))  # a script too, such as pyenv's
    is_shell_script = bool(re.match(r"#! *(/usr)?/bin/(env +)?(ba|da|k|z)?sh\b", text or ""))
    if is_shell_script and not is_python:
        return _through_shell(launch, text or "", read)
    if is_python or ("-m" in words and "ipykernel" in " ".join(words)):
        opaque = _python_opaque(words, environment, read)
        own = _runs_ipykernel(words)
        return launch._replace(
            python=program, module=_module_of(words), opaque=opaque, runs_ipykernel=own
        )
    return launch._replace(opaque=name)


def found(program: str, environment: Mapping[str, str], is_run: bool = True) -> str:
    """Return a program's path, as execvpe(3) finds it; empty if there is none."""
    if "/" in program:
        mode = os.F_OK | os.X_OK if is_run else os.F_OK
        good = os.path.isfile(program) and os.access(program, mode)
        return os.path.join(os.getcwd(), program) if good else ""
    return (
        (shutil.which(program, path=environment.get("PATH", os.defpath)) or "") if program else ""
    )


def _script_of(words: Sequence[str]) -> Tuple[Optional[str], bool]:
    """Return ``-c TEXT`` or the script that a shell's arguments name; and whether it logs in."""
    login = False
    rest = list(words)
    while rest and rest[0].startswith("-"):
        option = rest.pop(0)
        login = login or option in ("-l", "--login", "-i") or bool(re.match(r"-\w*[li]", option))
        if re.fullmatch(r"-\w*c", option):
            return ("-c " + rest[0] if rest else None), login
    return (rest[0] if rest else None), login


def _module_of(words: Sequence[str]) -> str:
    """Return the top package that ``-m`` names."""
    for option, name in zip(words, words[1:]):
        if option == "-m":
            return name.partition(".")[0]
    return ""


def _runs_ipykernel(words: Sequence[str]) -> bool:
    """Return whether the arguments of a Python name ipykernel, or IPython, which starts it."""
    line = " ".join(words[1:])
    return "ipykernel" in line or "IPython" in line


def _python_opaque(words: Sequence[str], environment: Mapping[str, str], read: ReadText) -> str:
    """Return what else of a Python kernel decides about Spark; empty if nothing does."""
    for at, word in enumerate(words):
        if word.startswith("--profile"):
            name = word.partition("=")[2] or (words[at + 1] if at + 1 < len(words) else "")
            return "the IPython profile " + name
    line = " ".join(words)
    if "sparkmagic" in line:
        return "Livy (sparkmagic)"
    if not _runs_ipykernel(words):
        return "a kernel other than ipykernel"
    startup = environment.get("PYTHONSTARTUP", "")
    text = read(startup) if startup and not startup.endswith("/pyspark/shell.py") else None
    if text and re.search(r"sys\.path|findspark|environ|exec|import_module", text):
        return "the startup file " + startup
    return ""


def _through_shell(launch: Launch, text: str, read: ReadText) -> Launch:
    """Return the launch after a shell has read this text."""
    environment = dict(launch.environment)
    unknown: Set[str] = set()
    python = opaque = missing = ""
    line: List[str] = []
    for command in _commands(text):
        if command is None or command[0] in _UNREADABLE:
            opaque = "a shell script"
            if command is None:
                break
            continue
        command = [word for word in command if word not in ("export", "declare", "-x", "typeset")]
        own = {}
        while command and _ASSIGNMENT.fullmatch(command[0]):
            key, _, value = command.pop(0).partition("=")
            value, is_known = _expanded(value, environment)
            own[key] = value
            (unknown.discard if is_known else unknown.add)(key)
        while command and command[0] in _FOLLOWED:
            command.pop(0)
        if not command:
            environment.update(own)
            continue
        program, is_known = _expanded(command[0], environment)
        if "$" in program or not is_known:
            opaque = "a shell script"
            continue
        if not _PYTHON.fullmatch(os.path.basename(program)):
            if "ipykernel" in " ".join(command) or "spark-submit" in program:
                opaque = os.path.basename(program)
            continue
        environment.update(own)
        python = found(program, environment)
        missing = "" if python else program
        line = command
    for key in unknown:
        environment.pop(key, None)
    opaque = opaque or ("a shell script" if unknown or not (python or missing) else "")
    if python and not opaque:
        opaque = _python_opaque(line, environment, read)
    return launch._replace(
        python=python,
        environment=environment,
        opaque=opaque,
        module=_module_of(line),
        missing=missing,
        runs_ipykernel=_runs_ipykernel(line),
    )


_PIECES = re.compile(
    r"(?P<comment>(?:(?<=\s)|^)#[^\n]*)"
    r"|(?P<operator>[;&|()\n]+)"
    r"|(?P<word>\$\([^()]*\)|`[^`]*`|'[^']*'|\"(?:\\.|[^\"\\])*\"|\\.|\$|[^'\"\\;&|()\n#`$]+|#)",
    re.S | re.M,
)


def _commands(text: str) -> List[Optional[List[str]]]:
    """Return the simple commands of a shell's text; None in place of what cannot be read."""
    commands: List[Optional[List[str]]] = []
    for piece in _pieces(text.replace("\\\n", " ")):
        try:
            words = shlex.split(piece)
        except ValueError:
            return commands + [None]
        if words:
            commands.append(words)
    return commands


def _pieces(text: str) -> Iterator[str]:
    """Yield the text between a shell's operators; a substitution is one quoted word."""
    piece, at = "", 0
    while at < len(text):
        match = _PIECES.match(text, at)
        if match is None:  # a quote that is not closed
            yield piece + text[at:]
            return
        at = match.end()
        if match.group("operator"):
            yield piece
            piece = ""
        elif match.group("word"):
            word = match.group()
            piece += shlex.quote(word) if word[:2] == "$(" or word[0] == "`" else word
    yield piece


def _expanded(word: str, environment: Mapping[str, str]) -> Tuple[str, bool]:
    """Return a shell's word with its variables filled in, and whether all are known."""
    if "$(" in word or "`" in word or re.search(r"\$\{\w+[^\w}]", word):
        return word, False
    return _REFERENCE.sub(
        lambda match: environment.get(match.group(1) or match.group(2), ""), word
    ), True
