"""The command that reinstalls a distribution; no other module builds one.

The command runs the tool that installed the distribution, in its environment, as the user who
can write there. If no such command is safe, the advice is text. A site without its Python
(``--site``) can be part of an image: the Python that runs jhpatch belongs to another environment.
"""

import glob
import json
import os
import re
from typing import Dict, Iterable, List, Optional, Tuple

from jhpatch.errors import JhpatchError, NextStep, shell_command
from jhpatch.installer.distribution import Distribution
from jhpatch.installer.environment import Environment, Site
from jhpatch.system import path_owners
from jhpatch.system.files import read_file

DPKG_DATABASE = "/var/lib/dpkg/info"
_DEBIAN = "/usr/lib/python3/dist-packages"
_CAP = 64 * 1024 * 1024  # bytes
_URL_CAP = 64 * 1024


def advice(
    environment: Environment,
    site: Site,
    distributions: Iterable[Distribution],
    copies: bool = False,
) -> NextStep:
    """Return how to reinstall ``distributions`` of a site.

    With ``copies``, the files are copies if the tool had installed them as symlinks to a cache.
    """
    by_tool: Dict[str, List[Distribution]] = {}
    for distribution in distributions:
        by_tool.setdefault(_tool_of(environment, site, distribution), []).append(distribution)
    steps = [
        _step(environment, site, tool, group, copies) for tool, group in sorted(by_tool.items())
    ]
    step = steps[0] if steps else NextStep("reinstall the damaged distributions")
    for other in steps[1:]:
        step = _then(step, other)
    return step


def without_state(
    environment: Environment, site: Site, distributions: Iterable[Distribution]
) -> NextStep:
    """Return how to reinstall ``distributions`` and to remove all that jhpatch has saved.

    Temporary files can lie beside their targets, and the journal that names them is unreadable.
    """
    names = ("(", "-name", ".jhpatch", "-o", "-name", ".jhpatch-*", ")")
    find = ("find", site.path, *names, "-prune", "-exec", "rm", "-r", "{}", "+")
    remove = shell_command(*(_as_owner(environment, site) or ()), *find)
    distributions = tuple(distributions)
    return _then(advice(environment, site, distributions), remove) if distributions else remove


def _then(step: NextStep, other: NextStep) -> NextStep:
    is_command = not any(isinstance(part, str) and " " in part.strip() for part in step.parts)
    return step + (" && " if is_command else "; then ") + other


def _step(
    environment: Environment, site: Site, tool: str, group: List[Distribution], copies: bool
) -> NextStep:
    command = _COMMANDS.get(tool, _no_command)(environment, site, group, copies)
    prefix = () if tool == "apt" else _as_owner(environment, site)
    if command is None or prefix is None:
        return _words(environment, site, tool, group)
    return shell_command(*prefix, *command)


def _words(environment: Environment, site: Site, tool: str, group: List[Distribution]) -> NextStep:
    requirements = " ".join(_requirements(site, group))
    installer = group[0].installer
    if tool == "rpm":
        path = "%s/%s" % (site.path, group[0].info)
        return NextStep("reinstall the RPM package that contains " + path)
    if environment.python is None or not installer:
        installer = "the tool that installed it" + (" (%s)" % installer if installer else "")
    return NextStep("reinstall %s in %s with %s" % (requirements, site.path, installer))


def _tool_of(environment: Environment, site: Site, distribution: Distribution) -> str:
    """Return ``apt``, ``conda``, ``pip``, ``pipx``, ``uv`` or ``rpm``; "" without a command."""
    installer = distribution.installer
    if environment.python is None or not (site.inside or site.is_users):
        return ""
    if site.path == _DEBIAN:
        return "apt"
    is_conda = os.path.isdir(os.path.join(environment.prefix, "conda-meta"))
    if installer in ("conda", "rpm", "uv"):
        return str(installer)
    if installer is None and is_conda and not site.is_users:
        return "conda"
    if not any(os.path.isdir(os.path.join(other.path, "pip")) for other in environment.sites):
        return ""
    is_pipx = os.path.isfile(os.path.join(environment.prefix, "pipx_metadata.json"))
    return "pipx" if is_pipx else "pip"


def _requirements(site: Site, group: List[Distribution]) -> List[str]:
    """Return the requirements for pip and uv, with the URL of an archive or a commit if known."""
    return [_direct(site, row) or _named(row) for row in group]


def _named(distribution: Distribution) -> str:
    version = "==" + distribution.version if distribution.version else ""
    return distribution.name + version


