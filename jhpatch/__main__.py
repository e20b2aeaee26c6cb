"""``python -m jhpatch``, and the console script."""

import _signal  # type: ignore[import-not-found]  # built in: signal.py gives Ctrl-C time
import errno
import gc
import os
import sys

# While we import, Ctrl-C ends us as it ends a program in C: without a traceback.
if _signal.getsignal(_signal.SIGINT) is _signal.default_int_handler:
    _signal.signal(_signal.SIGINT, _signal.SIG_DFL)


_NO_MEMORY = b"jhpatch: out of memory; nothing is left half done\n"


def main() -> int:
    """Runs one command; gives the process's exit code."""
    # A short life makes little rubbish: looking for it costs more than all imports of ours.
    gc.set_threshold(100000)
    try:
        from jhpatch.cli import main as command_line

        return command_line.main()
    except (MemoryError, SystemError):
        # CPython makes the second of a first that it has no memory for. Nothing new is made here.
        os.write(2, _NO_MEMORY)
    except Exception as error:
        if "-v" in sys.argv or "--verbose" in sys.argv:
            raise
        _last_words(error)
    finally:
        getattr(gc, "freeze", int)()  # nor at the end; Python 3.6 has no freeze
    return 1


def _last_words(error: Exception) -> None:
    """Print one line if no result can be reported: no memory for an import, or a bug."""
    if isinstance(error, OSError) and error.errno == errno.ENOMEM:
        os.write(2, _NO_MEMORY)
    else:
        words = b"jhpatch: cannot print the result (%s); nothing is left half done\n"
        os.write(2, words % type(error).__name__.encode())


if __name__ == "__main__":
    # ``-m`` puts the current directory first on the import path, and root may be in
    # a directory where another user put a json.py (bpo-33053, CPython's -P and -I).
    if not (sys.flags.isolated or getattr(sys.flags, "safe_path", False)):
        del sys.path[0]
    sys.exit(main())
