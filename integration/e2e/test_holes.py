"""The holes of the recipe that this project replaces, tried by a local user on a real hub.

mallory has an account, a keytab, a home and the machine's /tmp; she prepares something and
logs in. The hub, which is root, is traced: it must not touch what she can choose.
"""

import concurrent.futures
import glob
import hashlib
import json
import os
import re
import signal
import stat
import subprocess
import time
from typing import Any, Dict, Iterator, List, NamedTuple, Tuple

import pytest

from integration.e2e import trace, world
from integration.e2e.client import Browser, Refused
from integration.e2e.hub import CLASSIC, SERVICE, Hub, running
from integration.e2e.notebooks import notebook_of
from integration.e2e.patched_stack import cache_of, is_valid, requests_for
from integration.e2e.stacks import ENDS, Stack
from integration.e2e.trace import Trace
from integration.e2e.world import PASSWORDS

# Other stacks have no tests here, rather than skipped ones (integration/e2e/test_front_ends.py).
__test__ = os.environ.get("JHPATCH_E2E_INNER", ENDS[0]) in ENDS

PASSWORD = "a bad intention"
TIMEOUT = 8.0  # seconds, of kinit; a traced one takes its time on a busy host
HOME = "/home/mallory"
VICTIM = "/home/alice/alice.keytab"
ROOTS = "/tmp/roots"  # a file of root's in the caches' file system, for a hard link
EXTRA = (
    CLASSIC + SERVICE + "c.KerberosTicket.timeout = %r\nc.KerberosTicket.retry = 1.0\n" % TIMEOUT
)


class Attack(NamedTuple):
    """What mallory prepares (a shell script; $C is her cache), and what must come of it.

    ``by_root`` runs after it, for what an older kernel, a leak or another user makes
    possible. ``ends`` is ``own``: a ticket of hers in a new cache of hers; or ``kept``:
    what lies at the path is as it was. ``said`` is in the hub's log.
    """

    name: str
    script: str
    ends: str
    said: str = ""
    by_root: str = ""


# Equal lines are said once: between two of them is one that ends well.
ATTACKS = (
    Attack("symlink to a root file", "ln -s /etc/shadow $C", "own"),
    Attack(
        "symlink to a root file, and a ruined keytab",
        "ln -s /etc/shadow $C; echo rubbish >~/mallory.keytab",
        "kept",
        "No Kerberos ticket for mallory",
    ),
    Attack("symlink to a new file of root's", "ln -s /root/new $C", "own"),
    Attack("hard link of a root file", "true", "kept", "belongs to root", "ln %s $C" % ROOTS),
    Attack("FIFO", "mkfifo $C", "kept", "is not a regular file"),
    Attack("1 GB", "truncate -s 1G $C", "own"),
    Attack("folder", "mkdir $C; touch $C/inside", "kept", "is not a regular file"),
    Attack("immutable file", "touch $C", "kept", "No Kerberos ticket for mallory", "chattr +i $C"),
    Attack("another user's file", "true", "kept", "belongs to bob", "touch $C; chown bob: $C"),
    Attack(
        "expired",
        "kinit -l 1s -kt ~/mallory.keytab -c FILE:$C mallory/service; sleep 1.5; ! klist -s -c $C",
        "own",
    ),
    Attack(
        "a ticket of another principal of hers",
        "kinit -kt ~/other.keytab -c FILE:$C mallory/other && klist -s -c $C",
        "kept",
        "valid ticket of mallory/other@EXAMPLE.TEST, which the ticket service does not replace",
    ),
    Attack("another uid's cache", "true", "kept", "belongs to alice", "cp -p $VICTIM_CACHE $C"),
    Attack(
        "keytab: symlink to another user's",
        "ln -sf %s ~/mallory.keytab" % VICTIM,
        "kept",
        "Permission denied",
    ),
    Attack("a .k5identity", "echo alice/service@EXAMPLE.TEST >~/.k5identity", "own"),
    Attack(
        "keytab: symlink to a root file",
        "ln -sf /etc/shadow ~/mallory.keytab",
        "kept",
        "Permission denied",
    ),
    Attack("rubbish of hers", "echo rubbish >$C", "own"),
    Attack(
        "keytab: hard link of root's",
        "true",
        "kept",
        "Permission denied",
        "cp %s /home/central; chmod 600 /home/central; ln -f /home/central ~mallory/mallory.keytab"
        % VICTIM,
    ),
    Attack(
        "KRB5_CONFIG and LD_PRELOAD in files that shells and PAM read",
        """echo '[libdefaults]' >~/evil.conf; cp /bin/true ~/evil.so
        for file in .bashrc .profile .bash_profile .pam_environment; do
          printf '%s\\n' KRB5_CONFIG=$HOME/evil.conf LD_PRELOAD=$HOME/evil.so >~/$file
          printf 'export %s\\n' KRB5_CONFIG LD_PRELOAD >>~/$file
        done""",
        "own",
    ),
    Attack(
        "keytab: FIFO",
        "rm ~/mallory.keytab; mkfifo ~/mallory.keytab",
        "kept",
        "no answer within ",
    ),
)


