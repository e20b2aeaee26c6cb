"""``jhpatch kernelspec``: kernels that are written, listed, started by jupyter_client, removed.

The kernel, ipykernel and IPython are real; Spark is a small one of the tests' own
(tests/spark/homes.py), as its JVM is not what is looked at here.
"""

import json
import os
import pathlib
import re
import shutil
import stat
import sys
import tempfile
import time

import pytest

from jhpatch.spark import kernel_store
from testing.spark_homes import make_hadoop, make_java, make_spark, write

FILES = {
    *("jhpatch_pyspark.py", "jhpatch_reasons.py", "kernel.json", "startup.py"),
    *("logo-32x32.png", "logo-64x64.png"),
}


@pytest.fixture
def host(tmp_path, monkeypatch):
    """A host with one Spark, one Java, and a home; what kernels are there is this test's own."""
    for name in ("SPARK_HOME", "JAVA_HOME", "HADOOP_CONF_DIR", "YARN_CONF_DIR", "JUPYTER_PATH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "home" / "jupyter"))
    monkeypatch.setenv("FAKE_SPARK_LOG", str(tmp_path / "log"))
    (tmp_path / "home").mkdir()
    make_spark(str(tmp_path / "spark"))
    make_java(str(tmp_path / "java"))
    return tmp_path


@pytest.fixture
def install(jhpatch, host):
    """``kernelspec install --user`` with that Spark and Java; further arguments as given."""

    def call(*arguments, **options):
        given = ["--spark-home", str(host / "spark"), "--java-home", str(host / "java"), "--user"]
        given += ["--master", options.get("master", "local[2]")]
        return jhpatch(None, "kernelspec", "install", *given + list(arguments))

    return call


def folder_of(host, name="pyspark"):
    """Where the kernel lies."""
    return host / "home" / "jupyter" / "kernels" / name


def content(folder):
    """Names, bytes, modes and times of a folder's files."""
    return {
        path.name: (path.read_bytes(), stat.S_IMODE(path.stat().st_mode), path.stat().st_mtime_ns)
        for path in folder.iterdir()
    }


def kernel_json(host, name="pyspark"):
    """What was written."""
    return json.loads((folder_of(host, name) / "kernel.json").read_text())


def test_installing_twice_changes_nothing_the_second_time(install, host):
    """Six files that all can read, whatever the umask; then no byte, no mtime."""
    old = os.umask(0o077)
    try:
        answer = install()
        assert answer.code == 0 and answer.document["changed"] is True
        before = content(folder_of(host))
        assert set(before) == FILES and {mode for _, mode, _ in before.values()} == {0o644}
        answer = install()
        assert answer.code == 0 and answer.document["changed"] is False
        assert content(folder_of(host)) == before
    finally:
        os.umask(old)


def test_what_is_written(install, host):
    """The environment that Spark reads, in the form in which it reads it."""
    arguments = ["--conf", "spark.yarn.queue=a b", "--conf", "spark.x=1", "--env", "A=${HOME}/x"]
    assert install(*arguments + ["--display-name", "Spark of ours"]).code == 0
    document = kernel_json(host)
    assert document["argv"][0] == sys.executable and "{connection_file}" in document["argv"]
    assert document["display_name"] == "Spark of ours" and document["language"] == "python"
    env, spark = document["env"], str(host / "spark")
    assert env["PYSPARK_SUBMIT_ARGS"] == (
        "--master 'local[2]' --conf spark.x=1 --conf 'spark.yarn.queue=a b' pyspark-shell"
    )
    assert env["PYTHONPATH"] == "%s/python:%s/python/lib/py4j-0.10.9.7-src.zip" % (spark, spark)
    assert env["PYSPARK_PYTHON"] == env["PYSPARK_DRIVER_PYTHON"] == sys.executable
    assert env["SPARK_HOME"] == spark and env["JAVA_HOME"] == str(host / "java")
    assert env["PYTHONSTARTUP"] == str(folder_of(host) / "startup.py")
    assert env["A"] == "${HOME}/x" and "HADOOP_CONF_DIR" not in env


@pytest.mark.parametrize("version, wanted", [("3.5.1", True), ("2.4.8", False)])
def test_a_running_application_takes_new_tickets(install, host, version, wanted):
    """On YARN from Spark 3.0 on; what is said with --conf counts."""
    make_spark(str(host / "spark"), version)
    make_java(str(host / "java"), "1.8.0_402")
    conf = make_hadoop(str(host / "conf"), {}, {})
    given = ["--hadoop-conf-dir", conf, "--python", sys.executable]
    assert install(*given, master="yarn").code in (0, 5)
    if sys.version_info < (3, 8) or version != "2.4.8":
        words = kernel_json(host)["env"]["PYSPARK_SUBMIT_ARGS"]
        assert ("spark.kerberos.renewal.credentials=ccache" in words) == wanted
        assert words.startswith("--master yarn --deploy-mode client ")
        install(*given + ["--conf", "spark.kerberos.renewal.credentials=keytab"], master="yarn")
        words = kernel_json(host)["env"]["PYSPARK_SUBMIT_ARGS"]
        assert words.count("renewal") == 1 and "renewal.credentials=keytab" in words
        assert kernel_json(host)["env"]["HADOOP_CONF_DIR"] == conf


def test_a_dry_run_shows_the_file_and_writes_nothing(install, host):
    """kernel.json as it would be."""
    answer = install("--dry-run")
    assert answer.code == 0 and answer.document["would_change"] and not answer.document["changed"]
    (row,) = answer.document["kernels"]
    assert json.loads(row["text"])["env"]["SPARK_HOME"] == str(host / "spark")
    assert not folder_of(host).exists()
    install()
    assert (folder_of(host) / "kernel.json").read_text() == row["text"]
    assert install("--dry-run").document["would_change"] is False


def test_several_kernels_side_by_side(install, jhpatch, host):
    """Two queues, one of them lazy; list has both, and another's with its own name."""
    install("--name", "pyspark-a", "--conf", "spark.yarn.queue=a")
    install("--name", "pyspark-b", "--conf", "spark.yarn.queue=b", "--lazy")
    other = {"argv": ["python3"], "display_name": "by hand", "env": {"SPARK_HOME": "/opt/spark"}}
    write(str(folder_of(host, "other") / "kernel.json"), json.dumps(other))
    write(str(folder_of(host, "broken") / "kernel.json"), "{")
    write(str(folder_of(host, "r") / "kernel.json"), json.dumps(dict(other, env={})))
    rows = jhpatch(None, "kernelspec", "list").document["kernels"]
    assert [(row["name"], row["ours"], row["lazy"]) for row in rows] == [
        ("other", False, False),
        ("pyspark-a", True, False),
        ("pyspark-b", True, True),
    ]
    assert rows[1]["spark"] == "3.5.1" and rows[1]["master"] == "local[2]"


def test_another_kernel_of_that_name_is_left_alone(install, jhpatch, host):
    """Neither replaced nor removed: exit code 5, and its bytes as they were."""
    text = json.dumps({"argv": ["p"], "display_name": "mine", "env": {"SPARK_HOME": "/s"}})
    path = write(str(folder_of(host) / "kernel.json"), text)
    assert install().code == 5
    answer = jhpatch(None, "kernelspec", "remove", "pyspark")
    assert answer.code == 5 and "jupyter kernelspec remove" in answer.error["next"]
    with open(path) as file:
        assert file.read() == text
    assert os.listdir(str(folder_of(host))) == ["kernel.json"]


def test_removing_gives_everything_back(install, jhpatch, host):
    """All that was written, and what Python compiled of it; not what somebody put beside it."""
    install()
    (folder_of(host) / "__pycache__").mkdir()
    (folder_of(host) / "__pycache__" / "jhpatch_pyspark.cpython-311.pyc").write_bytes(b"")
    assert jhpatch(None, "kernelspec", "remove", "pyspark", "--dry-run").document["would_change"]
    assert folder_of(host).exists()
    assert jhpatch(None, "kernelspec", "remove", "pyspark").document["changed"] is True
    assert not folder_of(host).exists()
    install()
    (folder_of(host) / "mine.txt").write_text("x")
    answer = jhpatch(None, "kernelspec", "remove", "pyspark")
    assert os.listdir(str(folder_of(host))) == ["mine.txt"]
    assert any("mine.txt" in note for note in answer.document["notes"])
    assert jhpatch(None, "kernelspec", "remove", "pyspark").code == 1


def test_a_write_that_fails_leaves_no_kernel(install, host, monkeypatch):
    """kernel.json comes last: without it Jupyter offers nothing, and the next run goes on."""
    real = os.replace

    def replace(source, target):
        if target.endswith("kernel.json"):
            raise OSError(28, "No space left on device", target)
        real(source, target)

    monkeypatch.setattr(kernel_store.os, "replace", replace)
    answer = install()
    assert answer.code == 1 and "No space left" in answer.error["message"]
    assert set(os.listdir(str(folder_of(host)))) == FILES - {"kernel.json"}
    monkeypatch.undo()


@pytest.mark.parametrize(
    "arguments, code, word",
    [
        (["--name", "a/b"], 2, "--name"),
        (["--master", "nonsense"], 2, "--master"),
        (["--deploy-mode", "cluster"], 2, "driver"),
        (["--conf", "spark.x"], 2, "--conf"),
        (["--conf", "x=1"], 2, "--conf"),
        (["--conf", "spark.x=1\nexport Y"], 2, "--conf"),
        (["--env", "1A=x"], 2, "--env"),
        (["--user", "--sys-prefix"], 2, "not allowed"),
        (["--spark-home", "/nowhere"], 5, "/nowhere"),
        (["--java-home", "/nowhere"], 5, "/nowhere"),
        (["--idle-stop", "-1"], 2, "idle"),
        (["--master", "yarn", "--hadoop-conf-dir", "/nowhere"], 5, "/nowhere"),
    ],
)
def test_what_cannot_be_is_refused(install, host, arguments, code, word):
    """With what was expected and the next step; nothing is written."""
    answer = install(*arguments)
    assert answer.code == code and word in json.dumps(answer.error)
    assert not folder_of(host).exists()


def test_a_spark_of_two_py4j_is_refused(install, host):
    """Both are named: the first that is seen might be the wrong one."""
    make_spark(str(host / "spark"), py4j=("0.10.7",))
    answer = install()
    assert answer.code == 5 and "0.10.7" in answer.error["message"]
    assert "0.10.9.7" in answer.error["message"] and not folder_of(host).exists()


def test_a_java_that_does_not_fit_is_refused(install, host):
    """Spark 3.5 on Java 7."""
    make_java(str(host / "java"), "1.7.0_80")
    answer = install()
    assert answer.code == 5 and "Java 7" in answer.error["message"]


def test_workers_of_another_minor_python_are_refused(install, script):
    """A Python that says that it is one."""
    answer = install("--worker-python", script("echo 3.2\n"))
    assert answer.code == 5 and "3.2" in answer.error["message"]


def test_a_worker_python_that_is_elsewhere_is_a_note(install):
    """It lies on the nodes, and not here."""
    answer = install("--worker-python", "/opt/cluster/bin/python3")
    assert answer.code == 0 and any("/opt/cluster" in note for note in answer.document["notes"])


@pytest.mark.skipif(os.geteuid() != 0, reason="takes root")
def test_root_writes_no_kernel_where_a_user_can(install, host):
    """A user could put a link in its place, or other files."""
    os.chown(str(host / "home"), 65534, 65534)
    os.chmod(str(host), 0o755)
    answer = install()
    assert answer.code == 5 and "65534" in answer.error["found"]
    assert os.listdir(str(host / "home")) == []


# The kernel itself.


class Running:
    """A kernel as a notebook has it."""

    def __init__(self, name):
        from jupyter_client.manager import KernelManager

        # By sockets in a folder: a TCP port that was free may be another's when the kernel asks.
        self._folder = tempfile.mkdtemp()
        ip = os.path.join(self._folder, "kernel")
        self._manager = KernelManager(kernel_name=name, transport="ipc", ip=ip)
        self._manager.start_kernel()
        self._client = self._manager.client()
        self._client.start_channels()
        self._client.wait_for_ready(timeout=60)

    def run(self, code):
        """All that a cell shows."""
        message_id, text = self._client.execute(code), ""
        while True:
            message = self._client.get_iopub_msg(timeout=60)
            content = message["content"]
            if message["parent_header"].get("msg_id") != message_id:
                continue
            if message["msg_type"] == "stream":
                text += content["text"]
            elif message["msg_type"] == "execute_result":
                text += content["data"]["text/plain"]
            elif message["msg_type"] == "display_data":
                text += content["data"].get("text/plain", "")
            elif message["msg_type"] == "error":
                text += "\n".join(content["traceback"])
            elif message["msg_type"] == "status" and content["execution_state"] == "idle":
                return text

    def complete(self, code):
        """What Tab offers behind ``code``."""
        message_id = self._client.complete(code, len(code))
        while True:
            reply = self._client.get_shell_msg(timeout=60)
            if reply["parent_header"].get("msg_id") == message_id:
                return reply["content"]["matches"]

    def stop(self):
        """As a server stops it."""
        self._client.stop_channels()
        self._manager.shutdown_kernel(now=True)
        shutil.rmtree(self._folder)


@pytest.fixture
def kernel(install):
    """``kernel("--lazy")``: installed with these options, and started."""
    running = []

    def start(*options, between=lambda: None):
        assert install(*options).code == 0
        between()
        running.append(Running("pyspark"))
        return running[-1]

    yield start
    for one in running:
        one.stop()


def started(host):
    """What the small Spark has noted."""
    path = host / "log"
    return path.read_text().splitlines() if path.exists() else []


def until(holds, seconds=20):
    """Waits for something that comes by itself."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_spark_and_sc_are_there(kernel, host):
    """Started with the notebook; nothing else of ours is in the namespace."""
    one = kernel()
    assert "5" in one.run("spark.range(5).count()")
    assert "application_1_0001" in one.run("sc.applicationId")
    assert re.sub(r"\s+", " ", one.run("%who").strip()) == "sc spark"
    assert "jhpatch" not in one.run("print([n for n in dir() if 'jhpatch' in n])")
    assert len([line for line in started(host) if line.startswith("started")]) == 1


def test_a_lazy_session_starts_when_it_is_used(kernel, host):
    """Not by looking at it: %who, %whos, Tab, its repr, isinstance; then by its first use."""
    one = kernel("--lazy")
    assert one.run("%who").split() == ["sc", "spark"]
    assert "Lazy" in one.run("%whos")
    assert "starts when it is used" in one.run("spark")
    assert any("applicationId" in match for match in one.complete("sc.appl"))
    assert any("range" in match for match in one.complete("spark.ra"))
    assert one.run("sc?") + one.run("sc.stop??") == ""  # they come in a pager
    code = "from pyspark import SparkContext; print(isinstance(sc, SparkContext))"
    assert one.run(code).strip().endswith("True")
    assert started(host) == []
    assert "7" in one.run("spark.range(7).count()")
    assert len(started(host)) == 1
    assert "SparkContext" in one.run("print(type(sc).__name__)")
    assert "True" in one.run("print(spark.sparkContext is sc)")


@pytest.mark.parametrize("options", [[], ["--lazy"]], ids=["at once", "lazy"])
def test_a_start_that_fails_says_why(kernel, host, options):
    """The cause and the next step, not a NameError; and when it is mended the next use starts."""
    fault = host / "log.fault"
    fault.write_text("Exception: Application a_1 submitted by user u to unknown queue: nosuch\n")
    one = kernel(*options)
    code, texts = "1 + 1" if not options else "spark.range(1)", []
    until(lambda: texts.append(one.run(code)) or "[yarn-queue]" in texts[-1])
    text = texts[-1]
    assert "unknown queue: nosuch" in text and "[yarn-queue]" in text
    assert "spark.yarn.queue=QUEUE" in text and "Traceback" not in text
    fault.unlink()
    if not options:
        assert "[yarn-queue]" in one.run("spark.range(1)")
    assert "3" in one.run("print(spark.range(3).count())")


def test_what_lies_on_the_host_is_looked_at_before_a_jvm_is_started(kernel, host):
    """A Java that is gone: said at once, nothing started."""
    one = kernel("--lazy")
    (host / "java" / "bin" / "java").unlink()
    text = one.run("sc.parallelize([1])")
    assert "[spark-java-missing]" in text and started(host) == []


def test_run_all_does_not_outrun_the_look_at_the_host(kernel, host, script):
    """The very first cell says why, also where it took the look a second to see it."""
    python = script("echo %d.%d\n" % sys.version_info[:2])
    slow = "#!/bin/sh\nsleep 1\necho 3.2\n"
    one = kernel("--worker-python", python, between=lambda: pathlib.Path(python).write_text(slow))
    assert "[spark-python-mismatch]" in one.run("print('first')")
    assert started(host) == []


_SLOW_FOLDER = """
import os, sys, threading, time

class Slow:
    asked = threading.Event()

    def find_spec(self, name, target=None):
        if name == "pyspark":
            self.asked.set()
            time.sleep(1)

sys.path_importer_cache[os.path.dirname(__file__)] = Slow()
Slow.asked.wait(1)
"""


def test_what_ipython_does_to_the_path_as_it_starts_hides_nothing(kernel, host):
    """It has the folder of a start-up file first in sys.path, and takes it out again.

    A search that is in that folder then, as it is slow, skips the entry behind it: Spark's.
    """
    folder = host / "home" / ".ipython" / "profile_default" / "startup"
    write(str(folder / "slow.py"), _SLOW_FOLDER)
    assert "5" in kernel().run("print(spark.range(5).count())")


def test_the_start_waits_for_ipython_and_no_longer(kernel, host):
    """The kernel's loop, whichever it is, says that it runs; not the end of our patience."""

    def without_end():
        ours = folder_of(host) / "jhpatch_pyspark.py"
        text = ours.read_text()
        assert text.count("_READY = 10.0") == 1
        ours.write_text(text.replace("_READY = 10.0", "_READY = 1e6"))

    assert "5" in kernel(between=without_end).run("print(spark.range(5).count())")


def test_krb5_config_reaches_the_jvm(kernel, host, monkeypatch):
    """The JDK does not read it: spark-class gives it as an option."""
    monkeypatch.setenv("KRB5_CONFIG", "/etc/other.conf")
    kernel("--lazy").run("spark.range(1)")
    assert "-Djava.security.krb5.conf=/etc/other.conf" in started(host)[0]


def test_an_idle_session_stops_and_comes_back(kernel, host):
    """Not while a cell runs, nor while a job does; its names are lazy again."""
    one = kernel("--lazy", "--idle-stop", "0.02")
    (host / "log.busy").write_text("")
    one.run("import time; spark.range(1).count(); time.sleep(2.5)")
    time.sleep(2.5)
    assert "stopped" not in started(host)
    (host / "log.busy").unlink()
    until(lambda: "stopped" in started(host))
    until(lambda: "gateway shut down" in started(host))
    assert "starts when it is used" in one.run("spark")
    assert "4" in one.run("print(spark.range(4).count())")
    assert len([line for line in started(host) if line.startswith("started")]) == 2


def test_what_the_user_has_put_in_their_place_stays(kernel, host):
    """``sc = 5`` is the user's own."""
    one = kernel("--lazy")
    one.run("sc = 5")
    assert "1" in one.run("print(spark.range(1).count())")
    assert one.run("print(sc)").strip() == "5"


def test_the_application_ends_with_the_kernel(kernel, host):
    """Its shutdown stops the session."""
    one = kernel("--lazy")
    one.run("spark.range(1)")
    one._client.shutdown()
    until(lambda: "stopped" in started(host))


def test_check_is_no_job_of_roots(install, jhpatch, monkeypatch):
    """Its ticket would be nobody's: the command that does it is said."""
    monkeypatch.setattr("jhpatch.commands.kernelspec.os.geteuid", lambda: 0)
    install()
    answer = jhpatch(None, "kernelspec", "check")
    assert answer.code == 1 and "runuser -u NAME" in answer.error["next"]


def test_check_of_what_is_not_there(jhpatch, host):
    """A name that no kernel has."""
    answer = jhpatch(None, "kernelspec", "check", "nosuch")
    assert answer.code == 1 and "kernelspec list" in answer.error["next"]


@pytest.fixture
def as_a_user(monkeypatch):
    """The command takes us for a user: the kernel of these tests needs no ticket."""
    monkeypatch.setattr("jhpatch.commands.kernelspec.os.geteuid", lambda: 4242)


def test_check_static_starts_nothing(install, jhpatch, host, as_a_user):
    """It looks at the same files."""
    install()
    assert jhpatch(None, "kernelspec", "check", "--static").code in (0, 3)
    (host / "java" / "bin" / "java").unlink()
    answer = jhpatch(None, "kernelspec", "check", "--static")
    assert answer.code == 3 and answer.document["findings"][0]["code"] == "spark-java-missing"
    assert started(host) == []


@pytest.mark.parametrize(
    "spoil, code",
    [
        ("python", "kernel-died"),
        ("hang", "spark-timeout"),
        ("queue", "yarn-queue"),
        ("", None),
    ],
)
def test_check_names_what_happens(install, jhpatch, host, script, as_a_user, spoil, code):
    """A kernel that dies, one that never answers, Spark's own words, or nothing: bounded."""
    install(*(["--python", script("echo broken >&2; exit 3\n")] if spoil == "python" else []))
    if spoil == "hang":
        write(str(folder_of(host) / "startup.py"), "import time\ntime.sleep(600)\n")
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


@pytest.mark.parametrize("often, code, starts", [(1, None, 2), (9, "kernel-died", 3)])
def test_check_of_a_kernel_whose_port_is_taken(
    install, jhpatch, host, as_a_user, often, code, starts
):
    """It is started again, as a server does it; not for ever."""
    install()
    document, marks = kernel_json(host), host / "marks"
    script = write(str(host / "takes.py"), _TAKES_A_PORT)
    first = [sys.executable, script, "{connection_file}", str(marks), str(often)]
    document["argv"] = first + document["argv"]
    write(str(folder_of(host) / "kernel.json"), json.dumps(document))
    answer = jhpatch(None, "kernelspec", "check", "--timeout", "60")
    assert [row["code"] for row in answer.document["findings"]] == ([code] if code else [])
    assert marks.read_text() == "x" * starts


def test_check_of_a_kernel_that_jhpatch_did_not_write(install, jhpatch, host, as_a_user):
    """It has ``spark`` of some start-up of its own: counted, or its error put into words."""
    install()
    document = kernel_json(host)
    del document["metadata"]
    startup = write(str(host / "own.py"), "import pyspark.sql as s\n")
    document["env"]["PYTHONSTARTUP"] = startup
    write(str(folder_of(host) / "kernel.json"), json.dumps(document))
    answer = jhpatch(None, "kernelspec", "check", "--timeout", "60")
    (finding,) = answer.document["findings"]
    assert finding["code"] == "spark-failed" and "NameError" in finding["message"]
    write(startup, "import pyspark.sql as s\nspark = s.SparkSession.builder.getOrCreate()\n")
    assert jhpatch(None, "kernelspec", "check", "--timeout", "60").code == 0


def test_the_commands_words_fit_a_terminal(install, capsys, host, monkeypatch):
    """Text for people: list has a line a kernel, a dry run the file."""
    from jhpatch.cli.main import main

    install()
    capsys.readouterr()
    assert main(["kernelspec", "list"]) == 0
    line = capsys.readouterr().out.split("\t")
    assert line[0] == "pyspark" and line[1] == "3.5.1" and str(folder_of(host)) in line[-1]
    assert main(["kernelspec"]) == 2
    assert "install, list, check or remove" in capsys.readouterr().err
