"""The command line: parse, dispatch, print once, and turn errors into exit codes.

The only room that prints, exits and reads the environment.
"""

import argparse
import contextlib
import importlib
import os
import sys
from typing import Any, Callable, Iterator, List, NoReturn, Optional, TextIO, Tuple

from jhpatch import __version__
from jhpatch.commands import COMMANDS, EXAMPLES
from jhpatch.errors import Failed, JhpatchError, Usage
from jhpatch.report.result import HOST, Result, addressed, error_of, quoted, shown

# argparse has no translations, and looks in three folders for that of each of its words.
argparse._ = str  # type: ignore[attr-defined]

_EXIT_CODES = """\
exit codes: 0 done or nothing to do; 1 failed; 2 usage; 3 a check found something;
4 another run holds the lock; 5 refused, nothing changed"""


def _formatter(prog: str) -> argparse.HelpFormatter:
    """With a width of its own: asking the terminal imports shutil, bz2 and lzma."""
    return argparse.RawDescriptionHelpFormatter(prog, width=88)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        words = ["python -m jhpatch"] + self.prog.split(" ")[1:] + ["--help"]
        raise Usage(message, next=" ".join(words))

    def _print_message(self, message: str, file: Any = None) -> None:
        """Help and version go out as results do: they survive any locale and any reader."""
        if message and _output(message):
            raise SystemExit(1)


def main(argv: Optional[List[str]] = None) -> int:
    """Runs one command; gives the process's exit code."""
    arguments = sys.argv[1:] if argv is None else argv
    verbose = bool({"-v", "--verbose"} & set(arguments))
    options = trees = ""
    try:
        with _interruptible():
            parsed = _parsed(arguments)
            options, trees = _options(parsed), _options(parsed, ("patches",))
            _speaks("--json" in arguments)
            parsed.environ = os.environ
            run = _module(parsed.command).run
            if getattr(parsed, "watch", None):
                return _watched(run, parsed, "--json" in arguments)
            with _progress(parsed, "--json" in arguments):
                result = run(parsed)
            options = _options(parsed)  # status --all has found some
    except JhpatchError as error:
        result = _failed(arguments, error)
    except (KeyboardInterrupt, Exception) as error:
        if verbose:
            _trace()
        result = _failed(arguments, Failed(*_said(error), next=_NEXT))
    result = addressed(result, sys.executable or "python", options, trees)
    return _print(result, "--json" in arguments, verbose, bool({"-q", "--quiet"} & set(arguments)))


@contextlib.contextmanager
def _progress(parsed: argparse.Namespace, as_json: bool) -> Iterator[None]:
    """``parsed.step(words)`` says what a command does now, and ``say`` what is worth a line of
    its own where nothing is drawn: on a terminal the last words are, after a second."""
    drawn: List[Any] = []

    def step(words: str) -> None:
        if not drawn:
            from jhpatch.cli.progress import Progress

            drawn.append(Progress(sys.stderr))
        drawn[0].step(words)

    quiet = as_json or getattr(parsed, "quiet", False)
    terminal = sys.stderr is not None and sys.stderr.isatty() and not quiet
    parsed.step = step if terminal else lambda words: None
    parsed.say = step if terminal else lambda words: None if quiet else _talk(words + "\n")
    try:
        yield
    finally:
        for one in drawn:
            one.end()


def _watched(run: Callable[[Any], Result], parsed: argparse.Namespace, as_json: bool) -> int:
    """Looks again and again, until Ctrl-C or until nobody reads; the last look's exit code.

    A terminal is drawn anew; elsewhere each line that has changed is written once.
    """
    import time

    code, old = 1, [""]
    terminal = sys.stdout is not None and sys.stdout.isatty() and not as_json
    try:
        while True:
            result = run(parsed)
            code = result.exit_code
            text = _line(result) if as_json else _text(result, terminal, parsed.verbose)
            new = text.splitlines(True)
            changed = "".join(line for line in new if line not in old)
            _write(sys.stdout, _HOME + text if terminal else changed)
            old = new
            time.sleep(parsed.watch)
    except KeyboardInterrupt:
        return code
    except BrokenPipeError:
        _give_up(1)
        return code


