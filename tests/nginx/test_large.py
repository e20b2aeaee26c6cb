"""A configuration of any size, and of any files, is judged in a bounded time.

What is counted are the lines of Python that run: a clock depends on the machine's other work.
"""

import sys

import pytest

from jhpatch.errors import Failed
from jhpatch.nginx import configuration
from tests.nginx.cases import judged

pytest.importorskip("crossplane")

SERVER = """server {
    listen 443 ssl; listen 80; server_name hub%d.example.org same.example.org;
    location / { proxy_pass http://127.0.0.1:8000; proxy_set_header Connection $c; }
}
"""


def counted(work, *arguments):
    """What a function returns, and how many lines of Python it has run."""
    lines = 0

    def trace(frame, event, argument):
        nonlocal lines
        lines += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        found = work(*arguments)
    finally:
        sys.settrace(before)
    return found, lines


@pytest.mark.parametrize("path", ["/proc/kmsg", "/sys/kernel/mm", "/dev/tty", "/dev/zero"])
def test_what_the_kernel_makes_is_not_read(tmp_path, path):
    """/proc/kmsg is a regular file, and reading it waits for a message."""
    site = tmp_path / "site.conf"
    site.write_text("include %s;\nserver { }\n" % path)
    read = configuration.read(str(site))
    assert read.skipped == (path,) and [row.code for row in read.findings] == ["not-known"]


@pytest.mark.slow
def test_files_that_include_others_again_and_again(tmp_path):
    """Ten files mean a billion directives."""
    for number in range(9):
        line = "include %s/%d.conf;\n" % (tmp_path, number + 1)
        (tmp_path / ("%d.conf" % number)).write_text(line * 10)
    (tmp_path / "9.conf").write_text("gzip on;\n")
    with pytest.raises(Failed, match="too large"):
        configuration.read(str(tmp_path / "0.conf"))


def test_many_locations(tmp_path):
    """In one server; twice as many take about twice the work."""
    location = (
        "location /u%d { proxy_pass http://127.0.0.1:8000; }\n"
        "location ~ ^/a%d/.*x { proxy_pass http://127.0.0.1:8000; }\n"
    )
    counts = []
    for count in (100, 600):
        site = tmp_path / ("%d.conf" % count)
        site.write_text("server {\n%s}\n" % "".join(location % (one, one) for one in range(count)))
        found, lines = counted(judged, site)
        assert found
        counts.append(lines)
    assert counts[1] < 8 * counts[0], counts


def test_many_servers(tmp_path):
    """Twice as many take about twice the work."""
    counts = []
    for count in (100, 400):
        site = tmp_path / ("%d.conf" % count)
        site.write_text("".join(SERVER % number for number in range(count)))
        found, lines = counted(judged, site)
        counts.append(lines)
        conflicts = [row for row in found if row.code == "name-conflict"]
        assert len(conflicts) == count - 1
    assert counts[1] < 5 * counts[0], counts
