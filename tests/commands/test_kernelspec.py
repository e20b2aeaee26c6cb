"""``jhpatch kernelspec``: kernels are written, listed, checked and removed."""

import json
import os
import stat
import string
import sys

import pytest

from jhpatch.spark import kernel_store, kernelspec
from testing.kernels import directory_of, kernel_json, started
from testing.spark_homes import make_hadoop, make_java, make_python, make_spark, write

FILES = {
    *("jhpatch_%s.py" % name for name in (*kernelspec.MODULES, "spark_child")),
    *("kernel.json", "startup.py", "logo-32x32.png", "logo-64x64.png"),
}


def content(folder):
    """Names, bytes, modes and times of a folder's files."""
    return {
        path.name: (path.read_bytes(), stat.S_IMODE(path.stat().st_mode), path.stat().st_mtime_ns)
        for path in folder.iterdir()
    }


def test_installing_twice_changes_nothing_the_second_time(install, host):
    """Files that all can read, whatever the umask; then no byte, no mtime."""
    old = os.umask(0o077)
    try:
        answer = install()
        assert answer.code == 0 and answer.document["changed"] is True
        before = content(directory_of(host))
        assert set(before) == FILES and {mode for _, mode, _ in before.values()} == {0o644}
        answer = install()
        assert answer.code == 0 and answer.document["changed"] is False
        assert content(directory_of(host)) == before
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
    entries = ["%s/python", "%s/python/lib/py4j-0.10.9.7-src.zip"]
    assert env["PYTHONPATH"].split(":") == [one % spark for one in entries] + ["${PYTHONPATH}"]
    assert env["PYSPARK_PYTHON"] == env["PYSPARK_DRIVER_PYTHON"] == sys.executable
    assert env["SPARK_HOME"] == spark and env["JAVA_HOME"] == str(host / "java")
    assert env["PYTHONSTARTUP"] == str(directory_of(host) / "startup.py")
    assert env["A"] == "${HOME}/x" and "HADOOP_CONF_DIR" not in env


def test_what_the_user_adds_to_pythonpath_comes_after_pysparks(install, host):
    """Neither --env nor the server's own PYTHONPATH takes its place."""
    assert install("--env", "PYTHONPATH=/site/a:/site/b").code == 0
    entries = kernel_json(host)["env"]["PYTHONPATH"].split(":")
    assert entries[0] == str(host / "spark" / "python")
    assert entries[2:] == ["/site/a", "/site/b", "${PYTHONPATH}"]


def test_a_dollar_reaches_spark_as_it_was_typed(install, host):
    """jupyter_client fills in variables in env: of a pair it leaves one."""
    assert install("--conf", "spark.x=a$b${HOME}").code == 0
    text = kernel_json(host)["env"]["PYSPARK_SUBMIT_ARGS"]
    assert "'spark.x=a$b${HOME}'" in string.Template(text).safe_substitute({"HOME": "/home/u"})


def test_the_next_command_repeats_the_options(install, host):
    """Whoever types it gets the kernel that they asked for."""
    more = ["--conf", "spark.x=1 2", "--lazy", "--name", "etl", "--java-home", "/nowhere"]
    answer = install(*more)
    assert answer.code == 5 and answer.error["next"].endswith(
        "kernelspec install --spark-home %s --master 'local[2]' --name etl --conf 'spark.x=1 2'"
        " --lazy --user --java-home DIR" % (host / "spark")
    )


def test_a_python_without_ipykernel_is_refused(install, host):
    """With the command that installs it."""
    python = make_python(str(host / "bare"), "3.11", modules=())
    answer = install("--python", python)
    assert answer.code == 5 and python + " -m pip install ipykernel" in answer.error["next"]


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
    assert not directory_of(host).exists()
    install()
    assert (directory_of(host) / "kernel.json").read_text() == row["text"]
    assert install("--dry-run").document["would_change"] is False


def test_several_kernels_side_by_side(install, jhpatch, host):
    """Two queues, one of them lazy; list has both, and another's with its own name."""
    install("--name", "pyspark-a", "--conf", "spark.yarn.queue=a")
    install("--name", "pyspark-b", "--conf", "spark.yarn.queue=b", "--lazy")
    other = {"argv": ["python3"], "display_name": "by hand", "env": {"SPARK_HOME": "/opt/spark"}}
    write(str(directory_of(host, "other") / "kernel.json"), json.dumps(other))
    write(str(directory_of(host, "broken") / "kernel.json"), "{")
    write(str(directory_of(host, "r") / "kernel.json"), json.dumps(dict(other, env={})))
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
    path = write(str(directory_of(host) / "kernel.json"), text)
    answer = install("--lazy")
    assert answer.code == 5 and answer.error["next"].endswith(" --lazy --user --name ANOTHER")
    answer = jhpatch(None, "kernelspec", "remove", "pyspark")
    assert answer.code == 5 and "jupyter kernelspec remove" in answer.error["next"]
    with open(path) as file:
        assert file.read() == text
    assert os.listdir(str(directory_of(host))) == ["kernel.json"]


