"""Commands of jhpatch in a child process: answered, or killed at one of their steps."""

import json
import os
import sys

from jhpatch.transaction import transaction


def run_in_child(command, *arguments):
    """Run a command in a child; return its exit code and its JSON document."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        code = 99
        try:
            from jhpatch.cli.main import main

            sys.stdout = os.fdopen(write, "w")
            code = main([command, "--json"] + list(arguments))
            sys.stdout.flush()
        finally:
            os._exit(code)
    os.close(write)
    with os.fdopen(read) as pipe:
        text = pipe.read()
    code = os.WEXITSTATUS(os.waitpid(pid, 0)[1])
    return code, json.loads(text)


def die_at(command, where, at):
    """Run a command in a child that dies, as if by kill -9, before the step ``at``."""
    pid = os.fork()
    if pid == 0:
        try:
            from jhpatch.cli.main import main

            real = transaction.Transaction._at

            def dies(self, doing, path):
                if "%s %s" % (doing, path) == at:
                    os._exit(9)
                real(self, doing, path)

            transaction.Transaction._at = dies
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            main([command] + list(where))
        finally:
            os._exit(8)
    assert os.WEXITSTATUS(os.waitpid(pid, 0)[1]) == 9, (command, at)
