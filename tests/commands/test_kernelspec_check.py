"""``jhpatch kernelspec check``: a kernel is started as a server starts it, and judged."""

import json
import sys

import pytest

from testing.kernels import directory_of, kernel_json, spark_log
from testing.spark_homes import write


def test_root_is_refused(install, jhpatch, monkeypatch):
    """Root, who has no ticket of the user, is refused with the command that becomes the user."""
    monkeypatch.setattr("jhpatch.commands.kernelspec.os.geteuid", lambda: 0)
    install()
    answer = jhpatch(None, "kernelspec", "check")
    assert answer.code == 1 and "runuser -u NAME" in answer.error["next"]


def test_an_unknown_kernel(jhpatch, host):
    """An unknown name is exit code 1, with the command that lists the names."""
    answer = jhpatch(None, "kernelspec", "check", "nosuch")
    assert answer.code == 1 and "kernelspec list" in answer.error["next"]


@pytest.fixture
def as_a_user(monkeypatch):
    """The command takes the tests for a user: the kernel of these tests needs no ticket."""
    monkeypatch.setattr("jhpatch.commands.kernelspec.os.geteuid", lambda: 4242)


def test_a_static_check_starts_nothing(install, jhpatch, host, as_a_user):
    """--static inspects the files alone."""
    install()
    assert jhpatch(None, "kernelspec", "check", "--static").code in (0, 3)
    (host / "java" / "bin" / "java").unlink()
    answer = jhpatch(None, "kernelspec", "check", "--static")
    assert answer.code == 3 and answer.document["findings"][0]["code"] == "spark-java-missing"
    assert spark_log(host) == []


@pytest.mark.parametrize(
    "spoil, code",
    [
        pytest.param("python", "kernel-died", marks=pytest.mark.slow),
        pytest.param("hang", "spark-timeout", marks=pytest.mark.slow),
        ("queue", "yarn-queue"),
        ("", None),
    ],
)
def test_what_happens_has_a_code(install, jhpatch, host, script, as_a_user, spoil, code):
    """A kernel that dies, one that never answers, and Spark's own error each have a code."""
    install(*(["--python", script("echo broken >&2; exit 3\n")] if spoil == "python" else []))
    if spoil == "hang":
        write(str(directory_of(host) / "startup.py"), "import time\ntime.sleep(600)\n")
    if spoil == "queue":
        (host / "log.fault").write_text("x to unknown queue: nosuch\n")
    answer = jhpatch(None, "kernelspec", "check", "--timeout", "8" if spoil else "60")
    found = answer.document["findings"]
    assert [row["code"] for row in found] == ([code] if code else []), found
    assert answer.code == (3 if code else 0)
    notes = answer.document["notes"]
    assert [note for note in notes if "application_1_0001" in note] or spoil


_TAKES_A_PORT = """
import json, os, socket, sys
connection, marks, often = sys.argv[1:4]
with open(marks, "a+") as file:
    file.write("x")
    file.seek(0)
    starts = len(file.read())
if starts <= int(often):
    taken = socket.socket()
    taken.bind(("127.0.0.1", json.load(open(connection))["shell_port"]))
    taken.listen(1)
    taken.set_inheritable(True)
os.execv(sys.argv[4], sys.argv[4:])
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    "often, code, starts",
    [(1, None, 2), (9, "kernel-died", 3)],
)
def test_a_kernel_whose_port_is_taken(install, jhpatch, host, as_a_user, often, code, starts):
    """A kernel whose port is taken is started again, as a server does it, up to three times."""
    install()
    document, marks = kernel_json(host), host / "marks"
    script = write(str(host / "takes.py"), _TAKES_A_PORT)
    first = [sys.executable, script, "{connection_file}", str(marks), str(often)]
    document["argv"] = first + document["argv"]
    write(str(directory_of(host) / "kernel.json"), json.dumps(document))
    answer = jhpatch(None, "kernelspec", "check", "--timeout", "60")
    assert [row["code"] for row in answer.document["findings"]] == ([code] if code else [])
    assert marks.read_text() == "x" * starts


@pytest.mark.slow
def test_a_kernel_that_jhpatch_did_not_write(install, jhpatch, host, as_a_user):
    """A kernel with a start-up of its own is run, or its error is reported."""
    install()
    document = kernel_json(host)
    del document["metadata"]
    startup = write(str(host / "own.py"), "import pyspark.sql as s\n")
    document["env"]["PYTHONSTARTUP"] = startup
    write(str(directory_of(host) / "kernel.json"), json.dumps(document))
    answer = jhpatch(None, "kernelspec", "check", "--timeout", "60")
    (finding,) = answer.document["findings"]
    assert finding["code"] == "spark-failed" and "NameError" in finding["message"]
    write(startup, "import pyspark.sql as s\nspark = s.SparkSession.builder.getOrCreate()\n")
    assert jhpatch(None, "kernelspec", "check", "--timeout", "60").code == 0
