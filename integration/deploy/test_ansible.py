"""The Ansible role, run by the real ansible-playbook: three hosts, each with a hub of its own.

A host is a local connection and an environment; the playbook is the one in ``deploy/ansible``.
"""

import http.server
import json
import os
import shutil
import subprocess
import sys
import threading
import zipfile
from typing import Any, Dict, List, NamedTuple

import pytest

from integration.deploy.recipes import DEPLOY, ran, with_pip
from jhpatch.transaction import transaction
from testing.index import made_wheel
from testing.packages import put_patch
from testing.pythons import interpreter
from testing.trees import times, tree
from testing.wheels import fetched_wheel

ANSIBLE = os.path.join(DEPLOY, "ansible")
HUB = ("jupyterhub", "6.1.0")
SERVER = ("jupyter_server", "2.21.1")
NAMES = ("gateway1", "gateway2", "gateway3")
AUTH = "jupyterhub/auth.py"


class Play(NamedTuple):
    """What ansible-playbook did."""

    code: int
    results: List[Dict[str, Any]]
    text: str

    def result(self, host: str, task: str) -> Dict[str, Any]:
        """What a task said on a host, the last time that it ran there."""
        found = [one for one in self.results if (one["host"], one["task"]) == (host, task)]
        assert found, (host, task, self.text)
        return dict(found[-1]["result"], outcome=found[-1]["outcome"])

    def changed(self) -> List[str]:
        """The hosts on which any task has changed something."""
        return sorted({one["host"] for one in self.results if one["result"].get("changed")})

    def hosts(self) -> List[str]:
        """The hosts that the play has come to."""
        return sorted({one["host"] for one in self.results})


