"""The command with which an administrator repeats the kinit of the ticket service."""

import shlex
from typing import List, Mapping, Optional

_CONFIG = "KRB5_CONFIG"


def traced_kinit(
    kinit: str,
    keytab: str,
    principal: str,
    user: Optional[str],
    environ: Mapping[str, str],
    shell: Mapping[str, str],
) -> str:
    """Return a command for a shell that runs kinit with its trace.

    ``user`` is whom kinit runs as, None for the person who types the command. ``environ`` is
    that of the service's libkrb5, and ``shell`` that of the person.
    """
    variables = []
    if _CONFIG in environ:
        variables = ["%s=%s" % (_CONFIG, environ[_CONFIG])]
    elif _CONFIG in shell:
        variables = ["-u", _CONFIG]
    run = [kinit, "-k", "-t", keytab, "-c", "MEMORY:", "--", principal]
    if user is None:
        trace = "KRB5_TRACE=/dev/stderr"
        # "NAME=VALUE command" needs no env(1), but for the removal of a variable.
        words = [*variables, trace, *run]
        return _quoted(["env", *words] if variables[:1] == ["-u"] else words)
    # A user cannot open root's terminal by /dev/stderr, but the pipe of their own shell.
    script = _quoted(["env", *variables, "KRB5_TRACE=/dev/stdout", *run]) + " 2>&1 | cat"
    return _quoted(["runuser", "-u", user, "--", "sh", "-c", script])


def _quoted(words: List[str]) -> str:
    """Quote words for a shell; the value of an assignment alone, or it would be a program."""
    return " ".join(
        name + equals + shlex.quote(value) if equals and name.isidentifier() else shlex.quote(word)
        for word in words
        for name, equals, value in [word.partition("=")]
    )
