"""A ticket is requested as the service does it: real kinit, a real KDC, every type of cache."""

import os
import secrets
import shutil
import tempfile
import threading
import time

import pytest

from jhpatch.deployed.kerberos import process
from jhpatch.deployed.kerberos.ccache import Ticket, cache_of
from jhpatch.deployed.kerberos.settings import Settings, TicketSpec
from jhpatch.kerberos import ticket_request
from jhpatch.kerberos.ticket_request import describe_life, request_ticket
from testing.kdc import SilentKdc
from testing.tickets import is_after
from testing.users import ROOT_ONLY
from tests.deployed.tickets import NOBODY, PRINCIPAL, klist, with_defaults

pytestmark = ROOT_ONLY


@pytest.fixture
def request_of(kdc, keytab, caches):
    """``request_of(ccache)`` gives the answer for nobody, with alice's keytab."""

    def call(ccache="/x/cc", settings=None, environ=None, **changes):
        spec = TicketSpec("alice/service", keytab, ccache)._replace(**changes)
        cache = cache_of(ccache, NOBODY.uid)
        arguments = settings or Settings(), NOBODY, spec, cache, environ or kdc.env()
        return request_ticket(*arguments, top=str(caches))

    return call


@pytest.fixture
def central(keytab):
    """A copy of the keytab that only root can read, in a directory that only root can write."""
    directory = tempfile.mkdtemp(prefix="jhpatch-test-", dir="/run")
    path = os.path.join(directory, "alice.keytab")
    shutil.copy(keytab, path)
    os.chmod(path, 0o600)
    yield path
    shutil.rmtree(directory)


@pytest.mark.parametrize("ccache", ["/x/cc", "FILE:/x/cc", "DIR:/x", "DIR::/x/tkt"])
def test_a_ticket_in_a_temporary_file(request_of, caches, ccache):
    """The configured cache is not touched, and nothing is left."""
    answer = request_of(ccache)
    assert (answer.ticket.principal, answer.log_line, answer.code) == (PRINCIPAL, "", "")
    assert os.listdir(str(caches)) == [] and not os.path.exists("/x")


def test_the_options_of_the_service(request_of):
    """kinit's -l and -r are those of the settings."""
    began = time.time()
    ticket = request_of(settings=Settings(lifetime="1h", renewable="2d")).ticket
    assert is_after(ticket.end, 3600, began)
    assert is_after(ticket.renew_till, 2 * 86400, began)


def test_the_client_keytab(request_of, kdc, keytab, tmp_path):
    """Without a keytab, kinit takes krb5.conf's, as the user."""
    line = " default_client_keytab_name = FILE:%s" % keytab
    environ = with_defaults(kdc, tmp_path / "krb5.conf", line)
    assert request_of(environ=environ, keytab="").ticket.principal == PRINCIPAL
    environ = with_defaults(kdc, tmp_path / "krb5.conf", line + ".gone")
    assert request_of(environ=environ, keytab="").code == "keytab-missing"


@pytest.mark.parametrize("prefix", ["", "FILE:"])
def test_a_central_keytab(request_of, central, caches, prefix):
    """Root obtains the ticket; without the service's decision to, the user's kinit fails."""
    answer = request_of(keytab=prefix + central, central=True)
    assert answer.ticket.principal == PRINCIPAL and os.listdir(str(caches)) == []
    assert request_of(keytab=prefix + central).code == "keytab-unreadable"


def test_a_central_keytab_needs_a_file(request_of, central):
    """The service refuses other caches; so does the request, whose next step names one."""
    answer = request_of("KCM:", keytab=central, central=True)
    assert (
        answer.code == "ccache-fails" and "needs a FILE or DIR cache, not KCM" in answer.log_line
    )


@pytest.mark.parametrize("version", [1, 2, 3, 4])
def test_an_old_format_of_files(request_of, kdc, tmp_path, version):
    """With ccache_type the service reads what kinit writes."""
    environ = with_defaults(kdc, tmp_path / "krb5.conf", " ccache_type = %d" % version)
    assert request_of(environ=environ).ticket.principal == PRINCIPAL


def test_what_the_service_logs(request_of, keytab, caches):
    """Its own line, with kinit's message; the code is that of the message."""
    answer = request_of(principal="carol")
    assert answer.ticket is None and answer.code == "kinit-no-key"
    start = "No Kerberos ticket for nobody (uid 65534) from keytab %s at login: " % keytab
    assert answer.log_line.startswith(start) and "carol@EXAMPLE.TEST" in answer.log_line
    assert os.listdir(str(caches)) == []


def test_a_silent_kdc(request_of, tmp_path, caches):
    """The limit of the settings holds, and nothing is left."""
    with SilentKdc(str(tmp_path)) as silent:
        environ = {"KRB5_CONFIG": silent.krb5_conf}
        answer = request_of(settings=Settings(timeout=0.7), environ=environ)
    assert answer.code == "kinit-timeout" and os.listdir(str(caches)) == []