class Fleet:
    """Three hosts and their inventory."""

    def __init__(self, folder, hosts, variables):
        self.folder, self.hosts = str(folder), hosts
        self.inventory = os.path.join(self.folder, "inventory.json")
        self.rows = {name: {"jhpatch_pythons": [env.python]} for name, env in hosts.items()}
        self.common = {
            "ansible_connection": "local",
            "ansible_become": False,
            "ansible_python_interpreter": sys.executable,
            "jhpatch_health_retries": 1,
            "jhpatch_health_delay": 0,
        }
        self.common.update(variables)

    def play(self, *options: str, playbook: str = "jhpatch.yml", **variables: Any) -> Play:
        """Runs a playbook of ``deploy/ansible`` with further variables."""
        words = ["ansible-playbook", os.path.join(ANSIBLE, playbook)]
        return self.run(*words, *options, "-e", json.dumps(variables))

    def task(self, host: str, *options: str, **arguments: Any) -> Dict[str, Any]:
        """Runs the module alone on a host; gives its result."""
        where = ["-M", os.path.join(ANSIBLE, "roles", "jhpatch", "library")]
        words = ["ansible", host, *where, "-m", "jhpatch", "-a", json.dumps(arguments)]
        (result,) = self.run(*words, *options).results
        return dict(result["result"], outcome=result["outcome"])

    def run(self, *words: str) -> Play:
        """Runs one of Ansible's programs, the one that is installed beside these tests."""
        with open(self.inventory, "w") as file:
            json.dump({"gateways": {"hosts": self.rows, "vars": self.common}}, file)
        recorded = os.path.join(self.folder, "recorded")
        environ = dict(
            os.environ,
            PATH=os.path.dirname(sys.executable) + ":" + os.environ["PATH"],
            LC_ALL="C.UTF-8",
            ANSIBLE_HOME=os.path.join(self.folder, "home"),
            ANSIBLE_LOCAL_TEMP=os.path.join(self.folder, "local"),
            ANSIBLE_REMOTE_TEMP=os.path.join(self.folder, "remote"),
            ANSIBLE_CALLBACK_PLUGINS=os.path.join(os.path.dirname(__file__), "callbacks"),
            ANSIBLE_CALLBACKS_ENABLED="recorded",
            ANSIBLE_LOAD_CALLBACK_PLUGINS="1",
            ANSIBLE_RETRY_FILES_ENABLED="0",
            ANSIBLE_NOCOLOR="1",
            JHPATCH_RECORDED=recorded,
        )
        done = subprocess.run(
            words + ("-i", self.inventory),
            cwd=self.folder,
            env=environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        rows: List[Dict[str, Any]] = []
        if os.path.exists(recorded):
            with open(recorded) as file:
                rows = [json.loads(line) for line in file]
            os.unlink(recorded)
        return Play(done.returncode, rows, done.stdout.decode())


@pytest.fixture
def fleet(tmp_path, make_site, runner):
    """Three hosts as pip left them; jhpatch is run from an environment of its own."""
    hosts = {name: make_site(tmp_path, [HUB], name=name, slim=True) for name in NAMES}
    return Fleet(tmp_path, hosts, {"jhpatch_install": False, "jhpatch_runner": runner.python})


def trees(fleet):
    """Every byte, mode and owner of each host's site."""
    return {name: tree(env.site) for name, env in fleet.hosts.items()}


def moments(fleet):
    """Every time and inode of each host's site."""
    return {name: times(env.site) for name, env in fleet.hosts.items()}


def edited(env):
    """A hub's file with a line of somebody else's."""
    with open(os.path.join(env.site, AUTH), "a") as file:
        file.write("# edited\n")


def is_applied(env):
    """Whether the patch is in the file."""
    with open(os.path.join(env.site, AUTH)) as file:
        return "_jhpatch_kerberos" in file.read()


NOTES = 'n=$(grep -c _jhpatch_kerberos "$0/jupyterhub/auth.py"); echo "$1 $0 $n" >>"$2"; exit $3'
"""Writes down what it was run for, and whether the hub's file was patched then."""


def noting(fleet, what, failing=()):
    """Gives each host a command that writes itself down; on the hosts ``failing`` it fails."""
    log = os.path.join(fleet.folder, "log")
    for name, env in fleet.hosts.items():
        words = ["sh", "-c", NOTES, env.site, what, log, str(int(name in failing))]
        fleet.rows[name]["jhpatch_%s_command" % what] = words
    return log


def noted(fleet, log):
    """What was written down: ``restart gateway1 patched`` …, each once where it repeats."""
    names = {env.site: name for name, env in fleet.hosts.items()}
    with open(log) as file:
        rows = [line.split() for line in file]
    words = [
        "%s %s %s" % (what, names[site], "patched" if int(count) else "as upstream")
        for what, site, count in rows
    ]
    return [word for number, word in enumerate(words) if word not in words[:number]]


def test_the_first_run_installs_and_applies_and_the_second_changes_nothing(
    tmp_path, make_site, wheelhouse
):
    """From nothing, by the wheels alone, hub and server of three hosts; then changed=0 on each."""
    hosts, pythons = {}, {}
    for name in NAMES:
        pip = ("pip", "24.0")
        hub = with_pip(make_site(tmp_path, [HUB, pip], name=name, slim=True))
        server = with_pip(make_site(tmp_path, [SERVER, pip], name=name + "-server", slim=True))
        hosts[name], pythons[name] = hub, [hub.python, server.python]
    wheels = {"jhpatch_wheelhouse": wheelhouse}
    fleet = Fleet(tmp_path, hosts, dict(wheels, jhpatch_wheelhouse_on_host=str(tmp_path / "w")))
    for name in NAMES:
        fleet.rows[name]["jhpatch_pythons"] = pythons[name]

    before = moments(fleet)
    foreseen = fleet.play("--check")
    assert foreseen.code == 0, foreseen.text
    assert foreseen.changed() == list(NAMES)
    said = foreseen.result("gateway1", "Apply the patches")["msg"]
    assert said.startswith("jhpatch is not installed for %s yet" % pythons["gateway1"][0])
    assert moments(fleet) == before

    first = fleet.play()
    assert first.code == 0, first.text
    assert first.changed() == list(NAMES)
    for name in NAMES:
        found = first.result(name, "Apply the patches")
        assert found["touched_patches"] == [
            "jupyter_server/kerberos-contents",
            "jupyterhub/kerberos-login",
        ]
        for python in pythons[name]:
            ran(python, "-I", "-m", "jhpatch", "status")

    after = moments(fleet)
    second = fleet.play("--diff")
    assert second.code == 0, second.text
    assert second.changed() == [] and "changed=0" in second.text
    assert not any(one["result"].get("diff") for one in second.results)
    assert moments(fleet) == after


OWN = "jupyterhub/own"


def own_patches(directory):
    """A patch directory with a patch of ``jupyterhub/utils.py`` of 6.1.0."""
    with zipfile.ZipFile(fetched_wheel(*HUB)) as archive:
        data = archive.read("jupyterhub/utils.py")
    path = put_patch(directory, OWN, {"jupyterhub/utils.py": (data, b"# ours\n" + data)})
    with open(path) as file:
        text = file.read().replace("==1.0", "==6.1.0")
    os.unlink(path)
    with open(os.path.join(os.path.dirname(path), "6.1.0-own.patch"), "w") as file:
        file.write(text)
    return str(directory)


def test_a_patch_set_is_installed_and_applied(tmp_path, make_site, wheelhouse):
    """One variable: pip installs the wheel with jhpatch, which finds it and applies it."""
    directory = own_patches(tmp_path / "own")
    wheels = str(tmp_path / "wheels")
    shutil.copytree(wheelhouse, wheels)
    files = {"ourcompany_patches/__init__.py": b"raise SystemExit('imported')\n"}
    with open(directory + "/jupyterhub/6.1.0-own.patch", "rb") as file:
        files["ourcompany_patches/jupyterhub/6.1.0-own.patch"] = file.read()
    info = "ourcompany_patches-1.0.dist-info/entry_points.txt"
    files[info] = b"[jhpatch.patches]\nours = ourcompany_patches\n"
    made_wheel(wheels, "ourcompany_patches", "1.0", files)
    hub = with_pip(make_site(tmp_path, [HUB, ("pip", "24.0")], name="gateway1"))
    variables = {"jhpatch_wheelhouse": wheels, "jhpatch_wheelhouse_on_host": str(tmp_path / "w")}
    fleet = Fleet(tmp_path, {"gateway1": hub}, variables)
    first = fleet.play(jhpatch_patch_sets=["ourcompany-patches==1.0"], jhpatch_only_patches=True)
    assert first.code == 0, first.text
    assert first.result("gateway1", "Apply the patches")["touched_patches"] == [OWN]
    assert not is_applied(hub)
    assert "changed=0" in fleet.play(jhpatch_only_patches=True).text
    both = fleet.play()
    assert both.result("gateway1", "Apply the patches")["touched_patches"] == [
        "jupyterhub/kerberos-login"
    ]


def test_a_patch_directory_of_the_host(tmp_path, make_site, runner):
    """The role passes it on, and checks with it."""
    env = make_site(tmp_path, [HUB], name="gateway1")
    fleet = Fleet(
        tmp_path,
        {"gateway1": env},
        {
            "jhpatch_install": False,
            "jhpatch_runner": runner.python,
            "jhpatch_patch_directories": [own_patches(tmp_path / "own")],
            "jhpatch_only_patches": True,
        },
    )
    assert fleet.play(playbook="check.yml").code == 2
    first = fleet.play()
    assert first.code == 0, first.text
    assert first.result("gateway1", "Apply the patches")["touched_patches"] == [OWN]
    assert fleet.play(playbook="check.yml").code == 0
    assert fleet.play(jhpatch_state="reverted").code == 0
    with open(os.path.join(env.site, "jupyterhub/utils.py")) as file:
        assert "# ours" not in file.read()


@pytest.fixture
def address():
    """An address that answers 200, and the list of what it was asked for."""
    asked: List[str] = []

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *words):
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield "http://127.0.0.1:%d/hub/health" % server.server_port, asked
    server.shutdown()
    server.server_close()


