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
    except (MemoryError, SystemError, OSError) as error:
        # CPython makes the second of a first that it has no memory for; the third is of an
        # import that could not list its folder.
        import errno
        import os

        if isinstance(error, OSError) and error.errno != errno.ENOMEM:
            raise
        os.write(2, b"jhpatch: out of memory; nothing is left half done\n")
        return 1
    finally:
        getattr(gc, "freeze", int)()  # nor at the end; Python 3.6 has no freeze


if __name__ == "__main__":
    # ``-m`` puts the current folder first on the import path, and root may stand in
    # a folder where somebody else left a json.py (bpo-33053, CPython's -P and -I).
    if not (sys.flags.isolated or getattr(sys.flags, "safe_path", False)):
        del sys.path[0]
    sys.exit(main())
