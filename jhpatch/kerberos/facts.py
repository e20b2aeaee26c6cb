"""What doctor reads on this host: each part once, and only if a check needs it."""

import os
from typing import List, Mapping, Optional, Tuple

from jhpatch.checks import accounts
from jhpatch.checks.accounts import Account
from jhpatch.checks.runner import Deadline
from jhpatch.kerberos import (
    dns_srv,
    hub_config,
    kinit_programs,
    krb5_conf,
    mounts,
    programs,
    systemd_unit,
    ticket_spec,
)
from jhpatch.kerberos.hub_config import HubConfig
from jhpatch.kerberos.keytab import Keytab, is_root_only, parse_keytab_name
from jhpatch.kerberos.kinit_programs import KinitProgram
from jhpatch.kerberos.krb5_conf import Profile
from jhpatch.kerberos.memo import Memo
from jhpatch.kerberos.mounts import Mount
from jhpatch.kerberos.path_components import PathComponent, read_components
from jhpatch.kerberos.programs import Completed
from jhpatch.kerberos.systemd_unit import Unit
from jhpatch.kerberos.ticket_spec import TicketSpec
from jhpatch.namedtuple import NamedTuple
from jhpatch.report.result import Finding
from jhpatch.system.files import read_text

_MAX_KINITS = 4  # that are identified


class DoctorOptions(NamedTuple):
    """What doctor is asked about, and where it reads."""

    environ: Mapping[str, str]
    users: Tuple[str, ...] = ()
    config_path: Optional[str] = None
    """The hub's configuration."""
    templates: Mapping[str, Optional[str]] = {}
    """Settings of the command line, which come before those of the configuration."""
    unit: str = "jupyterhub"
    mounts_path: str = "/proc/mounts"
    unit_directories: Tuple[str, ...] = systemd_unit.DIRECTORIES
    resolv_conf: str = "/etc/resolv.conf"


class Facts:
    """What doctor reads, for all its checks.

    A check runs in a thread of its own and is abandoned at its limit. The first check that
    needs a fact reads it. If that read hangs, a later check that needs the same fact waits
    for it as long as its own limit allows; it uses a value that comes late and starts no
    second read.
    """

    def __init__(self, options: DoctorOptions) -> None:
        self.options = options
        self._memo = Memo()

    def run(self, argv: List[str], seconds: float, account: Optional[Account]) -> Completed:
        """Run a program as a user, or return how the same run ended before.

        A program that was killed at its limit is run again for a later check, which may
        have more time for it.
        """
        return self._memo.get(
            ("run", tuple(argv), account),
            lambda: programs.run_program(argv, self.options.environ, seconds, account),
            keeps=lambda completed: completed.exit_code is not None,
        )

    @property
    def profile(self) -> Profile:
        """krb5.conf, with all that it includes."""
        return self._memo.get("profile", lambda: krb5_conf.read_profile(self.options.environ))

    @property
    def name_servers(self) -> Tuple[str, ...]:
        """The addresses of the name servers of this host."""
        return self._memo.get("name servers", self._read_name_servers)

    def _read_name_servers(self) -> Tuple[str, ...]:
        try:
            text = read_text(self.options.resolv_conf)
        except OSError:
            text = ""
        return dns_srv.parse_name_servers(text)

    @property
    def hub_config_file(self) -> Tuple[HubConfig, Tuple[Finding, ...]]:
        """The hub's configuration as its file has it, and what is wrong with the file."""
        path = self.options.config_path
        return self._memo.get("configuration", lambda: hub_config.read_hub_config(path))

    @property
    def hub_config(self) -> HubConfig:
        """The hub's configuration, with the templates of the command line."""
        return hub_config.with_templates(self.hub_config_file[0], self.options.templates)

    @property
    def principal_map(self) -> Mapping[str, str]:
        """The principals that the hub's principal_map gives to users."""
        path = self.hub_config.ticket_setting("principal_map")
        if not path:
            return {}
        return self._memo.get("map", lambda: ticket_spec.read_principal_map(str(path)))

    @property
    def mounts(self) -> Tuple[Mount, ...]:
        """What is mounted. Raises OSError."""
        return self._memo.get("mounts", lambda: mounts.read_mounts(self.options.mounts_path))

    def account(self, name: str) -> Optional[Account]:
        """Return the user of that name; None if there is none."""
        return self._memo.get(("account", name), lambda: accounts.account_of(name))

    def ticket_spec(self, account: Account) -> Tuple[Optional[TicketSpec], Tuple[Finding, ...]]:
        """Return the ticket of a user; None and a finding if a setting is wrong."""
        config, realm = self.hub_config, self.profile.realm
        return ticket_spec.resolve(config, account, realm, self.principal_map)

    @property
    def _kinit_paths(self) -> Tuple[str, ...]:
        """The path of each kinit, first the one that is used."""
        configured, search_path = self.hub_config.kinit, self.options.environ.get("PATH", "")
        return self._memo.get(
            "kinits", lambda: kinit_programs.find_kinits(configured, search_path)
        )

    def kinits(self, deadline: Deadline) -> Tuple[KinitProgram, ...]:
        """Return the kinit programs of this host, first the one that is used."""
        paths = self._kinit_paths[:_MAX_KINITS]
        return tuple(kinit_programs.identify(path, self.run, deadline) for path in paths)

    def krb5_program(self, name: str) -> str:
        """Return klist or kinit from the directory of the kinit that is used.

        Root takes none that another user can write.
        """
        directory = self._memo.get("directory", self._find_kinit_directory)
        if directory is not None:
            return os.path.join(directory, name)
        return programs.find_program(name) or name

    def _find_kinit_directory(self) -> Optional[str]:
        paths = self._kinit_paths
        if not paths or not kinit_programs.is_trusted(paths[0]):
            return None
        return os.path.dirname(paths[0])

    def components(
        self, path: str, account: Account, deadline: Deadline
    ) -> Tuple[PathComponent, ...]:
        """Return the components of a path as the user sees them; empty if that takes too long."""
        return read_components(path, account, self.run, deadline)

    def keytab(
        self, account: Account, spec: TicketSpec, deadline: Deadline
    ) -> Tuple[Optional[Keytab], str]:
        """Return the keytab of a user, and what klist printed if it was asked.

        It is the one that is set, else krb5.conf's client keytab; None if there is neither.
        """
        path: Optional[str] = spec.keytab
        output = ""
        if not path:
            argv = [self.krb5_program("klist"), "-k", "-i"]
            output = self.run(argv, deadline.left(2), account).stdout
            path = parse_keytab_name(output)
        if not path:
            return None, output
        components = self.components(path, account, deadline)
        is_users = bool(components) and "r" in components[0].rights
        is_central = not is_users and self._is_root_only(path)
        return Keytab(path, components, None if is_central else account), output

    def _is_root_only(self, path: str) -> bool:
        return self._memo.get(("root only", path), lambda: is_root_only(path))

    def keytab_listing(self, keytab: Keytab, seconds: float) -> Completed:
        """Return what ``klist -ke`` prints of a keytab."""
        return self.run([self.krb5_program("klist"), "-ke", keytab.path], seconds, keytab.reader)

    def unit(self, deadline: Deadline) -> Optional[Unit]:
        """Return the hub's unit; None if there is none."""
        directories = self.options.unit_directories
        return systemd_unit.read_unit(self.options.unit, self.run, deadline, directories)