def test_check_mode_changes_nothing_and_foretells_what_the_run_does(fleet, jhpatch_at, address):
    """Of three hosts one is patched: check mode names the two others, as the run does.

    The hubs are restarted where something was changed, and each is asked for its health.
    """
    url, asked = address
    jhpatch_at(fleet.hosts["gateway2"], "apply")
    log = noting(fleet, "restart")
    before = moments(fleet)
    foreseen = fleet.play("--check", jhpatch_health_url=url)
    assert foreseen.code == 0, foreseen.text
    assert moments(fleet) == before
    assert foreseen.changed() == ["gateway1", "gateway3"]
    assert asked == [] and not os.path.exists(log)
    done = fleet.play(jhpatch_health_url=url)
    assert done.code == 0, done.text
    assert done.changed() == foreseen.changed()
    assert all(map(is_applied, fleet.hosts.values()))
    assert noted(fleet, log) == ["restart gateway1 patched", "restart gateway3 patched"]
    assert asked == ["/hub/health"] * 3


def test_diff_mode_shows_exactly_what_diff_prints(fleet, jhpatch_at):
    """In check mode and in the run itself, the text of ``jhpatch diff``, byte for byte."""
    expected = {name: jhpatch_at(env, "diff") for name, env in fleet.hosts.items()}
    for options in (("--check", "--diff"), ("--diff",)):
        play = fleet.play(*options)
        assert play.code == 0, play.text
        for name in NAMES:
            (shown,) = play.result(name, "Apply the patches")["diff"]
            assert shown["prepared"] == expected[name]
        assert "+from ._jhpatch_kerberos import" in play.text


