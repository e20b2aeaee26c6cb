"""A real MIT KDC on loopback, with all its state in one directory (krb5kdc(8), kadmin(1))."""

import os
import shutil
import socket
import subprocess
import time
from typing import Dict, Optional, Type

from testing import ports

# krb5kdc lies where only root's PATH looks.
_PATH = "/usr/sbin:/sbin:/usr/bin:/bin"
PROGRAMS = ("krb5kdc", "kadmin.local", "kdb5_util", "kinit", "klist")

_KRB5 = """[libdefaults]
 default_realm = {realm}
 dns_lookup_kdc = false
 dns_lookup_realm = false
 rdns = false
{defaults}[realms]
 {realm} = {{
  kdc = 127.0.0.1:{port}
 }}
"""
_KDC = """[kdcdefaults]
 kdc_listen = {udp}
 kdc_tcp_listen = {tcp}
[realms]
 {realm} = {{
  database_name = {folder}/principal
  key_stash_file = {folder}/stash
  max_life = {life}
  max_renewable_life = {renewable}
 }}
[logging]
 kdc = FILE:{folder}/kdc.log
"""


def missing() -> str:
    """Return the programs of a KDC that this machine lacks; empty if it has all."""
    return ", ".join(name for name in PROGRAMS if not shutil.which(name, path=_PATH))


class Kdc:
    """A realm of its own; ``with`` starts and stops its KDC.

    ``defaults`` are lines for krb5.conf's ``[libdefaults]``. ``port`` is a free one by default;
    ``without``: ``udp`` or ``tcp``, by which the KDC does not listen.
    """

    def __init__(
        self,
        folder: str,
        realm: str = "EXAMPLE.TEST",
        ticket_lifetime: str = "10h",
        renewable_life: str = "7d",
        defaults: str = "",
        port: int = 0,
        without: str = "",
    ) -> None:
        self.folder = str(folder)
        self.realm = realm
        self.krb5_conf = os.path.join(self.folder, "krb5.conf")
        self.log = os.path.join(self.folder, "kdc.log")
        self._life = ticket_lifetime
        self._renewable = renewable_life
        self._defaults = defaults
        self._port = port or ports.free(1)[0]
        self._without = without
        self._process: Optional[subprocess.Popen[bytes]] = None
        os.makedirs(self.folder, exist_ok=True)
        os.chmod(self.folder, 0o755)
        self._configure()
        self._call("kdb5_util", "create", "-s", "-P", "a master password", "-r", realm)

    def _configure(self) -> None:
        fields = dict(
            realm=self.realm,
            port=self._port,
            folder=self.folder,
            life=self._life,
            renewable=self._renewable,
            defaults=self._defaults,
        )
        for protocol in ("udp", "tcp"):
            address = "127.0.0.1:%d" % self._port
            fields[protocol] = '""' if protocol == self._without else address
        for path, text in ((self.krb5_conf, _KRB5), (self._kdc_conf, _KDC)):
            with open(path, "w") as file:
                file.write(text.format(**fields))
            os.chmod(path, 0o644)

    @property
    def _kdc_conf(self) -> str:
        return os.path.join(self.folder, "kdc.conf")

    def env(self) -> Dict[str, str]:
        """The environment that a client needs."""
        return {"KRB5_CONFIG": self.krb5_conf}

    def start(self) -> None:
        """Start the KDC; return when it listens."""
        argv = [str(shutil.which("krb5kdc", path=_PATH)), "-n", "-P", self.folder + "/pid"]
        self._process = subprocess.Popen(
            argv, env=self._environment(), stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL
        )
        deadline = time.monotonic() + 10
        while not self._listens():
            if time.monotonic() > deadline:
                raise RuntimeError("the KDC does not start; see " + self.log)
            time.sleep(0.02)

    def stop(self) -> None:
        """Stop the KDC; it can be started again."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def __enter__(self) -> "Kdc":
        self.start()
        return self

    def __exit__(self, kind: Optional[Type[BaseException]], error: object, trace: object) -> None:
        self.stop()

    def add_principal(
        self,
        name: str,
        keytab: Optional[str] = None,
        password: Optional[str] = None,
        life: str = "",
    ) -> None:
        """Add a principal, with its keys in ``keytab`` or with a password.

        ``life``: of its own tickets, where that is shorter than the KDC's.
        """
        how = "-pw " + password if password else "-randkey"
        how += ' -maxlife "%s"' % life if life else ""
        self._call("kadmin.local", "-q", "addprinc +requires_preauth %s %s" % (how, name))
        if keytab:
            self.export(name, keytab)

    def add_principals(self, keytabs: Dict[str, str]) -> None:
        """Add many principals, the keys of each in a keytab of its own, in one kadmin.local."""
        commands = "addprinc +requires_preauth -randkey {0}\nktadd -k {1} -norandkey {0}\n"
        script = "".join(commands.format(*pair) for pair in keytabs.items())
        self._call("kadmin.local", script=script)

    def change_keys(self, name: str) -> None:
        """Give a principal new keys; its keytabs fit no longer."""
        self._call("kadmin.local", "-q", "cpw -randkey " + name)

    def export(self, name: str, keytab: str) -> None:
        """Add the keys that a principal has now to a keytab."""
        self._call("kadmin.local", "-q", "ktadd -k %s -norandkey %s" % (keytab, name))

    @property
    def pid(self) -> int:
        """The KDC's process."""
        assert self._process is not None
        return self._process.pid

    def set_ticket_lifetime(self, lifetime: str) -> None:
        """Change the life of tickets that are issued from now on; the KDC restarts."""
        self._life = lifetime
        self._configure()
        if self._process is not None:
            self.stop()
            self.start()

    def _environment(self) -> Dict[str, str]:
        return {
            "PATH": _PATH,
            "KRB5_CONFIG": self.krb5_conf,
            "KRB5_KDC_PROFILE": self._kdc_conf,
        }

    def _call(self, *argv: str, script: str = "") -> None:
        program = str(shutil.which(argv[0], path=_PATH))
        done = subprocess.run(
            [program] + list(argv[1:]),
            env=self._environment(),
            input=script.encode(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        text = done.stdout.decode(errors="replace")
        if done.returncode or "error" in text.lower():
            raise RuntimeError("%s: %s" % (" ".join(argv), text))

    def _listens(self) -> bool:
        if self._without == "tcp":  # the address is in use
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
                try:
                    one.bind(("127.0.0.1", self._port))
                except OSError:
                    return True
                return False
        with socket.socket() as one:
            return one.connect_ex(("127.0.0.1", self._port)) == 0


class SilentKdc:
    """A KDC that accepts each request and never answers; ``with`` starts and stops it."""

    def __init__(self, folder: str, realm: str = "EXAMPLE.TEST") -> None:
        self.krb5_conf = os.path.join(folder, "silent.conf")
        self._datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._streams = socket.socket()
        (port,) = ports.free(1)
        self._datagrams.bind(("127.0.0.1", port))
        self._streams.bind(("127.0.0.1", port))
        self._streams.listen(128)
        with open(self.krb5_conf, "w") as file:
            file.write(_KRB5.format(realm=realm, port=port, defaults=""))
        os.chmod(self.krb5_conf, 0o644)

    def __enter__(self) -> "SilentKdc":
        return self

    def __exit__(self, kind: Optional[Type[BaseException]], error: object, trace: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop listening: from then on connections are refused."""
        self._datagrams.close()
        self._streams.close()
