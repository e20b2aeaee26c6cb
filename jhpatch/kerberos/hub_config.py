"""The literal assignments of a jupyterhub_config.py, which is parsed and never run."""

import ast
import os
from typing import Any, Dict, Iterator, Mapping, Optional, Tuple

from jhpatch.errors import JhpatchError
from jhpatch.kerberos.findings import finding
from jhpatch.namedtuple import NamedTuple
from jhpatch.report.result import Finding
from jhpatch.system import path_owners
from jhpatch.system.files import read_text

TEMPLATES = ("principal", "keytab", "ccache")
"""The settings of KerberosTicket that are templates."""
_LOCAL_SPAWNERS = (
    *("localprocess", "localprocessspawner", "sudo", "sudospawner"),
    *("systemd", "systemdspawner"),
)
_REMOTE_SPAWNERS = (
    *("docker", "kube", "batch", "slurm", "torque", "pbs", "sge", "lsf", "condor", "ssh"),
    *("yarn", "swarm", "podman", "ecs", "fargate", "nomad", "marathon"),
)
_PAM_AUTHENTICATORS = ("pam", "default", "pamauthenticator")
_OTHER_AUTHENTICATORS = (
    *("oauth", "ldap", "dummy", "native", "firstuse", "lti", "remote", "null", "saml", "sharedp"),
    *("shared-p", "google", "github", "gitlab", "auth0", "azure", "cas", "kerberos", "tmpauth"),
)


class HubConfig(NamedTuple):
    """The hub's settings, as far as they can be told without running code."""

    settings: Mapping[str, Any] = {}
    """The literals, by ``Class.name``."""
    computed: Mapping[str, int] = {}
    """The lines of the settings that are not literals."""
    path: Optional[str] = None

    def ticket_setting(self, name: str) -> Any:
        """Return a setting of KerberosTicket; None if it is not set."""
        return self.settings.get("KerberosTicket." + name)

    @property
    def min_uid(self) -> int:
        """The lowest uid that gets a ticket: never root's."""
        value = self.ticket_setting("min_uid")
        return max(value if type(value) is int else 1, 1)

    @property
    def kinit(self) -> str:
        """The kinit that is set; empty if none is."""
        return str(self.ticket_setting("kinit") or "")


def parse(text: str, path: Optional[str] = None) -> HubConfig:
    """Return the last assignment to each ``c.Class.name``. Raises SyntaxError, ValueError."""
    settings: Dict[str, Any] = {}
    computed: Dict[str, int] = {}
    assignments = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Assign)]
    for assignment in sorted(assignments, key=lambda node: node.lineno):
        for target in assignment.targets:
            name = _setting_name(target)
            if name is None:
                continue
            settings.pop(name, None)
            computed.pop(name, None)
            try:
                settings[name] = ast.literal_eval(assignment.value)
            except ValueError:
                computed[name] = assignment.lineno
                dotted = _dotted_name(assignment.value)
                if name.endswith("_class") and dotted:
                    settings[name] = dotted
    return HubConfig(settings, computed, path)


def _setting_name(node: ast.AST) -> Optional[str]:
    """Return ``Class.name`` of ``c.Class.name``."""
    parts = (_dotted_name(node) or "").split(".")
    return ".".join(parts[1:]) if len(parts) == 3 and parts[0] == "c" else None


def _dotted_name(node: ast.AST) -> Optional[str]:
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        parent = _dotted_name(node.value)
        return "%s.%s" % (parent, node.attr) if parent else None
    return None


def read_hub_config(path: Optional[str]) -> Tuple[HubConfig, Tuple[Finding, ...]]:
    """Read a configuration; return it and what is wrong with the file."""
    if not path:
        return HubConfig(), ()
    path = os.path.abspath(path)
    try:
        writer = path_owners.writer_of(path) if os.geteuid() == 0 else None
        if writer is not None:
            message = "owner uid %d, mode %o" % (writer.uid, writer.mode)
            return HubConfig(), (finding("config-writable", message, writer.path),)
        text = read_text(path)
    except JhpatchError:
        return HubConfig(), (finding("config-unreadable", "it is not there", path),)
    except OSError as error:
        message = error.strerror or str(error)
        return HubConfig(), (finding("config-unreadable", message, path),)
    try:
        return parse(text, path), ()
    except SyntaxError as error:
        message = "line %s: %s, for this Python" % (error.lineno, error.msg)
    except (ValueError, RecursionError, MemoryError) as error:
        message = "it cannot be parsed: %s" % error
    return HubConfig(), (finding("config-syntax", message, path),)


def with_templates(config: HubConfig, templates: Mapping[str, Optional[str]]) -> HubConfig:
    """Return the configuration with the templates of the command line in place of its own."""
    given = {
        "KerberosTicket." + name: template
        for name, template in templates.items()
        if template is not None
    }
    if "KerberosTicket.principal" in given:
        given["KerberosTicket.principal_map"] = ""
    computed = {name: line for name, line in config.computed.items() if name not in given}
    return HubConfig(dict(config.settings, **given), computed, config.path)


def check_hub_config(config: HubConfig) -> Iterator[Finding]:
    """Check spawner and authenticator, and name the templates that are not literals."""
    for name in TEMPLATES:
        line = config.computed.get("KerberosTicket." + name)
        if line:
            message = "line %d: c.KerberosTicket.%s is no literal" % (line, name)
            yield finding("setting-not-literal", message, config.path, name=name)
    spawner = config.settings.get("JupyterHub.spawner_class")
    if isinstance(spawner, str):
        yield from _check_spawner(spawner, config)
    authenticator = config.settings.get("JupyterHub.authenticator_class")
    if isinstance(authenticator, str):
        yield from _check_authenticator(authenticator, config)


def _check_spawner(spawner: str, config: HubConfig) -> Iterator[Finding]:
    class_name = _class_name(spawner)
    if class_name.startswith("simple"):
        message = "%s runs every server as the hub's own user" % spawner
        yield finding("spawner-not-covered", message, config.path)
    elif class_name.startswith("systemd") and config.settings.get("SystemdSpawner.isolate_tmp"):
        message = "%s with isolate_tmp: its servers have a /tmp of their own" % spawner
        yield finding("spawner-not-covered", message, config.path)
    elif any(word in spawner.lower() for word in _REMOTE_SPAWNERS):
        yield finding("spawner-not-covered", spawner, config.path)
    elif class_name not in _LOCAL_SPAWNERS:
        yield finding("spawner-unknown", spawner, config.path)


def _check_authenticator(authenticator: str, config: HubConfig) -> Iterator[Finding]:
    if _class_name(authenticator) in _PAM_AUTHENTICATORS:
        return
    is_other = any(word in authenticator.lower() for word in _OTHER_AUTHENTICATORS)
    code = "authenticator-bypasses-pam" if is_other else "authenticator-unknown"
    yield finding(code, authenticator, config.path)


def _class_name(dotted_name: str) -> str:
    """Return the last part of a name such as ``package.module:Class``, in lower case."""
    return dotted_name.replace(":", ".").rpartition(".")[2].lower()