def test_a_modified_file_fails_its_host_and_stops_the_rollout(fleet, jhpatch_at):
    """The second host is refused in jhpatch's own words, unchanged; the third is not come to."""
    edited(fleet.hosts["gateway2"])
    before = trees(fleet)
    refusal = json.loads(jhpatch_at(fleet.hosts["gateway2"], "apply", "--json", code=5))
    play = fleet.play()
    assert play.code != 0
    assert play.hosts() == ["gateway1", "gateway2"]
    said = play.result("gateway2", "Apply the patches")["msg"]
    error = refusal["sites"][0]["error"]
    assert "exit code 5" in said and error["message"] in said
    assert error["path"] in said and "next: " + error["next"] in said
    assert said in play.result("gateway2", "Report the failure")["msg"]
    assert is_applied(fleet.hosts["gateway1"])
    after = trees(fleet)
    assert (after["gateway2"], after["gateway3"]) == (before["gateway2"], before["gateway3"])


def test_a_host_that_is_not_well_gets_every_byte_back_and_stops_the_rollout(fleet):
    """The second host is restarted, found ill, reverted and restarted; the third not come to."""
    before = trees(fleet)
    log = noting(fleet, "restart")
    noting(fleet, "health", failing=["gateway2"])
    play = fleet.play()
    assert play.code != 0
    assert play.hosts() == ["gateway1", "gateway2"], play.text
    after = trees(fleet)
    assert (after["gateway2"], after["gateway3"]) == (before["gateway2"], before["gateway3"])
    assert is_applied(fleet.hosts["gateway1"])
    assert noted(fleet, log) == [
        "restart gateway1 patched",
        "health gateway1 patched",
        "restart gateway2 patched",
        "health gateway2 patched",
        "restart gateway2 as upstream",
    ]
    said = play.result("gateway2", "Report the failure")["msg"]
    assert "reverted: jupyterhub/kerberos-login" in said and "Run the health command" in said


def test_a_hub_that_does_not_start_gets_every_byte_back(fleet):
    """The restart itself fails on the first host: no other is come to."""
    before = trees(fleet)
    log = noting(fleet, "restart", failing=["gateway1"])
    play = fleet.play()
    assert play.code != 0
    assert play.hosts() == ["gateway1"], play.text
    assert trees(fleet) == before
    assert noted(fleet, log) == ["restart gateway1 patched", "restart gateway1 as upstream"]
    said = play.result("gateway1", "Report the failure")["msg"]
    assert "reverted: jupyterhub/kerberos-login" in said and "Restart the hub" in said


def test_what_was_applied_before_the_run_is_not_taken_back(fleet, jhpatch_at):
    """Of a host's two environments one had the patch: an ill hub keeps it, and loses the new."""
    old, new = fleet.hosts["gateway1"], fleet.hosts["gateway2"]
    jhpatch_at(old, "apply")
    before = trees(fleet)
    ill = {"jhpatch_health_url": "http://127.0.0.1:9/hub/health"}
    fleet.rows["gateway1"]["jhpatch_pythons"] = [old.python, new.python]
    play = fleet.play("--limit", "gateway1", **ill)
    assert play.code != 0
    assert "reverted: jupyterhub/ker" in play.result("gateway1", "Report the failure")["msg"]
    assert trees(fleet) == before
    fleet.rows["gateway1"]["jhpatch_pythons"] = [old.python]
    play = fleet.play("--limit", "gateway1", **ill)
    assert "nothing was changed" in play.result("gateway1", "Report the failure")["msg"]
    assert trees(fleet) == before


def test_a_users_server_that_runs_the_old_code_is_named(fleet):
    """After the restart of the hub what still runs is said: the user's server, and no hub."""
    env = fleet.hosts["gateway1"]
    script = os.path.join(env.prefix, "bin", "jupyterhub-singleuser")
    with open(script, "w") as file:
        file.write("import time\ntime.sleep(600)\n")
    with subprocess.Popen([env.python, script]) as server:
        try:
            play = fleet.play("--limit", "gateway1")
            assert play.code == 0, play.text
            said = play.result("gateway1", "List the processes that run the old code")["msg"]
            assert [process["pid"] for process in said] == [server.pid]
        finally:
            server.kill()


