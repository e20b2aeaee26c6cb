"""The installed nginx's version."""

import os

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
    nginx = program("nginx", 'test "$1" = -V && echo "nginx version: nginx/1.25.3 (Ubuntu)" >&2\n')
    assert version.installed(["/nowhere/nginx", broken, nginx]) == "1.25.3"


def test_without_nginx(program):
    """There is no version, and no error."""
    assert version.installed(["/nowhere/nginx", program("nginx", "exit 3\n")]) is None
    assert version.installed([]) is None


def test_what_it_reads_and_openresty(program):
    """Where nginx was built to read its configuration; OpenResty's version is nginx's."""
    script = (
        'echo "nginx version: openresty/1.25.3.1\nconfigure arguments: --conf-path=/o/n.conf"\n'
    )
    path = program("nginx", script)
    assert version.find([path]) == version.Nginx(path, "1.25.3", "/o/n.conf")
    assert version.find([path]).number == (1, 25, 3)


@pytest.mark.skipif(os.geteuid() != 0, reason="a user runs what they like")
@pytest.mark.parametrize("mode, uid", [(0o757, 0), (0o755, 4321)])
def test_root_runs_no_program_of_others(program, tmp_path, mode, uid):
    """One that another user can write is passed over, as kinit is; the next one is asked."""
    trusted = program("trusted", 'echo "nginx version: nginx/1.22.1"\n')
    foreign = program("foreign", 'touch %s/ran; echo "nginx version: nginx/9.9.9"\n' % tmp_path)
    os.chmod(foreign, mode)
    os.chown(foreign, uid, -1)
    assert version.installed([foreign, trusted]) == "1.22.1"
    assert version.installed([foreign]) is None
    assert not (tmp_path / "ran").exists()
    (row,) = version.untrusted(["/nowhere/nginx", foreign, trusted])
    owner = "(owner uid %d, mode %04o)" % (uid, mode)
    assert row == "%s: users other than root can write %s %s" % (foreign, foreign, owner)
