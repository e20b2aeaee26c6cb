"""What doctor reads on this host: each part only if a check needs it, and then once."""

import base64
import contextlib
import os
from typing import List, Mapping, Optional, Tuple

from jhpatch.checks.runner import MARGIN, Deadline
from jhpatch.deployed.kerberos.account import Account, find_account
from jhpatch.deployed.kerberos.ccache import Cache, Ticket
from jhpatch.deployed.kerberos.errors import Problem
from jhpatch.deployed.kerberos.kinit import Kinit
from jhpatch.deployed.kerberos.programs import Programs
from jhpatch.deployed.kerberos.settings import Settings, TicketSpec
from jhpatch.kerberos import (
    hub_config,
    hub_config_files,
    kinit_messages,
    kinit_programs,
    kinit_run,
    krb5_conf,
    mounts,
    programs,
    systemd_unit,
    ticket_spec,
)
from jhpatch.kerberos.ccache import expand_default_name, fifo_cache, parse_cache_name
from jhpatch.kerberos.hub_config import Environment, HubConfig
from jhpatch.kerberos.keytab import Keytab, parse_keytab_name
from jhpatch.kerberos.kinit_programs import KinitProgram
from jhpatch.kerberos.kinit_run import KinitRun
from jhpatch.kerberos.krb5_conf import Profile
from jhpatch.kerberos.memo import Memo
from jhpatch.kerberos.mounts import Mount
from jhpatch.kerberos.path_components import PathComponent, read_components
from jhpatch.kerberos.programs import Completed
from jhpatch.kerberos.systemd_unit import Unit
from jhpatch.kerberos.ticket_request import Answer, request_ticket
from jhpatch.namedtuple import NamedTuple
from jhpatch.report.result import Finding

LEAST = 3.0
"""Seconds that kinit needs: the first KDCs may not respond."""
_MAX_KINITS = 4  # that are identified
_UNIT_SECONDS = 1.0  # that systemd has to name the hub's environment
_NOBODY = "nobody"
_NOWHERE = "/nonexistent"  # a bare name would be looked up in PATH


class DoctorOptions(NamedTuple):
    """What doctor checks, and where it reads."""

    environ: Mapping[str, str]
    users: Tuple[str, ...] = ()
    config_paths: Tuple[str, ...] = ()
    """The files of the hub's configuration; a later one overrides earlier ones."""
    templates: Mapping[str, Optional[str]] = {}
    """Settings of the command line, which override those of the configuration."""
    unit: str = "jupyterhub"
    knows_settings: bool = True
    """Whether a template that is not given has its default, which only root may assume."""
    is_of_server: bool = False
    """Whether the templates are the values that one server received, without fields."""
    mounts_path: str = "/proc/mounts"
    unit_directories: Tuple[str, ...] = systemd_unit.DIRECTORIES


