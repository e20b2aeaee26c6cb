"""What ``--python`` and ``--site`` name, and what they refuse."""

import os
import stat
import subprocess
import sys
import zipfile

import pytest

from jhpatch.errors import Failed, Refused, Usage, command_alone
from jhpatch.installer import environment, named_python
from testing.notebook_site import OPEN
from testing.users import NOBODY, ROOT_ONLY, make_reachable


def zipped(path, shebang=b""):
    """A zip application."""
    with open(str(path), "wb") as file:
        file.write(shebang)
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("__main__.py", "print()")
    return str(path)


@pytest.mark.parametrize("shebang", [b"", b"#!/usr/bin/env python3\n"])
@pytest.mark.parametrize("option", ["--python", "--site"])
def test_a_zip_application_is_named_as_one(tmp_path, option, shebang):
    """A .pex or .pyz has no files to patch in place: the message says so, and what to do."""
    path = zipped(tmp_path / "hub.pex", shebang)
    open_ = environment.environment_of if option == "--python" else environment.site_alone
    with pytest.raises(Usage) as refused:
        open_(path)
    assert refused.value.message == option + " names a zip archive, not an environment"
    assert "built" in refused.value.next.parts[0]


@pytest.mark.parametrize(
    "head",
    [
        "#!{python}\n",
        "#! {python} -E\n",
        "#!/bin/sh\n'''exec' \"{python}\" \"$0\" \"$@\"\n' '''\n",
    ],
    ids=["shebang", "options", "a long path"],
)
def test_a_console_script_is_refused_with_its_interpreter(tmp_path, make_site, head):
    """jhpatch would run it to compile: the next step names the Python that it is for."""
    env = make_site(tmp_path, name="a b" if "exec" in head else "env")
    script = os.path.join(env.prefix, "bin/jupyterhub")
    with open(script, "w") as file:
        file.write(head.format(python=env.python) + "import jupyterhub\n")
    with pytest.raises(Usage) as refused:
        environment.environment_of(script)
    assert refused.value.message == "--python names a script"
    assert refused.value.next == command_alone("status", "--python", env.python)


def test_another_script_is_refused(tmp_path):
    """A shell script beside the interpreter is no Python; one named python may start it."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "lib/python3.11/site-packages").mkdir(parents=True)
    for name in ("start.sh", "python"):
        (tmp_path / "bin" / name).write_text('#!/bin/sh\nexec /usr/bin/python3 "$@"\n')
    with pytest.raises(Usage):
        environment.environment_of(str(tmp_path / "bin/start.sh"))
    assert environment.environment_of(str(tmp_path / "bin/python")).sites


@pytest.mark.parametrize("version", ["2.7", "3.5"])
@pytest.mark.parametrize("option", ["--python", "--site"])
def test_an_old_python_is_refused(tmp_path, jhpatch, option, version):
    """Exit code 5 and nothing changed: the patched module would be a syntax error there."""
    site = tmp_path / ("lib/python%s/site-packages" % version)
    site.mkdir(parents=True)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/python").write_text("")
    path = tmp_path / "bin/python" if option == "--python" else site
    answer = jhpatch(None, "apply", option, str(path))
    assert (answer.code, answer.error["found"]) == (5, "Python " + version)
    assert os.listdir(str(site)) == []


OLD = os.path.expanduser("~/.pyenv/versions/2.7.18/bin/python")


@pytest.mark.skipif(not os.path.exists(OLD), reason="no Python 2.7")
def test_a_real_python_2_is_refused(jhpatch):
    """By its files; it is not started."""
    answer = jhpatch(None, "status", "--python", OLD)
    assert (answer.code, answer.error["found"]) == (5, "Python 2.7")


@pytest.mark.parametrize(
    "directories, python, version",
    [
        (["3.13t"], "python3.13t", "3.13t"),
        (["3.13t"], "python3.13", "3.13t"),
        (["3.13", "3.13t"], "python3.13t", "3.13t"),
        (["3.13", "3.13t"], "python3.13", "3.13"),
        (["3.14t"], "python", "3.14t"),
    ],
)
def test_a_python_without_gil(tmp_path, directories, python, version):
    """Its directories end in t (lib/python3.13t); a venv's pyvenv.cfg does not tell."""
    for config in ("", "home = /usr/bin\nversion = %s\n" % version.rstrip("t")):
        prefix = tmp_path / ("venv" if config else "prefix")
        for name in directories:
            (prefix / ("lib/python%s/site-packages" % name)).mkdir(parents=True)
        (prefix / "bin").mkdir()
        (prefix / "bin" / python).write_text("")
        if config:
            (prefix / "pyvenv.cfg").write_text(config)
        found = environment.environment_of(str(prefix / "bin" / python))
        assert [site.path for site in found.sites] == [
            str(prefix / ("lib/python%s/site-packages" % version))
        ]


@pytest.mark.parametrize("real, is_refused", [("python3.6", True), ("python3.11", False)])
def test_a_venv_that_was_upgraded_in_place(tmp_path, real, is_refused):
    """pyvenv.cfg names the new Python, bin/python is still the old one."""
    for version in ("3.6", "3.11"):
        (tmp_path / ("venv/lib/python%s/site-packages" % version)).mkdir(parents=True)
    (tmp_path / "venv/bin").mkdir()
    (tmp_path / real).write_text("")
    (tmp_path / "venv/bin/python").symlink_to(tmp_path / real)
    (tmp_path / "venv/pyvenv.cfg").write_text("home = /usr/bin\nversion = 3.11.2\n")
    if not is_refused:
        environment.environment_of(str(tmp_path / "venv/bin/python"))
        return
    with pytest.raises(Refused) as refused:
        environment.environment_of(str(tmp_path / "venv/bin/python"))
    assert refused.value.expected == "version 3.6" and "3.11" in refused.value.found


