"""The literal assignments of a jupyterhub_config.py: parsed, never run."""

import ast
import os
from typing import Any, Dict, Iterator, Mapping, Optional, Tuple

from jhpatch.checks.accounts import Account
from jhpatch.errors import JhpatchError
from jhpatch.kerberos.findings import finding
from jhpatch.namedtuple import NamedTuple
from jhpatch.report.result import Finding
from jhpatch.system import path_owners
from jhpatch.system.files import read_text

TEMPLATES = ("principal", "keytab", "ccache")
_SPAWNERS = (
    *("localprocess", "localprocessspawner", "sudo", "sudospawner"),
    *("systemd", "systemdspawner"),
)
_ELSEWHERE = (
    *("docker", "kube", "batch", "slurm", "torque", "pbs", "sge", "lsf", "condor", "ssh"),
    *("yarn", "swarm", "podman", "ecs", "fargate", "nomad", "marathon"),
)
_PAM = ("pam", "default", "pamauthenticator")
_NO_PAM = (
    *("oauth", "ldap", "dummy", "native", "firstuse", "lti", "remote", "null", "saml", "sharedp"),
    *("shared-p", "google", "github", "gitlab", "auth0", "azure", "cas", "kerberos", "tmpauth"),
)


class Config(NamedTuple):
    """``values``: by ``Class.name``; ``unclear``: the lines of those that are no literals."""

    values: Mapping[str, Any] = {}
    unclear: Mapping[str, int] = {}
    path: Optional[str] = None

    def whole(self, name: str, default: int) -> int:
        """A setting that is a whole number."""
        value = self.values.get(name)
        return value if type(value) is int else default


def parse(text: str, path: Optional[str] = None) -> Config:
    """The last assignment to each ``c.Class.name``. Raises SyntaxError, ValueError."""
    values: Dict[str, Any] = {}
    unclear: Dict[str, int] = {}
    found = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Assign)]
    for node in sorted(found, key=lambda one: one.lineno):
        for target in node.targets:
            name = _name(target)
            if name is None:
                continue
            values.pop(name, None)
            unclear.pop(name, None)
            try:
                values[name] = ast.literal_eval(node.value)
            except ValueError:
                unclear[name] = node.lineno
                dotted = _dotted(node.value)
                if name.endswith("_class") and dotted:
                    values[name] = dotted
    return Config(values, unclear, path)


def _name(node: ast.AST) -> Optional[str]:
    """``Class.name`` of ``c.Class.name``."""
    parts = (_dotted(node) or "").split(".")
    return ".".join(parts[1:]) if len(parts) == 3 and parts[0] == "c" else None


def _dotted(node: ast.AST) -> Optional[str]:
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        above = _dotted(node.value)
        return "%s.%s" % (above, node.attr) if above else None
    return None


def read(path: Optional[str]) -> Tuple[Config, Tuple[Finding, ...]]:
    """The configuration, and what is wrong with the file."""
    if not path:
        return Config(), ()
    path = os.path.abspath(path)
    try:
        writer = path_owners.writer_of(path) if os.geteuid() == 0 else None
        if writer is not None:
            words = "owner uid %d, mode %o" % (writer.uid, writer.mode)
            return Config(), (finding("config-writable", words, writer.path),)
        text = read_text(path)
    except JhpatchError:
        return Config(), (finding("config-unreadable", "it is not there", path),)
    except OSError as error:
        return Config(), (finding("config-unreadable", error.strerror or str(error), path),)
    try:
        return parse(text, path), ()
    except SyntaxError as error:
        words = "line %s: %s, for this Python" % (error.lineno, error.msg)
    except (ValueError, RecursionError, MemoryError) as error:
        words = "it cannot be parsed: %s" % error
    return Config(), (finding("config-syntax", words, path),)


class Wanted(NamedTuple):
    """What a user's ticket is; ``keytab`` and ``ccache`` are empty where nothing is set."""

    principal: str
    keytab: str
    ccache: str
    is_set: bool
    """Whether servers get the cache as KRB5CCNAME."""


