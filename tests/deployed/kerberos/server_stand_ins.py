"""A user's server, for the tests of its renewer: handlers, and the process of a user."""

import json
import os
import sys
import types

from traitlets.config import Config

from jhpatch.deployed.kerberos import server_face
from jhpatch.deployed.kerberos.account import Account
from jhpatch.deployed.kerberos.ccache import read_cache
from jhpatch.deployed.kerberos.server_renewer import ServerRenewer
from jhpatch.deployed.kerberos.settings import Settings, TicketSpec
from testing.waiting import until
from tests.deployed.stand_ins import KINDS

KEY = "_jhpatch_kerberos.keeper"
"""In sys.modules: a contract with the one-file helper, of which a process may have a copy."""
SPEC = TicketSpec("x", "", "")


class Handler:
    """What the wrappers need of a request's handler."""

    kind = "value"

    def __init__(self, log, content="1", **settings):
        self.log = log
        self.config = Config({"KerberosTicket": settings})
        self._content = content

    def get_query_argument(self, name, default):
        """Return an argument of the URL."""
        return self._content if name == "content" else default

    @server_face.on_open
    def get(self, path):
        """Open."""
        return KINDS[self.kind](("opened", path))

    @server_face.on_open
    async def get_natively(self, path):
        """Open, as jupyter_server 2 does."""
        return ("opened", path)

    @server_face.on_save
    def _save(self, model, path):
        return KINDS[self.kind](("saved", path))

    def save(self, path):
        """Save."""
        return self._save({}, path)


def as_a_server(monkeypatch):
    """Make this process that of a user's server, which does not run as root; a generator."""
    monkeypatch.setattr(os, "getuid", lambda: os.geteuid() or 4242)
    entry = types.SimpleNamespace(
        pw_name="tester", pw_uid=os.geteuid(), pw_gid=os.getegid(), pw_dir="/"
    )
    monkeypatch.setattr("pwd.getpwuid", lambda uid: entry)
    monkeypatch.delenv("JHPATCH_KERBEROS", raising=False)
    sys.modules.pop(KEY, None)
    yield
    renewer = sys.modules.pop(KEY, None)
    if renewer is not None:
        renewer._write_status = lambda due: None
        renewer._turn = _leave


def _leave(*_):
    raise SystemExit


def account():
    """The account of the user who runs the tests."""
    return Account("tester", os.geteuid(), os.getegid(), "/")


def renewer():
    """The renewer of this process."""
    return sys.modules[KEY]


def renewer_of(log, spec=SPEC, **settings):
    """Return a renewer that is turned by hand."""
    return ServerRenewer(Settings(**settings), spec, account(), log)


def spec_of(settings, **more):
    """Return the specification of the ticket that these settings ask for."""
    spec = TicketSpec(settings["principal"], settings["keytab"], settings["ccache"])
    return spec._replace(**more)


def ticket(settings):
    """The ticket in the cache; None if it holds none."""
    with open(settings["ccache"], "rb") as file:
        return read_cache(file.read())


def status_of(runtime):
    """The one status file, as ``jhpatch ticket`` reads it; for an instant another is its draft."""
    name = "jhpatch-kerberos-%d.json" % os.getpid()
    until(lambda: os.listdir(str(runtime)) == [name])
    assert os.stat(str(runtime / name)).st_mode & 0o777 == 0o600
    return json.loads((runtime / name).read_text())
