"""``kernelspec check``: a kernel is started and runs a first job; what happens has a name."""

import json
import sys
import time

import pytest

from testing.kernels import directory_of, kernel_json
from testing.spark_homes import write


@pytest.mark.slow
@pytest.mark.parametrize(
    "spoil, code",
    [
        ("python", "kernel-died"),
        ("hang", "spark-timeout"),
        ("queue", "yarn-queue"),
        ("", None),
    ],
)
def test_check_names_what_happens(install, jhpatch, host, script, as_user, spoil, code):
    """A kernel that dies, one that never answers, Spark's own words, or nothing: bounded."""
    install(*(["--python", script("echo broken >&2; exit 3\n")] if spoil == "python" else []))
    if spoil == "hang":
        write(str(directory_of(host) / "startup.py"), "import time\ntime.sleep(600)\n")
    if spoil == "queue":
        (host / "log.fault").write_text("x to unknown queue: nosuch\n")
    began = time.monotonic()
    answer = jhpatch(None, "kernelspec", "check", "--timeout", "8" if spoil else "60")
    found = answer.document["findings"]
    assert [row["code"] for row in found] == ([code] if code else []), found
    assert answer.code == (3 if code else 0) and time.monotonic() - began < 40
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
@pytest.mark.parametrize("often, code, starts", [(1, None, 2), (9, "kernel-died", 3)])
def test_check_of_a_kernel_whose_port_is_taken(
    install, jhpatch, host, as_user, often, code, starts
):
    """It is started again, as a server does it; not for ever."""
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
def test_check_of_a_kernel_that_jhpatch_did_not_write(install, jhpatch, host, as_user):
    """It has ``spark`` of some start-up of its own: counted, or its error put into words."""
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