_HOME = "\033[H\033[J"  # the upper left corner, and nothing below it (ECMA-48, CUP and ED)


@contextlib.contextmanager
def _interruptible() -> Iterator[None]:
    """Ctrl-C is an error that we word, where __main__ has left it to end the process."""
    import _signal  # type: ignore[import-not-found]  # signal.py costs a millisecond

    old = _signal.getsignal(_signal.SIGINT)
    if old != _signal.SIG_DFL:
        yield
        return
    _signal.signal(_signal.SIGINT, _signal.default_int_handler)
    try:
        yield
    finally:
        _signal.signal(_signal.SIGINT, old)


def _speaks(as_json: bool) -> None:
    """Loads what the result is told with: not to fail at that once a change is made."""
    importlib.import_module("json" if as_json else "jhpatch.report.site_text")


def _failed(argv: List[str], error: JhpatchError) -> Result:
    return Result(_command(argv), error=error_of(error), own_exit_code=error.exit_code)


_NEXT = "python -m jhpatch status; the same command with -v shows where it happened"


def _said(error: BaseException) -> Tuple[str, Optional[str]]:
    """The message and the path of an error that is not one of ours."""
    if isinstance(error, KeyboardInterrupt):
        return "interrupted; nothing is left half done", None
    if isinstance(error, MemoryError):
        return "out of memory; nothing is left half done", None
    if isinstance(error, ImportError):
        return "cannot load a part of Python: %s" % error, error.path
    if isinstance(error, OSError):
        name = error.filename
        path = os.fsdecode(name) if isinstance(name, (str, bytes)) else None
        return error.strerror or str(error), path
    return "unexpected %s: %s" % (type(error).__name__, error), None


def _trace() -> None:
    import traceback

    _talk(traceback.format_exc())


def _parsed(argv: List[str]) -> argparse.Namespace:
    """What was typed. Raises Usage."""
    arguments = parser(argv[0] if argv and argv[0] in COMMANDS else None).parse_args(argv)
    if arguments.command is None:
        raise Usage(
            "no command",
            expected="one of " + ", ".join(COMMANDS),
            next="python -m jhpatch --help",
        )
    return arguments


class _Version(argparse.Action):
    """The tool, the Python, and the newest release that each patch knows."""

    def __call__(self, parser: Any, *arguments: Any) -> NoReturn:
        from jhpatch.patchset import catalog

        newest = catalog.Catalog((catalog.own_tree(),)).newest()
        words = (__version__, sys.version.split()[0], sys.executable)
        lines = ["jhpatch %s, Python %s (%s)" % words]
        lines += ["  %-34s to %s" % (patch, newest[patch]) for patch in sorted(newest)]
        parser._print_message("\n".join(lines) + "\n")
        raise SystemExit(0)


def parser(name: Optional[str], whole: bool = False) -> argparse.ArgumentParser:
    """The parser of the command ``name``; for None of what all commands are, or ``whole``."""
    parser = _Parser(
        prog="jhpatch",
        description="Versioned, verified and reversible patches against installed "
        "JupyterHub, notebook and jupyter_server.",
        epilog=_EXIT_CODES,
        formatter_class=_formatter,
        allow_abbrev=False,
    )
    words = "the tool, the Python, and the newest release that each patch knows"
    parser.add_argument("--version", action=_Version, nargs=0, help=words)
    # Given its prog, argparse does not write a usage to find it.
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", prog="jhpatch")
    for command, purpose in COMMANDS.items():
        if name not in (None, command):
            continue  # only what is typed is built
        below = commands.add_parser(
            command,
            help=purpose,
            description=purpose,
            epilog="example:\n  python -m jhpatch %s\n\n%s" % (EXAMPLES[command], _EXIT_CODES),
            formatter_class=_formatter,
            allow_abbrev=False,
        )
        if whole or command == name:
            _module(command).add_arguments(below)
    return parser


def _options(
    arguments: argparse.Namespace, names: Tuple[str, ...] = ("python", "site", "patches")
) -> str:
    """The options that say where, as they must be typed again."""
    return "".join(
        " --%s %s" % (name, quoted(value))
        for name in names
        for value in getattr(arguments, name, [])
    )


