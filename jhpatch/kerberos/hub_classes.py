"""The authenticator and the spawner of a hub: the known classes from which theirs derive.

A class is known by its exact name. Nothing is known about any other imported class.
"""

from typing import Any, Dict, List, Optional, Tuple

from jhpatch.kerberos.class_definition import ClassDefinition
from jhpatch.kerberos.hub_config_values import Imported
from jhpatch.namedtuple import NamedTuple

AUTHENTICATOR = "jupyterhub.auth.Authenticator"
LOCAL_AUTHENTICATOR = "jupyterhub.auth.LocalAuthenticator"
PAM = "jupyterhub.auth.PAMAuthenticator"
SPAWNER = "jupyterhub.spawner.Spawner"
LOCAL = "jupyterhub.spawner.LocalProcessSpawner"
SIMPLE = "jupyterhub.spawner.SimpleLocalProcessSpawner"
SYSTEMD = "systemdspawner.SystemdSpawner"
SUDO = "sudospawner.SudoSpawner"
WRAP = "wrapspawner.WrapSpawner"
MULTI = "multiauthenticator.MultiAuthenticator"
_BATCH = "batchspawner.BatchSpawnerBase"
_LDAP = "ldapauthenticator.LDAPAuthenticator"
_OAUTH = "oauthenticator.oauth2.OAuthenticator"

BASES: Dict[str, Tuple[str, ...]] = {
    AUTHENTICATOR: (),
    LOCAL_AUTHENTICATOR: (AUTHENTICATOR,),
    PAM: (LOCAL_AUTHENTICATOR,),
    "jupyterhub.auth.DummyAuthenticator": (AUTHENTICATOR,),
    "jupyterhub.auth.NullAuthenticator": (AUTHENTICATOR,),
    "jupyterhub.authenticators.shared.SharedPasswordAuthenticator": (AUTHENTICATOR,),
    "dummyauthenticator.DummyAuthenticator": (AUTHENTICATOR,),
    "firstuseauthenticator.FirstUseAuthenticator": (AUTHENTICATOR,),
    "jhub_remote_user_authenticator.remote_user_auth.RemoteUserAuthenticator": (AUTHENTICATOR,),
    "jhub_remote_user_authenticator.remote_user_auth.RemoteUserLocalAuthenticator": (
        LOCAL_AUTHENTICATOR,
    ),
    "kdcauthenticator.kdcauthenticator.KDCAuthenticator": (LOCAL_AUTHENTICATOR,),
    "kerberosauthenticator.KerberosAuthenticator": (AUTHENTICATOR,),
    "kerberosauthenticator.KerberosLocalAuthenticator": (
        *("kerberosauthenticator.KerberosAuthenticator", LOCAL_AUTHENTICATOR),
    ),
    _LDAP: (AUTHENTICATOR,),
    "ldapauthenticator.LocalLDAPAuthenticator": (LOCAL_AUTHENTICATOR, _LDAP),
    "ltiauthenticator.LTIAuthenticator": (AUTHENTICATOR,),
    "ltiauthenticator.LTI11Authenticator": (AUTHENTICATOR,),
    "ltiauthenticator.LTI13Authenticator": (_OAUTH,),
    MULTI: (AUTHENTICATOR,),
    "nativeauthenticator.NativeAuthenticator": (AUTHENTICATOR,),
    "tmpauthenticator.TmpAuthenticator": (AUTHENTICATOR,),
    _OAUTH: (AUTHENTICATOR,),
    SPAWNER: (),
    LOCAL: (SPAWNER,),
    SIMPLE: (LOCAL,),
    "simplespawner.SimpleLocalProcessSpawner": (LOCAL,),
    SYSTEMD: (SPAWNER,),
    SUDO: (LOCAL,),
    WRAP: (SPAWNER,),
    "wrapspawner.ProfilesSpawner": (WRAP,),
    "wrapspawner.DockerProfilesSpawner": ("wrapspawner.ProfilesSpawner",),
    "dockerspawner.DockerSpawner": (SPAWNER,),
    "dockerspawner.SystemUserSpawner": ("dockerspawner.DockerSpawner",),
    "dockerspawner.SwarmSpawner": ("dockerspawner.DockerSpawner",),
    "kubespawner.KubeSpawner": (SPAWNER,),
    "sshspawner.sshspawner.SSHSpawner": (SPAWNER,),
    "yarnspawner.YarnSpawner": (SPAWNER,),
    _BATCH: (SPAWNER,),
}
"""The bases of each known class."""
for _name in (
    "Torque",
    "Moab",
    "PBS",
    "Slurm",
    "GridEngine",
    "UGE",
    "Condor",
    "LSF",
    "MultiSlurm",
):
    BASES["batchspawner.%sSpawner" % _name] = (_BATCH,)

_SHORT = {
    "auth0": "Auth0OAuthenticator",
    "azuread": "AzureAdOAuthenticator",
    "bitbucket": "BitbucketOAuthenticator",
    "cilogon": "CILogonOAuthenticator",
    "generic": "GenericOAuthenticator",
    "github": "GitHubOAuthenticator",
    "gitlab": "GitLabOAuthenticator",
    "globus": "GlobusOAuthenticator",
    "google": "GoogleOAuthenticator",
    "mediawiki": "MWOAuthenticator",
    "okpy": "OkpyOAuthenticator",
    "openshift": "OpenShiftOAuthenticator",
}
"""The modules and classes of oauthenticator."""