def _direct(site: Site, distribution: Distribution) -> Optional[str]:
    """Return the requirement of an archive or a commit that was installed by its URL (PEP 610).

    The index can have another build of the release, or another distribution of the name.
    """
    from urllib.parse import unquote  # only for refusals

    path = os.path.join(site.path, distribution.info, "direct_url.json")
    try:
        row = json.loads(read_file(path, _URL_CAP).data.decode("utf-8"))
        url, archive, vcs = row["url"], row.get("archive_info"), row.get("vcs_info")
        if archive is not None:
            digest = str((archive.get("hashes") or {}).get("sha256"))
            is_hash = re.match(r"[0-9a-f]{64}\Z", digest)
            where = url + ("#sha256=" + digest if is_hash else "")
        else:
            where = "%s+%s@%s" % (vcs["vcs"], url, vcs["commit_id"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    is_gone = url.startswith("file://") and not os.path.exists(unquote(url[len("file://") :]))
    if is_gone or not re.match(r"[!-~]+\Z", where):  # a wheel of an image's build, or no URL
        return None
    return "%s @ %s" % (distribution.name, where)


# A command of each tool; None if it cannot be given.

_Command = Optional[List[str]]
_OPTIONS = ["--force-reinstall", "--no-deps"]


def _no_command(
    environment: Environment, site: Site, group: List[Distribution], copies: bool
) -> _Command:
    return None


def _pip(
    environment: Environment, site: Site, group: List[Distribution], copies: bool
) -> _Command:
    flags = [] if site.is_users else ["-I"]  # -I has no user site
    options = ["--user"] if site.is_users else []
    options += ["--break-system-packages"] if _is_managed(environment) else []
    command = [str(environment.python), *flags, "-m", "pip", "install", *options, *_OPTIONS]
    return command + _requirements(site, group)


def _pipx(
    environment: Environment, site: Site, group: List[Distribution], copies: bool
) -> _Command:
    venvs, name = os.path.split(environment.prefix)
    command = ["env", "PIPX_HOME=" + os.path.dirname(venvs), "pipx", "runpip", name, "install"]
    return command + _OPTIONS + _requirements(site, group)


def _uv(environment: Environment, site: Site, group: List[Distribution], copies: bool) -> _Command:
    if site.is_users:
        return None  # uv has no user sites
    # uv hard-links files to its cache, so an edit in place may have changed the cache, too.
    options = ["--no-cache", "--link-mode", "copy"]
    options += ["--break-system-packages"] if _is_managed(environment) else []
    command = ["uv", "pip", "install", "--python", str(environment.python), *options]
    return command + ["--reinstall", "--no-deps"] + _requirements(site, group)


def _conda(
    environment: Environment, site: Site, group: List[Distribution], copies: bool
) -> _Command:
    specs = [_conda_spec(environment.prefix, distribution) for distribution in group]
    if None in specs or os.path.exists(os.path.join(environment.prefix, "conda-meta", "pixi")):
        return None
    own = os.path.join(environment.prefix, "bin", "conda")
    command = [own if os.path.isfile(own) else "conda", "install", "--prefix", environment.prefix]
    return command + _OPTIONS + ["--copy"] * copies + [spec for spec in specs if spec]


def _conda_spec(prefix: str, distribution: Distribution) -> Optional[str]:
    """Return channel, name, version and build of the package that has a distribution's files.

    Its name can differ: jupyterhub's files are in ``jupyterhub-base``.
    """
    pattern = os.path.join(glob.escape(prefix), "conda-meta", distribution.name[:4] + "*.json")
    for path in sorted(glob.glob(pattern)):
        try:
            data = read_file(path, _CAP).data
            if ("/%s/" % distribution.info).encode("utf-8") in data:
                row = json.loads(data.decode("utf-8"))
                names = str(row.get("channel") or "").rstrip("/").split("/")
                subdir = str(row.get("subdir") or "")
                channel = next((name for name in reversed(names) if name != subdir), "")
                spec = "%s=%s=%s" % (row["name"], row["version"], row["build"])
                return "%s::%s" % (channel, spec) if channel else spec
        except (OSError, ValueError, KeyError, AttributeError):
            continue
    return None


def _apt(
    environment: Environment, site: Site, group: List[Distribution], copies: bool
) -> _Command:
    packages = [_debian_package(site, distribution) for distribution in group]
    if None in packages:
        return None
    sudo = ["sudo"] if os.geteuid() else []
    return sudo + ["apt-get", "install", "--reinstall"] + [name for name in packages if name]


def _debian_package(site: Site, distribution: Distribution) -> Optional[str]:
    name = distribution.name.replace("_", "?")  # python3-jupyter-server
    pattern = os.path.join(glob.escape(DPKG_DATABASE), "*%s*.list" % name)
    line = ("%s/%s\n" % (site.path, distribution.info)).encode("utf-8")
    for path in sorted(glob.glob(pattern)):
        try:
            if line in read_file(path, _CAP).data:
                return os.path.basename(path)[: -len(".list")]
        except OSError:
            continue
    return None


_COMMANDS = {"apt": _apt, "conda": _conda, "pip": _pip, "pipx": _pipx, "uv": _uv}


def _is_managed(environment: Environment) -> bool:
    """Return whether pip and uv refuse to change the environment (PEP 668)."""
    library = os.path.join(glob.escape(environment.prefix), "lib", "python3*")
    return bool(glob.glob(library + "/EXTERNALLY-MANAGED"))


# As the user who can write the site.


def _as_owner(environment: Environment, site: Site) -> Optional[Tuple[str, ...]]:
    """Return the arguments before a command, so that its user can write the site.

    Root runs no interpreter that another user can write. None if no single user is safe.
    """
    uid = os.geteuid()
    if uid:
        try:
            owner = os.stat(site.path).st_uid
        except OSError:
            return None
        is_writable = owner == uid or os.access(site.path, os.W_OK)
        user = ("-u", "#%d" % owner) if owner else ()
        return () if is_writable else ("sudo", "-H", *user)
    try:
        python = environment.python
        paths = [site.path] + ([python] if python else [])
        owner_to_become = path_owners.owner_to_become(paths)
    except (JhpatchError, OSError):
        return None
    if owner_to_become is None:
        return ()
    account = path_owners.account_of(owner_to_become)
    if account is None:
        return None
    return ("env", "HOME=" + account.home, "runuser", "-u", account.name, "--")