def with_options(config: Config, options: Mapping[str, Optional[str]]) -> Config:
    """The configuration with the templates that the command line names in place of its own."""
    given = {"KerberosTicket." + name: text for name, text in options.items() if text is not None}
    if "KerberosTicket.principal" in given:
        given["KerberosTicket.principal_map"] = ""
    unclear = {name: line for name, line in config.unclear.items() if name not in given}
    return Config(dict(config.values, **given), unclear, config.path)


def wanted(
    config: Config, account: Account, realm: Optional[str]
) -> Tuple[Optional[Wanted], Tuple[Finding, ...]]:
    """The templates for one user, the principal with its realm; None where one is wrong."""
    fields = dict(
        username=account.name,
        uid=account.uid,
        home=account.home,
        realm=config.values.get("KerberosTicket.realm") or realm or "",
        host=os.uname().nodename,
    )
    texts: Dict[str, str] = {}
    for name in TEMPLATES:
        template = config.values.get("KerberosTicket." + name)
        if template is None:
            template = "{username}" if name == "principal" else ""
        try:
            texts[name] = template.format(**fields)
        except (AttributeError, LookupError, TypeError, ValueError) as error:
            words = "%r is no template: %s" % (template, error)
            return None, (finding("setting-wrong", words, config.path, name=name),)
    path = texts["keytab"] = texts["keytab"].replace("FILE:", "", 1)
    if (path and not path.startswith("/")) or any(c in "".join(texts.values()) for c in "\0\n"):
        words = "%r is no absolute path" % path
        return None, (finding("setting-wrong", words, config.path, name="keytab"),)
    environment = config.values.get("Spawner.environment")
    named = environment.get("KRB5CCNAME") if isinstance(environment, dict) else None
    ccache = named if isinstance(named, str) else texts["ccache"]
    principal = _mapped(config, account.name) or texts["principal"]
    if "@" not in principal and realm:
        principal += "@" + realm
    return Wanted(principal, path, ccache, bool(ccache)), ()


def _mapped(config: Config, user: str) -> Optional[str]:
    """The principal that principal_map has for a user: lines of a user name and a principal."""
    path = config.values.get("KerberosTicket.principal_map")
    try:
        if not path or (os.geteuid() == 0 and path_owners.writer_of(str(path)) is not None):
            return None
        lines = read_text(str(path)).splitlines()
    except (OSError, JhpatchError):
        return None
    rows = [line.partition("#")[0].split() for line in lines]
    return next((row[1] for row in rows if len(row) == 2 and row[0] == user), None)


def judged(config: Config) -> Iterator[Finding]:
    """Pure: spawner and authenticator, and settings that only the hub's Python can tell."""
    for name in TEMPLATES:
        line = config.unclear.get("KerberosTicket." + name)
        if line:
            words = "line %d: c.KerberosTicket.%s is no literal" % (line, name)
            yield finding("setting-not-literal", words, config.path, name=name)
    spawner = config.values.get("JupyterHub.spawner_class")
    if isinstance(spawner, str):
        yield from _spawner(spawner, config)
    authenticator = config.values.get("JupyterHub.authenticator_class")
    if isinstance(authenticator, str):
        yield from _authenticator(authenticator, config)


def _spawner(spawner: str, config: Config) -> Iterator[Finding]:
    last = _last(spawner)
    if last.startswith("simple"):
        words = "%s runs every server as the hub's own user" % spawner
        yield finding("spawner-not-covered", words, config.path)
    elif last.startswith("systemd") and config.values.get("SystemdSpawner.isolate_tmp"):
        words = "%s with isolate_tmp: its servers have a /tmp of their own" % spawner
        yield finding("spawner-not-covered", words, config.path)
    elif any(word in spawner.lower() for word in _ELSEWHERE):
        yield finding("spawner-not-covered", spawner, config.path)
    elif last not in _SPAWNERS:
        yield finding("spawner-unknown", spawner, config.path)


def _authenticator(authenticator: str, config: Config) -> Iterator[Finding]:
    if _last(authenticator) in _PAM:
        return
    bypasses = any(word in authenticator.lower() for word in _NO_PAM)
    code = "authenticator-bypasses-pam" if bypasses else "authenticator-unknown"
    yield finding(code, authenticator, config.path)


def _last(name: str) -> str:
    return name.replace(":", ".").rpartition(".")[2].lower()