def test_removing_gives_everything_back(install, jhpatch, host):
    """All that was written, and what Python compiled of it; not what somebody put beside it."""
    install()
    (directory_of(host) / "__pycache__").mkdir()
    (directory_of(host) / "__pycache__" / "jhpatch_pyspark.cpython-311.pyc").write_bytes(b"")
    assert jhpatch(None, "kernelspec", "remove", "pyspark", "--dry-run").document["would_change"]
    assert directory_of(host).exists()
    assert jhpatch(None, "kernelspec", "remove", "pyspark").document["changed"] is True
    assert not directory_of(host).exists()
    install()
    (directory_of(host) / "mine.txt").write_text("x")
    answer = jhpatch(None, "kernelspec", "remove", "pyspark")
    assert os.listdir(str(directory_of(host))) == ["mine.txt"]
    assert any("mine.txt" in note for note in answer.document["notes"])
    assert jhpatch(None, "kernelspec", "remove", "pyspark").code == 2


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
    assert set(os.listdir(str(directory_of(host)))) == FILES - {"kernel.json"}
    monkeypatch.undo()


@pytest.mark.parametrize(
    "arguments, code, word",
    [
        (["--name", "a/b"], 2, "--name"),
        (["--master", "nonsense"], 2, "--master"),
        (["--deploy-mode", "cluster"], 2, "driver"),
        (["--conf", "spark.x"], 2, "--conf"),
        (["--conf", "x=1"], 2, "does not begin with"),
        (["--conf", "spark.x=1\nexport Y"], 2, "--conf"),
        (["--env", "1A=x"], 2, "--env"),
        (["--user", "--sys-prefix"], 2, "not allowed"),
        (["--spark-home", "/nowhere"], 5, "/nowhere"),
        (["--java-home", "/nowhere"], 5, "/nowhere"),
        (["--python", "/nowhere/python"], 5, "/nowhere/python"),
        (["--python", "venv/bin/python"], 5, "relative"),
        (["--python", "/bin/false"], 5, "as a Python"),
        (["--worker-python", "bin/python"], 5, "relative"),
        (["--worker-python", "/nowhere/python"], 5, "/nowhere/python"),
        (["--idle-stop", "-1"], 2, "idle"),
        (["--master", "yarn", "--hadoop-conf-dir", "/nowhere"], 5, "/nowhere"),
    ],
)
def test_what_cannot_be_is_refused(install, host, arguments, code, word):
    """With what was expected and the next step; nothing is written."""
    answer = install(*arguments)
    assert answer.code == code and word in json.dumps(answer.error)
    assert not directory_of(host).exists()


def test_a_spark_of_two_py4j_is_refused(install, host):
    """Both are named: the first that is seen might be the wrong one."""
    make_spark(str(host / "spark"), py4j=("0.10.7",))
    answer = install()
    assert answer.code == 5 and "0.10.7" in answer.error["message"]
    assert "0.10.9.7" in answer.error["message"] and not directory_of(host).exists()


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
    answer = install("--worker-python", "/opt/cluster/bin/python3", master="spark://h:7077")
    assert answer.code == 0 and any("/opt/cluster" in note for note in answer.document["notes"])


@pytest.mark.skipif(os.geteuid() != 0, reason="takes root")
def test_root_writes_no_kernel_where_a_user_can(install, host):
    """A user could put a link in its place, or other files."""
    os.chown(str(host / "home"), 65534, 65534)
    os.chmod(str(host), 0o755)
    answer = install()
    assert answer.code == 5 and "65534" in answer.error["found"]
    assert os.listdir(str(host / "home")) == []


def test_check_is_no_job_of_roots(install, jhpatch, monkeypatch):
    """Its ticket would be nobody's: the command that does it is said."""
    install()
    monkeypatch.setattr("jhpatch.commands.kernelspec.os.geteuid", lambda: 0)
    answer = jhpatch(None, "kernelspec", "check")
    assert answer.code == 1 and "runuser -u NAME" in answer.error["next"]


@pytest.mark.parametrize("action", ["check", "remove"])
def test_a_name_that_no_kernel_has(jhpatch, host, action):
    """An unknown name is a usage error, as that of a patch is."""
    answer = jhpatch(None, "kernelspec", action, "nosuch")
    assert answer.code == 2 and answer.error["code"] == "usage"
    assert "kernelspec list" in answer.error["next"]


def test_check_static_starts_nothing(install, jhpatch, host, as_user):
    """It looks at the same files."""
    install()
    assert jhpatch(None, "kernelspec", "check", "--static").code in (0, 3)
    (host / "java" / "bin" / "java").unlink()
    answer = jhpatch(None, "kernelspec", "check", "--static")
    assert answer.code == 3 and answer.document["findings"][0]["code"] == "spark-java-missing"
    assert started(host) == []


def test_the_commands_words_fit_a_terminal(install, capsys, host, monkeypatch):
    """Text for people: list has a line a kernel, a dry run the file."""
    from jhpatch.cli.main import main

    install()
    capsys.readouterr()
    assert main(["kernelspec", "list"]) == 0
    line = capsys.readouterr().out.split("\t")
    assert line[0] == "pyspark" and line[1] == "3.5.1" and str(directory_of(host)) in line[-1]
    assert main(["kernelspec"]) == 2
    assert "install, list, check or remove" in capsys.readouterr().err
