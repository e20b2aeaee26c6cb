"""The installed nginx's version."""

import pytest

from jhpatch.nginx import version


@pytest.fixture
def program(tmp_path):
    """``program("nginx", "echo x")``: the path of a script of that name."""

    def write(name, script):
        path = tmp_path / name
        path.write_text("#!/bin/sh\n" + script)
        path.chmod(0o755)
        return str(path)

    return write


def test_nginx_prints_its_version(program):
    """On standard error, as nginx does; one that fails or prints another line is passed over."""
    broken = program("broken", "echo nonsense; exit 1\n")
    nginx = program("nginx", 'test "$1" = -v && echo "nginx version: nginx/1.25.3 (Ubuntu)" >&2\n')
    assert version.installed(["/nowhere/nginx", broken, nginx]) == "1.25.3"


def test_without_nginx(program):
    """There is no version, and no error."""
    assert version.installed(["/nowhere/nginx", program("nginx", "exit 3\n")]) is None
    assert version.installed([]) is None
