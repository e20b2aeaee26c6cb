"""``python -m jhpatch``, and the console script."""

import _signal  # type: ignore[import-not-found]  # built in: signal.py loads longer
import errno
import gc
import os
import sys

# During the imports, Ctrl-C ends the process without a traceback, as it does a program in C.
if _signal.getsignal(_signal.SIGINT) is _signal.default_int_handler:
    _signal.signal(_signal.SIGINT, _signal.SIG_DFL)


_NO_MEMORY = b"jhpatch: out of memory; no site is half changed\n"


def main() -> int:
    """Run one command; return the exit code of the process."""
    # The process is short-lived, so garbage collection is not worth its time.
    gc.set_threshold(100000)
    try:
        from jhpatch.cli import main as command_line

        return command_line.main()
    except (MemoryError, SystemError):
        # CPython can raise SystemError for lack of memory, too. This branch allocates nothing.
        os.write(2, _NO_MEMORY)
    except Exception as error:
        if "-v" in sys.argv or "--verbose" in sys.argv:
            raise
        _last_words(error)
    finally:
        getattr(gc, "freeze", int)()  # no collection at exit; Python 3.6 lacks it
    return 1


def _last_words(error: Exception) -> None:
    """Print one line if no result can be reported, for lack of memory or because of a bug."""
    if isinstance(error, OSError) and error.errno == errno.ENOMEM:
        os.write(2, _NO_MEMORY)
    else:
        words = b"jhpatch: cannot print the result (%s); no site is half changed\n"
        os.write(2, words % type(error).__name__.encode())


if __name__ == "__main__":
    # ``-m`` puts the current directory first on the import path. Root may be in a directory
    # in which another user has put a json.py (bpo-33053, CPython's -P and -I).
    if not (sys.flags.isolated or getattr(sys.flags, "safe_path", False)):
        del sys.path[0]
    sys.exit(main())