class Prey(NamedTuple):
    """The hub that is attacked, and the trace of it."""

    hub: Hub
    trace: Trace
    uid: int
    kdc: Any


def shell(name: str, script: str) -> None:
    """Runs a script as a user. It must succeed in its last command."""
    argv = ["sh", "-c", script] if name == "root" else world.as_user(name, "sh", "-c", script)
    more = dict(HOME="/home/" + name, C=cache_of("mallory"), VICTIM_CACHE=cache_of("alice"))
    subprocess.run(argv, cwd="/", env=dict(os.environ, **more), check=True)


@pytest.fixture(scope="module")
def prey(patched: Stack, scratch: str, kdc: Any, keytabs: Dict[str, str]) -> Iterator[Prey]:
    """A hub with mallory and her keytabs, alice logged in, and files of root's."""
    if trace.missing() and os.environ.get("CI", "") in ("", "0", "false"):
        pytest.skip("no " + trace.missing())
    uid = world.add_user("mallory", PASSWORD)
    for name in ("service", "other"):
        kdc.add_principal("mallory/" + name, keytab="%s/%s.keytab" % (HOME, name))
    os.rename(HOME + "/service.keytab", HOME + "/mallory.keytab")
    shell("root", "chown -R mallory: %s; mkdir /root/.ssh; touch %s" % (HOME, ROOTS))
    # A refusal takes 3 s by one, 2 s by the other.
    shell("root", "cp -a /etc/pam.d /root/pam.d")
    shell("root", "sed -i /pam_faildelay/d /etc/pam.d/login")
    shell("root", "sed -i 's/pam_unix.so/& nodelay/' /etc/pam.d/common-auth")
    shell("root", "echo secret >/root/secret; chmod 600 /root/secret; cp -a %s /root/home" % HOME)
    with running(patched, scratch + "/holes", EXTRA) as hub:
        Browser(hub, "alice").login(PASSWORDS["alice"])
        following = Trace(hub.pid, scratch + "/trace")
        try:
            yield Prey(hub, following, uid, kdc)
        finally:
            following.stop()
            clean()
            shell("root", "cp -a /root/pam.d/. /etc/pam.d")


def clean() -> None:
    """mallory's home and cache as they were at first."""
    path = cache_of("mallory")
    subprocess.run(["chattr", "-i", path], stderr=subprocess.DEVNULL)
    script = "rm -rf $C /tmp/.jhpatch-cc-* /home/central %s; cp -a /root/home %s"
    shell("root", script % (HOME, HOME))


def identity(path: str) -> Tuple[Any, ...]:
    """Kind, owner, mode, size, inode and content of what lies at a path, not followed."""
    found = os.lstat(path)
    content = ""
    if stat.S_ISREG(found.st_mode) and found.st_size < 1 << 20:
        with open(path, "rb") as file:
            content = hashlib.sha256(file.read()).hexdigest()
    if stat.S_ISLNK(found.st_mode):
        content = os.readlink(path)
    return found.st_mode, found.st_uid, found.st_gid, found.st_size, found.st_ino, content


