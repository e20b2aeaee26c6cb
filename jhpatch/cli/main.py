"""The command line: parse, dispatch, print once, and turn errors into exit codes."""

import argparse
import importlib
import os
import sys
from typing import Any, List, Optional, Tuple

from jhpatch.cli import terminal
from jhpatch.cli.parser import command_in, module_of, parse
from jhpatch.errors import (
    Failed,
    JhpatchError,
    NextStep,
    Usage,
    jhpatch_command,
    missing_module,
    permission_denied,
    same_command,
    shell_command,
)
from jhpatch.report.next_command import MAINTENANCE, ONLY_PATCHES, Runner
from jhpatch.report.result import Result, Script, Sites, error_of, with_fallbacks
from jhpatch.report.text import Style

_ISOLATED = ("-I",)
_REQUIRED = {"packaging": "packaging", "patch_ng": "patch-ng"}  # the distribution of each module


def main(argv: Optional[List[str]] = None) -> int:
    """Run one command; return the exit code of the process."""
    arguments = sys.argv[1:] if argv is None else argv
    verbose = bool({"-v", "--verbose"} & set(arguments))
    quiet = bool({"-q", "--quiet"} & set(arguments))
    as_json = "--json" in arguments
    runner = _runner(argparse.Namespace(), arguments)
    try:
        with terminal.interruptible():
            if argv is None:
                _refuse_foreign_script()
            parsed = parse(arguments)
            runner = _runner(parsed, arguments)
            _preload(as_json)
            parsed.environ = os.environ
            run = module_of(parsed.command).run
            if getattr(parsed, "watch", None):
                return _watch(run, parsed, as_json, quiet, runner)
            messages = terminal.Messages(as_json or quiet)
            parsed.step, parsed.say = messages.step, messages.say
            parsed.ask = terminal.ask
            try:
                result = run(parsed)
            finally:
                messages.end()
            runner = _runner(parsed, arguments)  # with the environments that status --all finds
    except JhpatchError as error:
        result = _failure(arguments, error)
    except (KeyboardInterrupt, Exception) as error:
        if verbose:
            _trace()
        result = _failure(arguments, _described(error, command_in(arguments)))
    return _print(with_fallbacks(result), runner, as_json, verbose, quiet)


def _refuse_foreign_script() -> None:
    """Raise Usage if the script ``jhpatch`` is in another environment than its Python.

    The first line of a script names the Python by its path, also in a copy of the environment.
    """
    script = os.path.realpath(sys.argv[0])
    prefix = os.path.dirname(os.path.dirname(script))
    is_script = os.path.basename(script) == "jhpatch"
    if is_script and prefix != os.path.realpath(sys.prefix):
        if os.path.exists(os.path.join(prefix, "pyvenv.cfg")):
            raise Usage(
                "this script runs with the Python of another environment; its environment may be "
                "a copy",
                path=script,
                expected=os.path.join(prefix, "bin/python"),
                found=sys.executable,
                next=shell_command(prefix + "/bin/python", "-I", "-m", "jhpatch", *sys.argv[1:]),
            )


def _runner(parsed: argparse.Namespace, arguments: List[str]) -> Runner:
    """Return the Python and the options of this command, for the next command to type."""

    def options(*names: str) -> Tuple[str, ...]:
        pairs = (("--" + name, value) for name in names for value in getattr(parsed, name, []))
        return tuple(argument for pair in pairs for argument in pair)

    only_patches = (ONLY_PATCHES,) * bool(getattr(parsed, "only_patches", False))
    standing = os.environ.get("JHPATCH_PATCHES")
    return Runner(
        sys.executable or "python",
        options("python", "site", "patches") + only_patches,
        options("patches") + only_patches,
        _ISOLATED if sys.flags.isolated or (os.geteuid() == 0 and _has_isolated()) else (),
        _ISOLATED if _has_isolated() else (),
        tuple(arguments),
        ("JHPATCH_PATCHES=" + standing,) if standing else (),
    )


def _has_isolated() -> bool:
    """Return whether ``python -I`` finds jhpatch: not by PYTHONPATH, nor in the user site."""
    if sys.flags.isolated:
        return True
    directory = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    user_site = getattr(sys.modules.get("site"), "USER_SITE", None)
    others = os.environ.get("PYTHONPATH", "").split(os.pathsep) + [user_site]
    return directory in sys.path and directory not in others