ENTRY_POINTS: Dict[str, str] = {
    "default": PAM,
    "pam": PAM,
    "dummy": "jupyterhub.auth.DummyAuthenticator",
    "null": "jupyterhub.auth.NullAuthenticator",
    "shared-password": "jupyterhub.authenticators.shared.SharedPasswordAuthenticator",
    "firstuse": "firstuseauthenticator.FirstUseAuthenticator",
    "firstuseauthenticator": "firstuseauthenticator.FirstUseAuthenticator",
    "ldap": _LDAP,
    "ldapauthenticator": _LDAP,
    "lti11": "ltiauthenticator.LTI11Authenticator",
    "lti13": "ltiauthenticator.LTI13Authenticator",
    "multiauthenticator": MULTI,
    "native": "nativeauthenticator.NativeAuthenticator",
    "tmp": "tmpauthenticator.TmpAuthenticator",
}
"""The registered names of authenticators, in lower case (jupyterhub.traitlets.EntryPointType)."""
SPAWNER_ENTRY_POINTS: Dict[str, str] = {
    "default": LOCAL,
    "localprocess": LOCAL,
    "simple": SIMPLE,
    "systemd": SYSTEMD,
    "systemdspawner": SYSTEMD,
    "sudo": SUDO,
    "docker": "dockerspawner.DockerSpawner",
    "docker-swarm": "dockerspawner.SwarmSpawner",
    "docker-system-user": "dockerspawner.SystemUserSpawner",
}
for _module, _name in _SHORT.items():
    _entry = "generic-oauth" if _module == "generic" else _module
    for _prefix, _bases in (("", (_OAUTH,)), ("Local", (LOCAL_AUTHENTICATOR, _OAUTH))):
        _full = "oauthenticator.%s.%s%s" % (_module, _prefix, _name)
        BASES[_full] = _bases
        ENTRY_POINTS[("local-" if _prefix else "") + _entry] = _full

_ALIASES = {
    "jupyterhub.authenticators.dummy.DummyAuthenticator": "jupyterhub.auth.DummyAuthenticator",
    "sudospawner.spawner.SudoSpawner": SUDO,
    "dockerspawner.swarmspawner.SwarmSpawner": "dockerspawner.SwarmSpawner",
    "dockerspawner.systemuserspawner.SystemUserSpawner": "dockerspawner.SystemUserSpawner",
    "kubespawner.spawner.KubeSpawner": "kubespawner.KubeSpawner",
    "simplespawner.SimpleSpawner": "simplespawner.SimpleLocalProcessSpawner",
}
"""Other names of the same classes."""
for _dotted in BASES:
    _package, _, _rest = _dotted.partition(".")
    if _package != "jupyterhub":  # packages import in __init__.py what their modules define
        _ALIASES["%s.%s" % (_package, _rest.rpartition(".")[2])] = _dotted
        _ALIASES["%s.%s" % (_package, _dotted)] = _dotted


class Ancestor(NamedTuple):
    """A class in the method resolution order of another."""

    name: str
    """The dotted name of an imported class, or the name of a class that a file defines."""
    definition: Optional[ClassDefinition] = None
    is_known: bool = True

    @property
    def section(self) -> str:
        """The section of its settings."""
        return self.name.rpartition(".")[2]


class WrongName(Exception):
    """There is no class of this name, or none with these bases; the text is the reason."""


def ancestors(value: Any, entry_points: Dict[str, str]) -> Tuple[Ancestor, ...]:
    """Return the method resolution order of a class, which comes first.

    ``value`` is a dotted name, the name of an entry point, or a ``ClassDefinition``. Raises
    WrongName for a value that the hub cannot use.
    """
    if not isinstance(value, (str, ClassDefinition)):
        raise WrongName("%r is not a class" % (value,))
    if isinstance(value, str):
        if value.lower() in entry_points:
            value = entry_points[value.lower()]
        elif not value:
            raise WrongName("'' is not the name of a class")
        elif ":" in value:
            raise WrongName(
                "%r is not the name of a class: write a dot in place of the colon" % value
            )
        elif "." not in value:
            for name in BASES:
                if name.startswith("jupyterhub.") and name.endswith("." + value):
                    raise WrongName(
                        "%r is not the name of a class; did you mean %r?" % (value, name)
                    )
        value = Imported(value)
    made: List[Tuple[type, Ancestor]] = []
    try:
        kind = _make(value, made)
    except TypeError as error:
        raise WrongName("%s: %s" % (getattr(value, "name", value), error))
    rows = dict(made)
    return tuple(rows[one] for one in kind.__mro__ if one is not object)


def _make(value: Any, made: List[Tuple[type, Ancestor]]) -> type:
    """Return an empty class with the bases of another, so that Python itself orders them."""
    if isinstance(value, ClassDefinition):
        bases: Tuple[Any, ...] = value.bases
        ancestor = Ancestor(value.name, value)
    elif isinstance(value, Imported):
        if value.name == "builtins.object":
            return object
        name = _ALIASES.get(value.name, value.name)
        bases = tuple(map(Imported, BASES.get(name, ())))
        ancestor = Ancestor(name, None, name in BASES)
    else:
        bases, ancestor = (), Ancestor("a computed class", None, False)
    for kind, known in made:
        if known == ancestor and known.is_known:
            return kind
    kind = type("C", tuple(_make(base, made) for base in bases), {})
    made.append((kind, ancestor))
    return kind


def sections(order: Tuple[Ancestor, ...]) -> Tuple[str, ...]:
    """Return the sections of a class in the order of traitlets: the last one overrides."""
    return tuple(ancestor.section for ancestor in reversed(order))