def of_others() -> Dict[str, Tuple[Any, ...]]:
    """What is root's or alice's, and no business of mallory's."""
    paths = ["/etc", "/root", ROOTS, VICTIM, cache_of("alice"), "/home", "/tmp"]
    paths += glob.glob("/etc/*") + glob.glob("/etc/pam.d/*") + glob.glob("/root/*")
    found = {path: identity(path) for path in paths if os.path.lexists(path)}
    for folder in ("/etc", "/root", "/home"):
        found["in " + folder] = tuple(sorted(os.listdir(folder)))
    # A folder's size follows its entries, of which mallory makes some.
    found["/tmp"] = found["/tmp"][:3]
    return found


def by_root_on_users_paths(touches: List[trace.Touch]) -> List[trace.Touch]:
    """What root touched of what a user can choose."""
    users = tuple(cache_of(name) for name in ("mallory", "alice")) + (HOME, "/home/alice")
    return [
        one
        for one in touches
        if one.uid == 0
        and (trace.below(one.path, users) or one.path.startswith("/tmp/.jhpatch-cc-"))
    ]


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_what_a_user_prepares_harms_nobody_else_and_the_login_goes_on(
    prey: Prey, attack: Attack
) -> None:
    """No file of root's or alice's changes, root touches no path of a user's, all get in."""
    clean()
    shell("mallory", attack.script)
    if "chattr" in attack.by_root and not can_be_immutable():
        pytest.skip("the file system of /tmp has no immutable files")
    shell("root", attack.by_root or "true")
    path = cache_of("mallory")
    before, planted = of_others(), os.path.lexists(path) and identity(path)
    mark, said = prey.trace.mark(), len(prey.hub.log())

    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        other = pool.submit(Browser(prey.hub, "alice").login, PASSWORDS["alice"])
        Browser(prey.hub, "mallory").login(PASSWORD)
        assert other.done() or attack.name != "keytab: FIFO", "alice waits for mallory's kinit"
        other.result()

    added = prey.hub.log()[said:]
    assert of_others() == before
    touches = prey.trace.touches(mark)
    assert by_root_on_users_paths(touches) == []
    assert any(one.uid == prey.uid for one in touches), "the trace sees nothing\n" + added
    assert not [one for one in touches if "evil" in one.path]
    if attack.ends == "own":
        assert stat.S_IMODE(os.lstat(path).st_mode) == 0o600 and os.path.isfile(path), added
        assert os.lstat(path).st_uid == prey.uid and is_valid("mallory")
        assert principal_in(path) == "mallory/service@EXAMPLE.TEST"
    else:
        assert (os.path.lexists(path) and identity(path)) == planted
    assert attack.said in added
    assert principal_in(cache_of("alice")) == "alice/service@EXAMPLE.TEST"
    # On a busy host a child is killed before it has removed its directory; the next one does.
    for left in glob.glob("/tmp/.jhpatch-cc-*"):
        found = os.lstat(left)
        assert (found.st_uid, found.st_mode) == (prey.uid, stat.S_IFDIR | 0o700), left


def test_a_path_that_changes_all_the_time_leads_root_nowhere(prey: Prey) -> None:
    """Cache and keytab are swapped with symlinks to files of root's while six logins look."""
    clean()
    before, mark = of_others(), prey.trace.mark()
    script = """cp ~/mallory.keytab ~/good; while :; do
      ln -sfT /etc/shadow $C; ln -sfT /root/secret ~/mallory.keytab; rm -f $C; touch $C
      ln -sfT ~/good ~/mallory.keytab; rm -f $C; kinit -kt ~/good -c FILE:$C mallory/service
    done"""
    more = dict(HOME=HOME, C=cache_of("mallory"))
    swapping = subprocess.Popen(
        world.as_user("mallory", "sh", "-c", script),
        env=dict(os.environ, **more),
        start_new_session=True,
        stderr=subprocess.DEVNULL,
    )
    try:
        for _ in range(6):
            Browser(prey.hub, "mallory").login(PASSWORD)
    finally:
        os.killpg(swapping.pid, signal.SIGKILL)
        swapping.wait()
    assert of_others() == before
    assert by_root_on_users_paths(prey.trace.touches(mark)) == []


