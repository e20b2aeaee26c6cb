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

    ``user`` is the user who runs kinit; None for the person who types the command. ``environ``
    is the environment of the service's libkrb5, and ``shell`` that of the person.
    """
    variables = []
    if _CONFIG in environ:
        variables = ["%s=%s" % (_CONFIG, environ[_CONFIG])]
    elif _CONFIG in shell:
        variables = ["-u", _CONFIG]
    run = [kinit, "-k", "-t", keytab, "-c", "MEMORY:", "--", principal]
    if user is None:
        trace = "KRB5_TRACE=/dev/stderr"
        # "NAME=VALUE command" needs env(1) only to remove a variable.
        words = [*variables, trace, *run]
        return _quoted(["env", *words] if variables[:1] == ["-u"] else words)
    # A user can open the pipe of their own shell, but not root's terminal by /dev/stderr.
    script = _quoted(["env", *variables, "KRB5_TRACE=/dev/stdout", *run]) + " 2>&1 | cat"
    return _quoted(["runuser", "-u", user, "--", "sh", "-c", script])


def _quoted(words: List[str]) -> str:
    """Quote words for a shell; of an assignment only the value, or it would name a program."""
    return " ".join(
        name + equals + shlex.quote(value) if equals and name.isidentifier() else shlex.quote(word)
        for word in words
        for name, equals, value in [word.partition("=")]
    )