def failure_of_nobody(job):
    """The message and the path of the Failed that ``job`` raises as a user who is not root."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.setgid(NOBODY)
            os.setuid(NOBODY)
            job()
        except Failed as error:
            os.write(writer, ("%s, %s, %s" % (error.message, error.path, error.found)).encode())
        finally:
            os._exit(0)
    os.close(writer)
    os.waitpid(pid, 0)
    with os.fdopen(reader) as pipe:
        return pipe.read()


@ROOT_ONLY
@pytest.mark.parametrize("option", ["--python", "--site"])
def test_a_path_that_may_not_be_read(tmp_path, make_site, option):
    """Permission denied is not "nothing there"."""
    env = make_site(tmp_path, [("notebook", "5.7.9")], slim=True)
    make_reachable(str(tmp_path))
    os.chmod(env.prefix, 0o700)
    os.unlink(env.python)
    os.mknod(env.python, 0o100755)
    path = env.python if option == "--python" else env.site
    open_ = environment.environment_of if option == "--python" else environment.site_alone
    failure = failure_of_nobody(lambda: open_(path))
    subject = "an environment" if option == "--python" else "a site"
    assert failure == "%s cannot be read, %s, permission denied" % (subject, path)


@ROOT_ONLY
@pytest.mark.parametrize(
    "closed, unread",
    [
        ("", "pyvenv.cfg"),
        ("pyvenv.cfg", "pyvenv.cfg"),
        ("lib", "lib/python{0}/site-packages"),
        ("lib/python{0}", "lib/python{0}/site-packages"),
    ],
)
def test_a_part_of_an_environment_that_may_not_be_read(tmp_path, make_site, closed, unread):
    """No site is left out: the error names what this user may not read."""
    env = make_site(tmp_path, [("notebook", "5.7.9")], slim=True)
    make_reachable(str(tmp_path))
    version = "%d.%d" % sys.version_info[:2]
    os.chmod(os.path.join(env.prefix, closed.format(version)), 0o600)
    failure = failure_of_nobody(lambda: environment.environment_of(env.prefix))
    path = os.path.join(env.prefix, unread.format(version))
    assert failure == "an environment cannot be read, %s, permission denied" % path


@ROOT_ONLY
def test_a_prefix_whose_directories_may_not_be_listed(tmp_path):
    """Without pyvenv.cfg the version is in lib, so permission denied is not "no version"."""
    make_reachable(str(tmp_path))
    (tmp_path / "opt/lib/python3.11/site-packages").mkdir(parents=True)
    (tmp_path / "opt/lib").chmod(0o711)
    failure = failure_of_nobody(lambda: environment.environment_of(str(tmp_path / "opt")))
    expected = "an environment cannot be read, %s, permission denied"
    assert failure == expected % (tmp_path / "opt/lib")


def test_a_relative_path(tmp_path, make_site, jhpatch, monkeypatch):
    """--python is taken from where the command is typed, for its compile check too."""
    env = make_site(tmp_path, [("notebook", "5.7.9")], slim=True)
    os.unlink(env.python)  # another program than the one that runs the tests
    with open(env.python, "w") as file:
        file.write('#!/bin/sh\nexec %s "$@"\n' % os.path.realpath(sys.executable))
    os.chmod(env.python, 0o755)
    monkeypatch.chdir(str(tmp_path))
    relative = os.path.relpath(env.python, str(tmp_path))
    for command in ("status", "apply", "revert"):
        answer = jhpatch(None, command, "--python", relative)
        assert not answer.error, answer
    assert answer.code == 0
    assert answer.document["sites"][0]["python"] == env.python
    assert answer.states[OPEN] == "pristine"


def test_a_fifo_is_no_python(tmp_path):
    """A special file is refused and not opened."""
    os.mkfifo(str(tmp_path / "python"))
    assert stat.S_ISFIFO(os.stat(str(tmp_path / "python")).st_mode)
    with pytest.raises(Usage):
        named_python.prefix_of(str(tmp_path / "python"))


def test_a_virtual_environment_of_this_python(tmp_path):
    """A real ``python -m venv`` is found by its interpreter."""
    prefix = str(tmp_path / "venv")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", prefix], check=True)
    found = environment.environment_of(prefix + "/bin/python")
    assert found.version == "%d.%d" % sys.version_info[:2] and found.sites[0].inside


def test_old_is_a_refusal():
    """The oldest supported version is accepted, the one before is not."""
    named_python.refuse_old("3.6", "/x")
    with pytest.raises(Refused):
        named_python.refuse_old("3.5", "/x")


@pytest.mark.parametrize("name", ["true", "pyvenv.cfg"])
def test_another_program_is_no_python(tmp_path, name):
    """The environment around it is not taken for its own: a check would execute the program."""
    (tmp_path / "lib/python3.11/site-packages").mkdir(parents=True)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / name).write_bytes(b"\x7fELF")
    with pytest.raises(Usage, match="--python does not name a Python interpreter"):
        named_python.prefix_of(str(tmp_path / "bin" / name))
    (tmp_path / "bin/python3.11").write_bytes(b"\x7fELF")
    (tmp_path / "bin/hub").symlink_to("python3.11")
    assert named_python.prefix_of(str(tmp_path / "bin/hub")) == str(tmp_path)


def test_the_directory_of_an_environment_is_no_site(tmp_path):
    """The next step names it as the environment that it is."""
    (tmp_path / "lib/python3.11/site-packages").mkdir(parents=True)
    with pytest.raises(Usage, match="--site names an environment") as refused:
        named_python.directory_of_site(str(tmp_path))
    assert refused.value.next == command_alone("status", "--python", str(tmp_path))