def test_a_hub_that_an_interrupted_run_has_not_restarted(fleet, jhpatch_at):
    """The next run restarts it, although it changes no file; a restart that was none fails."""
    env = fleet.hosts["gateway1"]
    script = os.path.join(env.prefix, "bin", "jupyterhub")
    with open(script, "w") as file:
        file.write("print('up', flush=True)\nimport time\ntime.sleep(600)\n")
    pipe = {"stdout": subprocess.PIPE}
    with subprocess.Popen([env.python, script], **pipe) as hub:  # type: ignore[call-overload]
        try:
            assert hub.stdout.readline() == b"up\n"
            jhpatch_at(env, "apply")
            play = fleet.play("--limit", "gateway1", jhpatch_restart_command=["true"])
            said = play.result("gateway1", "Report the failure")["msg"]
            assert "nothing was changed" in said and "still runs the code" in said
            play = fleet.play(
                "--limit", "gateway1", jhpatch_restart_command=["kill", str(hub.pid)]
            )
            assert play.code == 0, play.text
            assert hub.wait() != 0 and is_applied(env)
            play = fleet.play("--limit", "gateway1", jhpatch_restart_command=["false"])
            assert play.code == 0, play.text
        finally:
            hub.kill()


def test_a_run_that_is_killed_has_an_unknown_outcome(fleet):
    """It can have changed some environments: the report does not claim that it has not."""
    killed = os.path.join(fleet.folder, "killed")
    with open(killed, "w") as file:
        file.write("#!/bin/sh\nkill -9 $$\n")
    os.chmod(killed, 0o755)
    play = fleet.play("--limit", "gateway1", jhpatch_runner=killed)
    said = play.result("gateway1", "Report the failure")["msg"]
    assert play.code != 0 and "NOT KNOWN" in said and "nothing was changed" not in said


def test_without_a_wheelhouse_pips_source_is_named(fleet):
    """The name is not on PyPI: whoever registers it there must not become root."""
    play = fleet.play("--limit", "gateway1", jhpatch_install=True)
    assert play.code != 0 and "not on PyPI" in play.text


def test_revert_gives_every_byte_back_and_restarts_the_hub(fleet, jhpatch_at):
    """The original bytes of three hosts; check mode foretells it, a second run does nothing."""
    before = trees(fleet)
    for env in fleet.hosts.values():
        jhpatch_at(env, "apply")
    log = noting(fleet, "restart")
    state = {"jhpatch_state": "reverted"}
    patched = moments(fleet)
    foreseen = fleet.play("--check", "--diff", **state)
    assert foreseen.code == 0, foreseen.text
    assert moments(fleet) == patched
    assert foreseen.changed() == list(NAMES)
    (shown,) = foreseen.result("gateway1", "Revert the patches")["diff"]
    assert "would replace %s in %s\n" % (AUTH, fleet.hosts["gateway1"].site) in shown["prepared"]
    assert not os.path.exists(log)
    done = fleet.play(**state)
    assert done.code == 0, done.text
    assert done.changed() == list(NAMES)
    assert trees(fleet) == before
    assert noted(fleet, log) == ["restart %s as upstream" % name for name in NAMES]
    again = fleet.play(**state)
    assert (again.code, again.changed()) == (0, [])


def test_check_looks_at_every_host_and_names_what_is_wrong(fleet, jhpatch_at):
    """check.yml goes on after a host that is not as it should be, and changes none."""
    jhpatch_at(fleet.hosts["gateway2"], "apply")
    before = moments(fleet)
    play = fleet.play(playbook="check.yml")
    assert play.code != 0
    found = {name: play.result(name, "Check the patches") for name in NAMES}
    assert [found[name]["outcome"] for name in NAMES] == ["failed", "ok", "failed"]
    assert "jupyterhub/kerberos-login is pristine" in found["gateway1"]["msg"]
    assert fleet.hosts["gateway1"].python in found["gateway1"]["msg"].split("next: ")[1]
    assert moments(fleet) == before


# The module alone.


def test_patches_that_are_named_are_checked_alone(fleet, make_site, tmp_path, runner, jhpatch_at):
    """notebook's opening is applied and its saving is not: the one is as wanted, both are not."""
    env = make_site(tmp_path, [("notebook", "6.5.7")], name="notebook", slim=True)
    jhpatch_at(env, "apply", "notebook/kerberos-open")
    where = {"python": [env.python], "runner": runner.python, "state": "checked"}
    named = fleet.task("gateway1", patches=["notebook/kerberos-open"], **where)
    assert (named["outcome"], named["changed"]) == ("ok", False)
    other = fleet.task("gateway1", patches=["notebook/kerberos-save"], **where)
    assert (other["outcome"], other["changed"]) == ("failed", False)
    assert "notebook/kerberos-save is pristine" in other["msg"]
    assert "kerberos-open is" not in other["msg"]