def _module(command: str) -> Any:
    return importlib.import_module("jhpatch.commands." + command)


def _command(argv: List[str]) -> Optional[str]:
    return next((word for word in argv if word in COMMANDS), None)  # for the document alone


def _print(result: Result, as_json: bool, verbose: bool, quiet: bool) -> int:
    terminal = sys.stdout is not None and sys.stdout.isatty()
    if as_json:
        return _output(_json(result)) or result.exit_code
    text = "" if quiet else _text(result, terminal, verbose)
    is_diff = result.command == "diff"
    # A diff that goes to a file or to patch(1) must be the exact bytes.
    paged = terminal and is_diff and _paged(text)
    lost = 0 if paged else _output(text, escaped=terminal or not is_diff)
    from jhpatch.report import site_text

    _talk(site_text.talk(result))
    return lost or result.exit_code


def _paged(text: str) -> bool:
    """Shows more lines than the terminal has by a pager, as git does; whether it did."""
    import _signal
    import shutil
    import subprocess

    command = os.environ.get("PAGER", "less")
    if command in ("", "cat") or text.count("\n") < shutil.get_terminal_size().lines:
        return False
    environment = dict({"LESS": "FRX", "LV": "-c"}, **os.environ)
    data = shown(text).encode("utf-8", "backslashreplace")
    # Ctrl-C is the pager's: without us it would go on with the terminal as it has set it.
    old = _signal.signal(_signal.SIGINT, lambda *_: None)
    try:
        child = subprocess.Popen(command, shell=True, stdin=subprocess.PIPE, env=environment)
        child.communicate(data)
    except OSError:
        return False
    finally:
        _signal.signal(_signal.SIGINT, old)
    return child.returncode != 127  # sh(1): there is no such program


def _output(text: str, escaped: bool = True) -> int:
    """Puts ``text`` on standard output; 1 where it was lost, though not by a reader's wish."""
    stream = sys.stdout
    try:
        if escaped or not hasattr(stream, "buffer"):
            _write(stream, text)
        elif stream is not None:
            stream.buffer.write(text.encode("utf-8", "surrogateescape"))
            stream.buffer.flush()
        return 0
    except OSError as error:
        _give_up(1)  # nobody is left to tell, or there is no room
        if isinstance(error, BrokenPipeError):
            return 0
        _talk("jhpatch: cannot write the result: %s\n" % error.strerror)
        return 1


def _text(result: Result, terminal: bool, verbose: bool) -> str:
    """What a person reads on standard output."""
    if result.script is not None:
        return result.script
    colour = terminal and "NO_COLOR" not in os.environ
    if result.command in HOST:
        from jhpatch.report import host_text

        return host_text.text(result, terminal, colour, verbose)
    from jhpatch.report import site_text

    return site_text.text(result, terminal, colour, verbose, _width() if terminal else 0)


def _width() -> int:
    """The terminal's columns, or what COLUMNS says."""
    said = os.environ.get("COLUMNS", "")
    if said.isdigit() and int(said):
        return int(said)
    try:
        return os.get_terminal_size(1).columns or 80
    except OSError:
        return 80


def _json(result: Result) -> str:
    import json

    from jhpatch.report.result import document

    return json.dumps(document(result), indent=1) + "\n"


def _line(result: Result) -> str:
    """The document on one line."""
    import json

    from jhpatch.report.result import document

    return json.dumps(document(result)) + "\n"


def _talk(text: str) -> None:
    try:
        _write(sys.stderr, text)
    except OSError:
        _give_up(2)  # the exit code alone must tell


def _give_up(fd: int) -> None:
    """A stream that cannot be written: Python must not try the rest again at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), fd)


def _write(stream: Optional[TextIO], text: str) -> None:
    """Text that survives any locale (LC_ALL=C): what it cannot show is escaped."""
    if stream is not None and text:
        encoding = stream.encoding or "ascii"
        stream.write(shown(text).encode(encoding, "backslashreplace").decode(encoding))
        stream.flush()
