"""``python -m jhpatch``, and the console script."""

import _signal  # type: ignore[import-not-found]  # built in: signal.py gives Ctrl-C time
import gc
import sys

# While we import, Ctrl-C ends us as it ends a program in C: without a traceback.
if _signal.getsignal(_signal.SIGINT) is _signal.default_int_handler:
    _signal.signal(_signal.SIGINT, _signal.SIG_DFL)


def main() -> int:
    """Runs one command; gives the process's exit code."""
    # A short life makes little rubbish: looking for it costs more than all imports of ours.
    gc.set_threshold(100000)
    try:
        from jhpatch import cli

        return cli.main()
    except Exception as error:
        if {"-v", "--verbose"} & set(sys.argv):
            raise
        return _last_words(error)
    finally:
        getattr(gc, "freeze", int)()  # nor at the end; Python 3.6 has no freeze


def _last_words(error: Exception) -> int:
    """One line where a result could not be told: no memory, or a fault of ours."""
    import errno
    import os

    # CPython makes the second of a first that it has no memory for, and an import the third.
    short = isinstance(error, (MemoryError, SystemError))
    if short or getattr(error, "errno", None) == errno.ENOMEM:
        os.write(2, b"jhpatch: out of memory; nothing is left half done\n")
    else:
        words = b"jhpatch: the result cannot be told (%s); nothing is left half done\n"
        os.write(2, words % type(error).__name__.encode())
    return 1


if __name__ == "__main__":
    # ``-m`` puts the current folder first on the import path, and root may stand in
    # a folder where somebody else left a json.py (bpo-33053, CPython's -P and -I).
    if not (sys.flags.isolated or getattr(sys.flags, "safe_path", False)):
        del sys.path[0]
    sys.exit(main())