def test_exit_codes_1_2_and_4_fail_in_the_words_of_jhpatch(fleet, runner):
    """An unreadable state, a name that no patch has, a lock that another run holds."""
    env = fleet.hosts["gateway1"]
    where = {"python": [env.python], "runner": runner.python, "lock_timeout": 0.1}
    usage = fleet.task("gateway1", patches=["jupyterhub/no-such"], **where)
    assert usage["outcome"] == "failed" and "exit code 2" in usage["msg"]
    assert "unknown patch name: jupyterhub/no-such" in usage["msg"]
    assert "next: " in usage["msg"]
    with transaction.locked(env.site, 1):
        busy = fleet.task("gateway1", **where)
    assert busy["outcome"] == "failed" and "exit code 4" in busy["msg"]
    os.makedirs(os.path.join(env.site, ".jhpatch"), exist_ok=True)
    with open(os.path.join(env.site, ".jhpatch", "state.json"), "w") as file:
        file.write("{")
    damaged = fleet.task("gateway1", **where)
    assert damaged["outcome"] == "failed" and "exit code 1" in damaged["msg"]
    assert "state.json" in damaged["msg"] and "next: " in damaged["msg"]
    assert not any(one["changed"] for one in (usage, busy, damaged))
    assert not is_applied(env)


def test_one_refusal_among_the_environments_of_a_host_changes_none_of_them(fleet, runner):
    """Two environments, one of them edited: both keep every byte."""
    first, second = fleet.hosts["gateway1"], fleet.hosts["gateway2"]
    edited(second)
    before = trees(fleet)
    found = fleet.task("gateway1", python=[first.python, second.python], runner=runner.python)
    assert (found["outcome"], found["changed"]) == ("failed", False)
    assert trees(fleet) == before


def test_where_no_environment_is_named_none_is_touched(fleet, runner):
    """An empty list is not the environment that runs jhpatch."""
    before = tree(runner.site)
    for state in ("applied", "reverted", "checked"):
        found = fleet.task("gateway1", python=[], runner=runner.python, state=state)
        assert found["outcome"] == "failed" and "no environment is named" in found["msg"]
    found = fleet.task("gateway1", site=[fleet.hosts["gateway1"].site])
    assert found["outcome"] == "failed" and "site needs runner" in found["msg"]
    assert tree(runner.site) == before


def test_without_jhpatch_the_module_says_what_to_install(fleet):
    """A runner that has no jhpatch is no traceback."""
    python = fleet.hosts["gateway1"].python
    found = fleet.task("gateway1", python=[python])
    assert found["outcome"] == "failed"
    assert "jhpatch is not installed for " + python in found["msg"]
    assert "jhpatch_install" in found["msg"] and "pip install" not in found["msg"]


def test_the_module_runs_on_the_oldest_python(fleet, runner):
    """A host whose own Python is 3.6: the module applies there, where this Ansible reaches it."""
    import ansible.release

    old = interpreter("3.6")
    if old is None:
        pytest.skip("no Python 3.6")
    if tuple(map(int, ansible.release.__version__.split(".")[:2])) > (2, 16):
        pytest.skip("Ansible after 2.16 reaches no host with Python 3.6")
    options = ("-e", "ansible_python_interpreter=" + old)
    env = fleet.hosts["gateway1"]
    found = fleet.task("gateway1", *options, python=[env.python], runner=runner.python)
    assert (found["outcome"], found["changed"]) == ("ok", True), found
    assert is_applied(env)


def test_the_role_is_in_the_form_that_ansible_lint_wants(tmp_path):
    """ansible-lint's strictest profile, ``production``, has nothing to say."""
    lint = shutil.which("ansible-lint", path=os.path.dirname(sys.executable))
    if lint is None:
        pytest.skip("no ansible-lint beside this Ansible")
    folder = str(tmp_path / "ansible")
    shutil.copytree(ANSIBLE, folder)
    environ = {
        "HOME": str(tmp_path),
        "PATH": os.path.dirname(lint) + ":" + os.environ["PATH"],
        "NO_COLOR": "1",
    }
    words = [lint, "--offline", "--profile", "production", "--project-dir", folder, folder]
    assert "Passed: 0 failure(s), 0 warning(s)" in ran(*words, env=environ)