def can_be_immutable() -> bool:
    """Whether chattr(1) can make a file in /tmp that even its owner cannot replace."""
    done = subprocess.run(["chattr", "+i", ROOTS], stderr=subprocess.DEVNULL)
    subprocess.run(["chattr", "-i", ROOTS], stderr=subprocess.DEVNULL)
    return done.returncode == 0


def principal_in(path: str) -> str:
    """Whose ticket a cache has, as klist says it to root."""
    done = subprocess.run(["klist", "-c", "FILE:" + path], stdout=subprocess.PIPE)
    found = re.search(r"^Default principal: (.*)$", done.stdout.decode(), re.M)
    return found.group(1) if found else ""


def test_a_cache_planted_where_a_victims_will_be_is_never_used(prey: Prey) -> None:
    """mallory's own valid ticket at alice's path: it stays hers, and alice gets in without."""
    clean()
    path = cache_of("alice")
    shell("root", "mv $VICTIM_CACHE /root/put-aside")
    try:
        kinit = "kinit -kt ~/mallory.keytab -c FILE:%s mallory/service; chmod 644 %s"
        shell("mallory", kinit % (path, path))
        planted = identity(path)
        Browser(prey.hub, "alice").login(PASSWORDS["alice"])
        assert identity(path) == planted
        assert "%s belongs to mallory" % path in prey.hub.log()
    finally:
        shell("root", "mv /root/put-aside $VICTIM_CACHE")


def test_a_spawn_touches_no_more_of_the_users_than_a_login(prey: Prey) -> None:
    """A symlink at the cache's path when the server starts: replaced by its user, not by root."""
    clean()
    browser = Browser(prey.hub, "mallory")
    browser.login(PASSWORD)
    shell("mallory", "rm $C; ln -s /etc/shadow $C")
    before, mark = of_others(), prey.trace.mark()
    browser.spawn()
    assert of_others() == before
    assert by_root_on_users_paths(prey.trace.touches(mark)) == []
    assert principal_in(cache_of("mallory")) == "mallory/service@EXAMPLE.TEST"
    assert not os.path.islink(cache_of("mallory"))


# As a user can change what the server was told: in the server, before the first request.
_TAMPER = """
import json, os
told = json.loads(os.environ["JHPATCH_KERBEROS"])
told.update(
    principal="alice/service@EXAMPLE.TEST",
    keytab=%r,
    ccache="FILE:%s/stolen",
    kinit=%r,
)
os.environ["JHPATCH_KERBEROS"] = json.dumps(told)
"""
# Both kinit and klist; says who has run it.
_TOOL = "#!/bin/sh\nid -u >>%s/who\nexit 1\n" % HOME


def test_what_a_user_tells_the_own_server_stays_the_users_own_affair(
    prey: Prey, patched: Stack
) -> None:
    """JHPATCH_KERBEROS with alice's names and an own kinit: run by mallory alone, gets nothing."""
    if prey.hub.servers("mallory"):
        assert prey.hub.api("DELETE", "users/mallory/server").status_code == 204
    clean()
    browser = Browser(prey.hub, "mallory")
    browser.login(PASSWORD)
    tampered = _TAMPER % (VICTIM, HOME, HOME + "/bin/kinit")
    os.makedirs(HOME + "/.jupyter")
    os.makedirs(HOME + "/bin")
    for name in ("server", "notebook"):
        with open(HOME + "/.jupyter/jupyter_%s_config.py" % name, "w") as file:
            file.write(tampered)
    for name in ("kinit", "klist"):
        with open(HOME + "/bin/" + name, "w") as file:
            file.write(_TOOL)
        os.chmod(HOME + "/bin/" + name, 0o755)
    shell("root", "chown -R mallory: " + HOME)
    before, mark = of_others(), prey.trace.mark()
    browser.spawn()
    told = environment_of(prey.hub.servers("mallory")[0])["JHPATCH_KERBEROS"]
    assert json.loads(told)["principal"] == "mallory/service@EXAMPLE.TEST"
    browser.open(notebook_of("mallory"))
    deadline = time.monotonic() + 180
    while not os.path.exists(HOME + "/who"):
        assert time.monotonic() < deadline, prey.hub.tail()
        time.sleep(0.2)
    time.sleep(3)  # the hub's renewer, and more tries of the server's
    with open(HOME + "/who") as file:
        assert {int(line) for line in file} == {prey.uid}
    assert of_others() == before
    assert by_root_on_users_paths(prey.trace.touches(mark)) == []
    assert principal_in(cache_of("mallory")) == "mallory/service@EXAMPLE.TEST"
    for path in glob.glob(HOME + "/.local/share/jupyter/runtime/jhpatch-kerberos-*.json"):
        with open(path) as file:
            assert json.load(file)["end"] is None


