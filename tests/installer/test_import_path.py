"""The copy that Python imports: of PYTHONPATH, a user site, /usr/local, and a running server."""

import os
import shutil
import subprocess
import sys

import pytest

from jhpatch.installer import environment
from testing import ROOT
from testing.notebook_site import OPEN, SAVE
from testing.users import ROOT_ONLY
from testing.waiting import until

BASE = os.path.realpath(sys.executable)
VERSION = "python%d.%d" % sys.version_info[:2]


@pytest.fixture
def base(tmp_path, make_site):
    """An environment that is no venv, as conda's or a system's: Python has user sites there."""
    env = make_site(tmp_path, [("notebook", "5.7.9")], slim=True, name="base")
    os.unlink(os.path.join(env.prefix, "pyvenv.cfg"))
    return env


def status(env, *arguments, **environ):
    """status of an environment with these variables; the exit code and the lines."""
    argv = [sys.executable, "-m", "jhpatch", "status", "--python", env.python, *arguments]
    path = os.pathsep.join([ROOT, environ.pop("PYTHONPATH", "")]).rstrip(os.pathsep)
    done = subprocess.run(
        argv,
        env=dict({"PYTHONPATH": path, "PATH": os.defpath}, **environ),
        cwd="/",
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert not done.stderr, done
    return done.returncode, done.stdout.decode()


def copied(env, to):
    """A copy of its site, in another directory."""
    os.makedirs(os.path.dirname(to))
    shutil.copytree(env.site, to)
    return to


def test_a_user_site_shadows(tmp_path, base, jhpatch):
    """The imported copy of the user site is unpatched: shadowed, exit code 3; also root's."""
    users = copied(base, str(tmp_path / "users/lib" / VERSION / "site-packages"))
    assert jhpatch(base, "apply").code == 0
    assert status(base)[0] == 0
    code, text = status(base, PYTHONUSERBASE=str(tmp_path / "users"))
    assert code == 3
    assert "%s\t5.7.9\tshadowed\tshadowed: Python imports %s" % (OPEN, users) in text
    assert users + " (pip)\n%s\t5.7.9\tunpatched\t" % OPEN in text
    assert status(base, PYTHONUSERBASE=str(tmp_path / "users"), PYTHONNOUSERSITE="1")[0] == 0


def test_the_user_site_of_whoever_runs_it(tmp_path, base, monkeypatch):
    """Of the home directory; root's is that of root, whatever sudo leaves in HOME."""
    found = environment.environment_of(base.python)
    assert found.has_user_site and found.version == VERSION[len("python") :]
    home = str(tmp_path / "home")
    wanted = os.path.join(home, ".local/lib", VERSION, "site-packages")
    assert environment.user_site(found, {}, home) == wanted
    other = {"PYTHONUSERBASE": "/x", "HOME": "/elsewhere"}
    assert environment.user_site(found, other, home).startswith("/x/lib/python")
    assert environment.user_site(found, {"PYTHONNOUSERSITE": "1"}, home) is None
    assert environment.user_site(found._replace(has_user_site=False), {}, home) is None


def test_a_venv_has_no_user_site(tmp_path, make_site, jhpatch):
    """With the system's packages it has one, behind its own site (Lib/site.py, venv): what the
    venv has itself is not shadowed by it, and the venv's own Python has the same order."""
    env = make_site(tmp_path, [("notebook", "5.7.9")], slim=True)
    users = copied(env, str(tmp_path / "users/lib" / VERSION / "site-packages"))
    jhpatch(env, "apply")
    environ = {"PYTHONUSERBASE": str(tmp_path / "users")}
    assert status(env, **environ)[0] == 0
    config = os.path.join(env.prefix, "pyvenv.cfg")
    with open(config) as file:
        text = file.read().replace("= false", "= true")
    with open(config, "w") as file:
        file.write(text)
    assert status(env, **environ)[0] == 0
    found = environment.environment_of(env.python, environ)
    ours = [site.path for site in found.sites][:2]
    code = "import sys; print(*sys.path, sep='\\n')"
    lines = subprocess.check_output([env.python, "-c", code], env=environ).decode().splitlines()
    assert ours == [env.site, users] == [line for line in lines if line in ours]
    shutil.rmtree(env.site)
    os.mkdir(env.site)
    assert status(env, **environ)[0] == 3  # the user's copy is what it imports


def test_a_venv_with_the_systems_packages(tmp_path, base, make_site, jhpatch):
    """What it imports of its base is reported, and changed by the command that is printed."""
    venv = make_site(tmp_path, name="venv")
    with open(os.path.join(venv.prefix, "pyvenv.cfg"), "w") as file:
        file.write("home = %s/bin\ninclude-system-site-packages = true\n" % base.prefix)
        file.write("version = %s.0\n" % VERSION[len("python") :])
    code, text = status(venv)
    assert code == 3 and "%s (pip)\n%s\t5.7.9\tunpatched\t" % (base.site, OPEN) in text
    answer = jhpatch(venv, "apply")
    assert answer.code == 5
    assert answer.error["next"].endswith(" -m jhpatch apply --site " + base.site)
    assert jhpatch(None, "apply", "--site", base.site).code == 0
    assert status(venv)[0] == 0
    own = make_site(tmp_path, [("notebook", "5.7.9")], slim=True, name="own")
    shutil.rmtree(venv.site)
    shutil.copytree(own.site, venv.site)
    code, text = status(venv)
    assert code == 3 and "shadowed: Python imports %s\n" % venv.site in text


def test_a_directory_of_pythonpath_shadows(tmp_path, base, jhpatch):
    """With metadata, and as a mere package such as a checkout."""
    more = copied(base, str(tmp_path / "more/site"))
    assert jhpatch(base, "apply").code == 0
    code, text = status(base, PYTHONPATH=more)
    assert code == 3 and "shadowed: Python imports %s\n" % more in text
    for name in os.listdir(more):
        if name.endswith(".dist-info"):
            shutil.rmtree(os.path.join(more, name))
    code, text = status(base, PYTHONPATH=more)
    assert code == 3 and "shadowed: Python imports %s/notebook\n" % more in text
    shutil.rmtree(os.path.join(more, "notebook"))
    assert status(base, PYTHONPATH=more)[0] == 0


def test_usr_local_shadows_a_package_of_debian(tmp_path, make_site, jhpatch):
    """pip's copy in /usr/local comes before apt's: the patched one is shadowed."""
    env = make_site(tmp_path, [("notebook", "5.7.9")], slim=True, name="env")
    prefix = str(tmp_path / "usr")
    apt = copied(env, prefix + "/lib/python3/dist-packages")
    os.makedirs(prefix + "/bin")
    os.makedirs(prefix + "/lib/" + VERSION)
    os.symlink(BASE, prefix + "/bin/" + VERSION)
    os.symlink(VERSION, prefix + "/bin/python3")
    assert jhpatch(None, "apply", "--python", prefix + "/bin/" + VERSION).code == 0
    local = copied(env, prefix + "/local/lib/%s/dist-packages" % VERSION)
    answer = jhpatch(None, "status", "--python", prefix + "/bin/" + VERSION)
    first, second = answer.document["sites"]
    assert (first["site"], second["site"], answer.code) == (local, apt, 3)
    assert {row["state"] for row in first["patches"] if row["patch"] == OPEN} == {"pristine"}
    assert {row["state"] for row in second["patches"]} == {"shadowed"}
    assert jhpatch(None, "apply", "--python", prefix + "/bin/" + VERSION).code == 0
    answer = jhpatch(None, "status", "--python", prefix + "/bin/" + VERSION)
    assert answer.code == 0  # what is imported is patched


@pytest.fixture
def hub(base):
    """Start a process that looks like a hub of ``base``, with these variables."""
    children = []

    def start(*flags, uid=None, **environ):
        script = os.path.join(base.prefix, "bin/jupyterhub")
        with open(script, "w") as file:
            file.write("import os, sys; os.setuid(%d)\n" % (uid or os.geteuid()))
            file.write("print('up', flush=True); sys.stdin.read()\n")
        child = subprocess.Popen(
            [base.python, *flags, script],
            executable=BASE,
            env=environ,
            cwd="/",
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        children.append(child)
        assert child.stdout.readline() == b"up\n"
        return child

    yield start
    for child in children:
        child.stdin.close()
        child.wait()
        child.stdout.close()


def test_a_running_hub_of_a_venv_imports_its_own_copy(tmp_path, base, hub, jhpatch):
    """A venv with the system's packages has its site ahead of the user's."""
    copied(base, str(tmp_path / "users/lib" / VERSION / "site-packages"))
    with open(os.path.join(base.prefix, "pyvenv.cfg"), "w") as file:
        file.write("home = /usr/bin\ninclude-system-site-packages = true\n")
        file.write("version = %s.0\n" % VERSION[len("python") :])
    assert jhpatch(base, "apply").code == 0
    hub(PYTHONUSERBASE=str(tmp_path / "users"))
    assert jhpatch(base, "status").states[OPEN] == "applied"


@pytest.mark.parametrize("how", ["PYTHONPATH", "PYTHONUSERBASE", "HOME"])
def test_a_running_hub_imports_another_copy(tmp_path, base, hub, jhpatch, how):
    """By the process's own variables, not by those of whoever asks."""
    users = "users/.local" if how == "HOME" else "users"
    other = copied(base, str(tmp_path / users / "lib" / VERSION / "site-packages"))
    assert jhpatch(base, "apply").code == 0
    value = other if how == "PYTHONPATH" else str(tmp_path / "users")
    child = hub(**{how: value})
    answer = jhpatch(base, "status")
    assert answer.code == 3 and answer.states[OPEN] == "shadowed"
    rows = {row["patch"]: row["reason"] for row in answer.document["sites"][0]["patches"]}
    assert rows[OPEN] == "shadowed: Python imports %s/notebook in pid %d (jupyterhub)" % (
        other,
        child.pid,
    )
    child.stdin.close()
    child.wait()
    until(lambda: jhpatch(base, "status").code == 0)


@ROOT_ONLY
@pytest.mark.parametrize("how", ["PYTHONPATH", "HOME"])
def test_a_server_of_another_user_is_a_note(tmp_path, base, hub, jhpatch, how):
    """A user decides what their server imports, and not what `status` reports of root's site."""
    users = "users/.local/lib/%s/site-packages" % VERSION
    other = copied(base, str(tmp_path / users))
    assert jhpatch(base, "apply").code == 0
    child = hub(uid=65534, **{how: other if how == "PYTHONPATH" else str(tmp_path / "users")})
    answer = jhpatch(base, "status")
    assert answer.code == 0 and answer.states[OPEN] == "applied"
    (note,) = answer.document["sites"][0]["notes"]
    assert note == (
        "the patches of notebook have no effect in a user's server, which imports "
        "%s/notebook in pid %d (jupyterhub)" % (other, child.pid)
    )


def test_a_running_hub_without_variables_shadows_nothing(tmp_path, base, hub, jhpatch):
    """-I, -s and -E leave the user site or PYTHONPATH out."""
    other = copied(base, str(tmp_path / "users/lib" / VERSION / "site-packages"))
    assert jhpatch(base, "apply").code == 0
    hub("-I", PYTHONPATH=other, PYTHONUSERBASE=str(tmp_path / "users"))
    hub("-s", PYTHONUSERBASE=str(tmp_path / "users"))
    hub(HOME=str(tmp_path))
    assert jhpatch(base, "status").code == 0


def test_a_copy_that_cannot_be_changed_here_names_the_command(tmp_path, base, jhpatch):
    """apply refuses the imported copy of a user site, with the command for that site alone."""
    users = copied(base, str(tmp_path / "users/lib" / VERSION / "site-packages"))
    argv = [sys.executable, "-m", "jhpatch", "apply", "--python", base.python]
    environ = {"PYTHONPATH": ROOT, "PYTHONUSERBASE": str(tmp_path / "users")}
    done = subprocess.run(argv, env=environ, cwd="/", stderr=subprocess.PIPE)
    assert done.returncode == 5
    (line,) = [text for text in done.stderr.decode().splitlines() if "next:" in text]
    line = line.partition("next:")[2].strip()
    assert line == "%s -m jhpatch apply --site %s" % (sys.executable, users)
    done = subprocess.run(line.split(), env=environ, cwd="/", stdout=subprocess.DEVNULL)
    assert done.returncode == 0
    answer = jhpatch(None, "status", "--site", users)
    assert (answer.states[OPEN], answer.states[SAVE]) == ("applied", "applied")
