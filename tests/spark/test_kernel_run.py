"""``kernelspec check``: a kernel is started and runs a first job; what happens has a name."""

import json
import sys

import pytest

from jhpatch.deployed import causes, first_job
from jhpatch.deployed.causes import Fault
from jhpatch.spark import kernel_run
from testing.kernels import directory_of, kernel_json
from testing.spark_homes import write

PATIENCE = "400"  # seconds, that only a hang reaches


def errors_of(answer):
    """The codes of its errors: that the Python of these tests is too new is a warning."""
    found = answer.document["findings"]
    return [row["code"] for row in found if row["severity"] == "error"]


def changed(host, **changes):
    """Rewrite the kernel.json as another's hand would."""
    document = dict(kernel_json(host), **changes)
    write(str(directory_of(host) / "kernel.json"), json.dumps(document))


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
    install()
    if spoil == "python":
        changed(host, argv=[script("echo broken >&2; exit 3\n"), "{connection_file}"])
    if spoil == "hang":
        write(str(directory_of(host) / "startup.py"), "import time\ntime.sleep(600)\n")
    if spoil == "queue":
        (host / "log.fault").write_text("x to unknown queue: nosuch\n")
    answer = jhpatch(
        None, "kernelspec", "check", "--timeout", "8" if spoil == "hang" else PATIENCE
    )
    assert errors_of(answer) == ([code] if code else []), answer
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


@pytest.mark.parametrize(
    "missing, code",
    [("home", "kernel-died"), ("program", "kernel-program"), ("shebang", "kernel-program")],
)
def test_what_is_missing_is_named(tmp_path, monkeypatch, missing, code):
    """A user's home, or the program: the other is there."""
    pytest.importorskip("jupyter_client")
    home, program = tmp_path / "home", tmp_path / "program"
    if missing != "home":
        home.mkdir()
    if missing != "program":
        write(str(program), "#!/nowhere/sh\n" if missing == "shebang" else "#!/bin/sh\n", 0o755)
    text = json.dumps({"argv": [str(program)], "display_name": "x", "language": "python"})
    write(str(tmp_path / "kernels" / "x" / "kernel.json"), text)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
    fault = kernel_run.run_job("x", 60, lambda line: None).fault
    assert fault.code == code
    absent = {"home": "there is no directory %s" % home, "program": "there is no program"}
    assert absent.get(missing, "%s does not start" % program) in fault.message
    assert ("there is no program" in fault.message) == (missing == "program")


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
    answer = jhpatch(None, "kernelspec", "check", "--timeout", PATIENCE)
    assert errors_of(answer) == ([code] if code else [])
    assert marks.read_text() == "x" * starts


@pytest.mark.slow
@pytest.mark.parametrize(
    "startup, session",
    [
        ("import pyspark.sql\n", "the job's"),
        ("import pyspark\nsc = pyspark.SparkContext()\n", "the kernel's"),
        (
            "import pyspark.sql as s\nspark = s.SparkSession.builder.getOrCreate()\n",
            "the kernel's",
        ),
        ("raise RuntimeError('no licence')\n", "the job's"),
    ],
    ids=["no names", "sc alone", "spark", "a start-up file that fails"],
)
def test_check_of_a_kernel_that_jhpatch_did_not_write(
    install, jhpatch, host, as_user, startup, session
):
    """A first job decides, never the name ``spark``: it builds a session where there is none."""
    install()
    environment = dict(kernel_json(host)["env"], PYTHONSTARTUP=str(host / "own.py"))
    write(str(host / "own.py"), startup)
    changed(host, metadata={}, env=environment)
    answer = jhpatch(None, "kernelspec", "check", "--timeout", PATIENCE)
    assert answer.code == 0 and answer.document["findings"] == []
    assert "session " + session in answer.document["notes"][0]