def environment_of(pid: int) -> Dict[str, str]:
    """What a process was started with."""
    with open("/proc/%d/environ" % pid) as file:
        return dict(one.split("=", 1) for one in file.read().split("\0") if "=" in one)


# Names of accounts that a directory service may have; mallory's uid and up, her password.
ODD = ("-rf", "..", ".ssh", "a/b", "a b", "m@example.test", "*")


def test_odd_user_names_end_no_hub_and_reach_no_path_and_no_option(prey: Prey) -> None:
    """Accounts whose names are options, paths, patterns: refused or let in, never a 500."""
    clean()
    before, caches = of_others(), set(glob.glob("/tmp/krb5cc*"))
    copies = {path: open(path).read() for path in ("/etc/passwd", "/etc/shadow")}
    (secret,) = re.findall(r"^mallory:([^:]+):", copies["/etc/shadow"], re.M)
    try:
        with open("/etc/passwd", "a") as users, open("/etc/shadow", "a") as secrets:
            for number, name in enumerate(ODD):
                users.write("%s:x:%d:%d::/nonexistent:/bin/sh\n" % (name, 4000 + number, 4000))
                secrets.write("%s:%s:20000:0:99999:7:::\n" % (name, secret))
        answers = {name: answer_to(prey.hub, name) for name in ODD}
        mark = prey.trace.mark()
        for name in ("../alice", "alice/../bob", "-c", "mallory@EXAMPLE.TEST", "al ice", "\\"):
            answers[name] = answer_to(prey.hub, name)
            assert answers[name] != 302, name
        assert all(answer < 500 for answer in answers.values()), answers
        # Whom PAM and the hub let in, the helper meets.
        entered = {name for name in ODD if answers[name] == 302}
        assert entered >= {"a b", "m@example.test", "*", ".ssh"}, answers
        for name in entered:
            assert "No Kerberos ticket for %s " % name in prey.hub.log()
        assert "the user name '.ssh' is not safe in a path" in prey.hub.log()
        assert by_root_on_users_paths(prey.trace.touches(mark)) == []
    finally:
        for path in copies:
            with open(path, "w") as file:
                file.write(copies[path])
    assert of_others() == before and set(glob.glob("/tmp/krb5cc*")) == caches
    Browser(prey.hub, "alice").login(PASSWORDS["alice"])


def answer_to(hub: Hub, name: str) -> int:
    """The status with which a login of mallory's password is answered."""
    try:
        Browser(hub, name).login(PASSWORD)
    except Refused as refused:
        return refused.status
    return 302


def test_root_itself_gets_no_ticket(prey: Prey, kdc: Any) -> None:
    """Whoever logs in as root gets in, if PAM says so, and the KDC is not asked."""
    asked = requests_for(kdc, "root/service")
    subprocess.run(["chpasswd"], input=b"root:" + PASSWORD.encode(), check=True)
    Browser(prey.hub, "root").login(PASSWORD)
    assert "uid 0 is below min_uid" in prey.hub.log()
    assert not os.path.lexists("/tmp/krb5cc_0") and requests_for(kdc, "root/service") == asked