def _watch(
    run: Any, parsed: argparse.Namespace, as_json: bool, quiet: bool, runner: Runner
) -> int:
    style = terminal.style(parsed.verbose)

    def text_of(result: Result) -> str:
        if as_json:
            return _json(result, runner, None)
        return "" if quiet else _text(result, style, runner)

    redraw = style.terminal and not as_json and not quiet and not terminal.is_dumb()
    return terminal.watch(lambda: run(parsed), text_of, parsed.watch, redraw)


def _preload(as_json: bool) -> None:
    """Import the output module now: a failure after a change would hide its result."""
    importlib.import_module("json" if as_json else "jhpatch.report.site_text")


def _failure(argv: List[str], error: JhpatchError) -> Result:
    further = tuple(map(error_of, error.further))
    return Result(
        command_in(argv), error=error_of(error), own_exit_code=error.exit_code, further=further
    )


_OF_SITES = ("status", "diff", "apply", "revert", "create")
_TRACEBACK = "run the failed command with -v for a traceback"


def _described(error: BaseException, command: Optional[str]) -> JhpatchError:
    """Return the JhpatchError for an exception of another class."""
    if isinstance(error, ImportError):
        name = (error.name or "").partition(".")[0]
        if name in _REQUIRED:
            return missing_module(error, _REQUIRED[name])
    if isinstance(error, PermissionError) and error.filename is not None:
        message, path = _describe(error)
        return permission_denied(message, path or "")
    return Failed(*_describe(error), next=_step_after(error, command))


def _step_after(error: BaseException, command: Optional[str]) -> NextStep:
    """Return the next step: ``status`` shows nothing of a command that inspects no site."""
    is_interrupt = isinstance(error, KeyboardInterrupt)
    if command in _OF_SITES:
        step = jhpatch_command("status")
        return step if is_interrupt else step + ("; " + _TRACEBACK)
    return same_command() if is_interrupt else NextStep(_TRACEBACK)


def _describe(error: BaseException) -> Tuple[str, Optional[str]]:
    """Return the message and the path of an error that is no JhpatchError."""
    if isinstance(error, KeyboardInterrupt):
        return "interrupted; no site is half changed", None
    if isinstance(error, MemoryError):
        return "out of memory; no site is half changed", None
    if isinstance(error, ImportError):
        return "cannot import a module: %s" % error, error.path
    if isinstance(error, OSError):
        filename = error.filename
        path = os.fsdecode(filename) if isinstance(filename, (str, bytes)) else None
        return error.strerror or str(error), path
    return "unexpected %s: %s" % (type(error).__name__, error), None


def _trace() -> None:
    import traceback

    terminal.error_output(traceback.format_exc())


def _print(result: Result, runner: Runner, as_json: bool, verbose: bool, quiet: bool) -> int:
    if as_json:
        return terminal.output(_json(result, runner, 1)) or result.exit_code
    style = terminal.style(verbose)
    text = "" if quiet else _text(result, style, runner)
    is_diff = result.command == "diff"
    # A diff for a file or for patch(1) must be the exact bytes.
    paged = style.terminal and is_diff and terminal.paged(text)
    lost = 0 if paged else terminal.output(text, escaped=style.terminal or not is_diff)
    from jhpatch.report.text import errors_text

    terminal.error_output(errors_text(result, runner))
    return lost or result.exit_code


def _text(result: Result, style: Style, runner: Runner) -> str:
    """Return the text of a result for standard output."""
    content = result.content
    if content is None:
        return ""
    if isinstance(content, Script):
        return content.script
    if isinstance(content, Sites):
        from jhpatch.report import site_text

        return site_text.text(result, style, runner)
    if result.command in (*MAINTENANCE, "create"):
        module = importlib.import_module("jhpatch.report.patch_text")
    else:
        module = importlib.import_module("jhpatch.report.host_text")
    return str(module.text(content, result, style, runner))


def _json(result: Result, runner: Runner, indent: Optional[int]) -> str:
    import json

    from jhpatch.report.document import document

    return json.dumps(document(result, runner), indent=indent) + "\n"