@pytest.mark.slow
def test_the_cause_is_in_what_the_jvm_has_printed(install, jhpatch, host, as_user):
    """py4j only says that the gateway exited; its child has said why, on standard error."""
    install()
    environment = dict(kernel_json(host)["env"])
    del environment["PYTHONSTARTUP"]
    changed(host, metadata={}, env=environment)
    (host / "log.fault").write_text("Invalid maximum heap size: -Xmxabc\nError: no VM\n")
    answer = jhpatch(None, "kernelspec", "check", "--timeout", PATIENCE)
    (finding,) = answer.document["findings"]
    assert answer.code == 3 and finding["code"] == "spark-driver-memory"
    assert finding["message"] == "Invalid maximum heap size: -Xmxabc"


@pytest.mark.parametrize(
    "changes, code, word",
    [
        ({"argv": ["/nowhere/run.sh", "{connection_file}"]}, "kernel-program", "/nowhere/run.sh"),
        ({"argv": ["/etc/passwd", "{connection_file}"]}, "kernel-program", "/etc/passwd"),
        ({"language": "scala"}, "kernel-language", "scala"),
        ({"argv": []}, "kernel-json", "argv"),
    ],
)
def test_what_cannot_be_started_is_a_finding(install, jhpatch, host, as_user, changes, code, word):
    """Exit code 3 and the cause, no error of the command's own."""
    install()
    changed(host, **changes)
    answer = jhpatch(None, "kernelspec", "check", "--timeout", "20")
    found = answer.document["findings"]
    assert answer.code == 3 and found[0]["code"] == code and word in found[0]["message"]
    if code == "kernel-program":
        assert found[0]["next"] == (
            "correct argv in %s, or the script that argv names"
            % (directory_of(host) / "kernel.json")
        )


def outcome(streams, printed="", ended=None, result=()):
    """The fault of a run with this output."""
    every = dict({"stdout": "", "stderr": ""}, **streams)
    return kernel_run.fault_of(dict(result), ended, printed, every)


def test_no_progress_and_no_json_is_part_of_a_message():
    """What a kernel prints beside its result is not its cause."""
    progress = "\rSpark is starting (local[2]): 4 s" + " " * 30
    mark = '\n%s {"seconds": 1}\n' % first_job.CHECKED
    error = "Traceback:\n  File x\nRuntimeError: the disk is full\n"
    found = outcome({"stdout": mark, "stderr": progress}, result={"error": error})
    assert found == Fault("spark-failed", "RuntimeError: the disk is full")
    found = outcome({"stdout": progress + mark, "stderr": progress}, result={"error": ""})
    assert first_job.CHECKED not in found.message and "{" not in found.message


def test_a_fault_of_jhpatchs_own_kernel_counts():
    """It is passed on as it is; one that names no cause gives way to the JVM's words."""
    own = Fault("spark-no-ticket", "no ticket in FILE:/x", "/x")
    assert outcome({}, result={"fault": causes.packed(own)}) == own
    vague = causes.packed(Fault("spark-failed", "gateway exited"))
    said = {"stderr": "Unsupported class file major version 65\n"}
    assert outcome(said, result={"fault": vague}).code == "spark-java-unfit"


def test_a_deprecated_python_is_not_the_cause_of_a_timeout():
    """pyspark 3.4 warns of Python 3.7, and runs with it."""
    warning = "context.py:317: FutureWarning: Python 3.7 support is deprecated in Spark 3.4.\n"
    ended = kernel_run.Ended("spark-timeout", "the kernel did not finish")
    assert outcome({"stderr": warning}, "", ended).code == "spark-timeout"
    refused = {"stderr": "RuntimeError: Python 3.7 is not supported\n"}
    assert outcome(refused, "", ended).code == "spark-python-unfit"


def test_a_kernel_that_died_is_named_by_its_last_words():
    """In the message itself: nobody looks for a log first."""
    ended = kernel_run.Ended("kernel-died", "the kernel's process ended")
    found = outcome({}, "x: error: bad interpreter\n", ended)
    assert found.code == "kernel-died" and found.message.startswith("the kernel's process ended: ")
    assert outcome({}, "", ended).message == "the kernel's process ended"
    assert outcome({}, "/v/bin/python: No module named ipykernel_launcher\n", ended) == Fault(
        "kernel-no-ipykernel", "/v/bin/python: No module named ipykernel_launcher"
    )