def test_requests_that_are_ended(request_of, tmp_path, caches):
    """kinit waits for the KDC no longer, and the directories are removed."""
    answers = []
    with SilentKdc(str(tmp_path)) as silent:
        environ, settings = {"KRB5_CONFIG": silent.krb5_conf}, Settings(timeout=300)
        thread = threading.Thread(
            target=lambda: answers.append(request_of(settings=settings, environ=environ))
        )
        thread.start()
        while not any(".jhpatch-cc-" in path for path, _, _ in os.walk(str(caches))):
            time.sleep(0.01)  # until kinit is about to start
        ticket_request.end_requests()
        assert os.listdir(str(caches)) == [] and not process._running
        thread.join()
    assert [answer.ticket for answer in answers] == [None]


def test_a_kcm_without_a_daemon(request_of):
    """What the service logs at each login is an error about the cache."""
    if os.path.exists("/run/.heim_org.h5l.kcm-socket"):
        pytest.skip("this host has a KCM daemon")
    answer = request_of("KCM:")
    assert answer.code == "ccache-fails" and "KCM" in answer.log_line


def test_a_kcm_cache(request_of, kdc, kcm, monkeypatch):
    """The daemon stores the ticket, and it is destroyed."""
    monkeypatch.setattr(secrets, "token_hex", lambda size: "test%d" % os.getpid())
    assert request_of("KCM:").ticket.principal == PRINCIPAL
    assert PRINCIPAL not in klist(kdc, "KCM:65534:jhpatch-doctor-test%d" % os.getpid())


def test_a_keyring_whose_name_is_wrong(request_of):
    """``KEYRING:persistent:%{uid}`` is a template of krb5.conf and not of the settings."""
    answer = request_of("KEYRING:persistent:%3001")
    assert answer.code == "ccache-fails" and "keyring" in answer.log_line


def test_a_keyring(request_of, kdc, monkeypatch):
    """A new name in the user's collection, which is destroyed."""
    monkeypatch.setattr(secrets, "token_hex", lambda size: "test%d" % os.getpid())
    answer = request_of("KEYRING:persistent:65534")
    if answer.ticket is None:
        pytest.skip("no persistent keyrings here: " + answer.log_line)
    name = "KEYRING:persistent:65534:jhpatch-doctor-test%d" % os.getpid()
    assert "not found" in klist(kdc, name)


@pytest.mark.parametrize("is_central", [False, True])
def test_the_trace_of_kinit(central, caches, keytab, kdc, tmp_path, monkeypatch, is_central):
    """KRB5_TRACE goes to a file of the one who runs kinit, which is read and removed."""
    own = tmp_path / "tmp"
    own.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(own))
    path = central if is_central else keytab
    spec = TicketSpec("alice/service", path, "/x/cc", is_central)
    arguments = Settings(), NOBODY, spec, cache_of("/x/cc", 1), kdc.env()
    answer = request_ticket(*arguments, is_traced=True, top=str(caches))
    assert "Getting initial credentials for %s" % PRINCIPAL in answer.trace
    assert request_ticket(*arguments, top=str(caches)).trace == ""
    assert os.listdir(str(caches)) == os.listdir(str(own)) == []


def test_a_directory_that_the_user_cannot_make(request_of, caches):
    """That is a finding, and no exception."""
    os.chmod(str(caches), 0o755)
    answer = request_of()
    assert answer.code == "ticket-fails"
    assert "cannot create a temporary directory" in answer.log_line


@pytest.mark.parametrize(
    "renew, words", [(0, "not renewable"), (1e9, "not renewable"), (3e11, "renewable until ")]
)
def test_the_life_of_a_ticket(renew, words):
    """Whether it has expired, and whether kinit -R renews it."""
    assert words in describe_life(Ticket("a", 1e9, 2e11, renew))
    assert describe_life(Ticket("a", 1e9, 2e11, renew)).startswith("expires at ")
    assert describe_life(Ticket("a", 1, 2, 0)).startswith("expired at ")


def test_a_name_that_only_the_users_child_can_choose(request_of, caches, monkeypatch):
    """What mktemp prints is used only if it is a new name in the directory that was asked for."""
    run = ticket_request.run_program

    place = caches / "jhpatch-doctor-x"
    place.mkdir()
    place.chmod(0o1777)

    def lie(argv, *rest):
        done = run(argv, *rest)
        return done._replace(stdout="%s\n" % place) if argv[0] == "mktemp" else done

    monkeypatch.setattr(ticket_request, "run_program", lie)
    assert request_of().code == "ticket-fails" and os.listdir(str(place)) == []