class Facts:
    """What doctor reads, for all its checks.

    Each check runs in its own thread and is abandoned at its limit. The first check that needs a
    fact reads it. If that read hangs, a later check that needs the same fact does not start
    another read: it waits as long as its own limit allows.
    """

    def __init__(self, options: DoctorOptions) -> None:
        self.options = options
        self._memo = Memo()

    def run(self, argv: List[str], seconds: float, account: Optional[Account]) -> Completed:
        """Run a program as a user, or return how the same run ended before.

        A program that was killed at its limit is run again for a later check, which may have
        more time.
        """
        return self._memo.get(
            ("run", tuple(argv), account),
            lambda: programs.run_program(argv, self.environ, seconds, account),
            keeps=lambda completed: completed.exit_code is not None,
        )

    @property
    def environ(self) -> Mapping[str, str]:
        """The environment of the hub's libkrb5: this process's, with the unit's KRB5_CONFIG.

        A service does not inherit KRB5_CONFIG from the shell of an administrator.
        """
        return self._memo.get("environ", self._read_environ)

    def _read_environ(self) -> Mapping[str, str]:
        unit = self.unit(Deadline(_UNIT_SECONDS + MARGIN))
        environ = dict(self.options.environ)
        if unit is None or not unit.knows_krb5_config:
            return environ
        environ.pop("KRB5_CONFIG", None)
        if unit.krb5_config is not None:
            environ["KRB5_CONFIG"] = unit.krb5_config
        return environ

    @property
    def profile(self) -> Profile:
        """krb5.conf, with all that it includes."""
        return self._memo.get("profile", lambda: krb5_conf.read_profile(self.environ))

    def ask_kdc(self, realm: str, seconds: float) -> Optional[KinitRun]:
        """Run kinit for a principal that no realm has; root runs it as ``nobody``.

        None if there is no ``nobody`` and root must not run kinit, whose libkrb5 would load a
        module that krb5.conf names.
        """
        account = self.account(_NOBODY) if os.geteuid() == 0 else None
        if os.geteuid() == 0 and account is None and not self.profile.is_trusted:
            return None
        kinit = self.krb5_program("kinit")
        return kinit_run.ask_kdc(kinit, realm, self.environ, seconds, account)

    def servers_have(self, variable: str) -> bool:
        """Return whether the hub's configuration can pass a variable on to the users' servers."""
        for name in ("Spawner.environment", "Spawner.env_keep"):
            value = self.hub_config.settings.get(name, ())
            if isinstance(value, Environment):
                value = value.entries if value.rest is None else [variable]
            if name in self.hub_config.computed or (
                isinstance(value, (dict, list)) and variable in value
            ):
                return True
        return False

    @property
    def hub_config_file(self) -> Tuple[HubConfig, Tuple[Finding, ...]]:
        """The hub's configuration as its files have it, and what is wrong with a file."""
        paths = self.options.config_paths
        return self._memo.get("configuration", lambda: hub_config_files.read_hub_config(paths))

    @property
    def hub_config(self) -> HubConfig:
        """The hub's configuration, with the templates of the command line."""
        config = self.hub_config_file[0]
        if not self.options.knows_settings:
            config = hub_config.without_templates(config)
        return hub_config.with_templates(config, self.options.templates)

    @property
    def mounts(self) -> Tuple[Mount, ...]:
        """What is mounted; nothing if that is unknown, as without /proc."""
        return self._memo.get("mounts", lambda: mounts.read_mounts(self.options.mounts_path))

    def account(self, name: str) -> Optional[Account]:
        """Return the user of that name; None if there is none."""
        return self._memo.get(("account", name), lambda: _find_account(name))

    def ticket_spec(self, account: Account) -> Tuple[Optional[TicketSpec], Tuple[Finding, ...]]:
        """Return the ticket of a user; None and a finding if a setting is wrong."""
        return self._memo.get(
            ("spec", account),
            lambda: ticket_spec.resolve(self.hub_config, account, lambda: self.profile.realm),
        )

    def server_cache(self, account: Account) -> str:
        """Return KRB5CCNAME of a user's server; empty if the hub sets none, or none is known."""
        spec = self.ticket_spec(account)[0]
        is_known = spec is not None and ticket_spec.knows_cache(self.hub_config)
        return spec.ccache if spec is not None and is_known else ""

    @property
    def _kinit_paths(self) -> Tuple[str, ...]:
        """The path of each kinit; the first is the one that the service uses."""
        configured, search_path = self.hub_config.kinit, self.options.environ.get("PATH", "")
        return self._memo.get(
            "kinits", lambda: kinit_programs.find_kinits(configured, search_path)
        )

    def kinits(self, deadline: Deadline) -> Tuple[KinitProgram, ...]:
        """Return the kinit programs of this host; the service uses the first."""
        paths = self._kinit_paths[:_MAX_KINITS]
        return tuple(kinit_programs.identify(path, self.run, deadline) for path in paths)

    def krb5_program(self, name: str) -> str:
        """Return the path of kinit or klist, by the rules of the ticket service.

        A program that users other than root can write is replaced by one in the system's
        directories if root runs doctor; if there is none, by a path that does not exist.
        """
        return self._memo.get(("program", name), lambda: self._find_krb5_program(name))

    def _find_krb5_program(self, name: str) -> str:
        kinit = next(iter(self._kinit_paths), "")
        paths = [programs.find_program(name, part) for part in programs.SEARCH_PATH.split(":")]
        if kinit and kinit_programs.is_trusted(kinit):
            with contextlib.suppress(Problem):
                environ = self.options.environ
                paths.insert(0, Programs(Settings(kinit=kinit), environ).path(name))
        found = [path for path in paths if path]
        trusted = filter(kinit_programs.is_trusted, found)
        return next(trusted, os.path.join(_NOWHERE, name) if found else name)

    def components(
        self, path: str, account: Optional[Account], deadline: Deadline
    ) -> Tuple[PathComponent, ...]:
        """Return the components of a path as the user sees them; empty if that takes too long.

        ``account`` is None for the user of this process.
        """
        return read_components(path, account, self.run, deadline)

    def keytab(
        self, account: Account, spec: TicketSpec, deadline: Deadline
    ) -> Tuple[Optional[Keytab], str]:
        """Return the keytab of a user, and the output of klist if doctor has run it.

        It is the keytab that is set, or else the client keytab; None if klist names none.
        """
        path: Optional[str] = spec.keytab
        output = ""
        if not path:
            argv = [self.krb5_program("klist"), "-k", "-i"]
            output = self.run(argv, deadline.left(2), account).stdout
            path = parse_keytab_name(output)
        if not path:
            return None, output
        path = path.replace("FILE:", "", 1)
        reader = None if spec.central else account
        return Keytab(path, self.components(path, reader, deadline), reader), output

    def keytab_listing(self, keytab: Keytab, seconds: float) -> Completed:
        """Return what ``klist -ke`` prints of a keytab.

        Root runs it only with a krb5.conf that it trusts: libkrb5 loads a module named there.
        """
        if keytab.reader is None and os.geteuid() == 0 and not self.profile.is_trusted:
            return Completed(None, "", kinit_messages.UNTRUSTED)
        return self.run([self.krb5_program("klist"), "-ke", keytab.path], seconds, keytab.reader)

    def cache_name(
        self, account: Account, spec: TicketSpec, deadline: Deadline
    ) -> Tuple[Optional[str], bool, str]:
        """Return the name of a user's cache, whether KRB5CCNAME has it, and klist's output.

        The name is None if klist does not name the cache, or if the hub's setting is unknown.
        """
        if not ticket_spec.knows_cache(self.hub_config):
            return None, False, ""
        if spec.ccache:
            return spec.ccache, True, ""
        own = os.geteuid() == account.uid and self.options.environ.get("KRB5CCNAME")
        if own:
            return own, True, ""
        # klist runs last, because it creates a missing DIR collection (cc_dir.c). Only klist can
        # resolve the name of a keyring: KEYRING:persistent, without a uid, is a session keyring.
        setting = self.profile.value("libdefaults", "default_ccache_name")
        name = expand_default_name(setting or "", account)
        if name and not name.startswith("KEYRING:"):
            return name, False, ""
        done = self.run([self.krb5_program("klist")], deadline.left(2), account)
        name = parse_cache_name(done.stdout + "\n" + done.stderr, account)
        if name is None and done.exit_code is None:
            name = fifo_cache(account)
        return name, False, done.message

    def ticket_answer(
        self, account: Account, spec: TicketSpec, cache: Cache, deadline: Deadline
    ) -> Optional[Answer]:
        """Request a ticket as the service does, and return how that ends.

        All checks share one request, with the trace of its kinit. After a timeout, a check that
        has more time makes another one. None if the time that is left is too short.
        """
        settings = ticket_spec.read_settings(self.hub_config)[0]
        timeout = min(settings.timeout, deadline.left(10) - 1)
        is_too_short = timeout < min(settings.timeout, LEAST - 1)
        settings = settings._replace(kinit=self.krb5_program("kinit"), timeout=timeout)
        environ = self.environ

        def request() -> Optional[Answer]:
            if is_too_short:
                return None
            return request_ticket(settings, account, spec, cache, environ, is_traced=True)

        return self._memo.get(
            ("ticket", account, spec),
            request,
            keeps=lambda answer: answer is not None and answer.code != "kinit-timeout",
        )

    def ticket_in(self, account: Account, cache: Cache, seconds: float) -> Optional[Ticket]:
        """Return the ticket that is now in a cache, read as its user. Raises Problem."""
        settings = Settings(kinit=self.krb5_program("kinit"), timeout=seconds)
        return Kinit(settings, self.environ).look(account, cache)

    def cache_content(self, path: str, account: Account, seconds: float) -> Optional[bytes]:
        """Return the bytes of a user's cache; None if the user cannot read it, or not in time."""
        argv = ["base64", "-w0", "--", path]
        done = self.run(argv, seconds, account)
        try:
            return base64.b64decode(done.stdout) if done.exit_code == 0 else None
        except ValueError:  # a process of the user can print anything
            return None

    def unit(self, deadline: Deadline) -> Optional[Unit]:
        """Return the hub's unit; None if there is none."""
        directories = self.options.unit_directories
        return systemd_unit.read_unit(self.options.unit, self._ask_systemd, deadline, directories)

    def _ask_systemd(
        self, argv: List[str], seconds: float, account: Optional[Account]
    ) -> Completed:
        """Run systemctl, on whose output the environment of libkrb5 depends."""
        return self._memo.get(
            ("systemd", tuple(argv)),
            lambda: programs.run_program(argv, self.options.environ, seconds, account),
            keeps=lambda completed: completed.exit_code is not None,
        )


def _find_account(name: str) -> Optional[Account]:
    try:
        return find_account(name)
    except Problem:
        return None
