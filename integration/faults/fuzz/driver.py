"""Runs a target under atheris, a coverage-guided fuzzer, with the arguments of libFuzzer."""

import sys


def fuzz(target, modules):
    """``target()`` imports what it checks and gives a function of bytes; never returns.

    ``modules`` are those whose branches guide the fuzzer.
    """
    import atheris

    with atheris.instrument_imports(include=modules):
        check = target()
    atheris.Setup(sys.argv, check)
    atheris.Fuzz()
