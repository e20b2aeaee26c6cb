"""krb5.conf and what it includes: libkrb5's own values, and the files that they come from."""

import itertools
import os
import re
import stat
from typing import Iterator, Mapping, Optional, Tuple

from jhpatch.errors import JhpatchError
from jhpatch.kerberos import krb5_conf_text, libkrb5
from jhpatch.kerberos.krb5_conf_text import ConfigError, ConfigFile, Sources
from jhpatch.kerberos.libkrb5 import Relation
from jhpatch.namedtuple import NamedTuple
from jhpatch.system import path_owners, user_namespace
from jhpatch.system.files import read_text

_DEFAULT_PATHS = "/etc/krb5.conf"


class Profile(NamedTuple):
    """The relations of all files, in the order of libkrb5, which uses the first one of a tag."""

    relations: Tuple[Relation, ...] = ()
    errors: Tuple[ConfigError, ...] = ()
    sources: Tuple[ConfigFile, ...] = ()
    """The files that were read, with their lines."""
    is_model: bool = False
    """Whether jhpatch's own parser read the relations: this Python cannot load libkrb5."""

    def values(self, *path: str) -> Tuple[str, ...]:
        """Return each value of a tag."""
        return tuple(value for name, value in self.relations if name == path)

    def value(self, *path: str) -> Optional[str]:
        """Return the value that libkrb5 uses for a tag; None if there is none."""
        values = self.values(*path)
        return values[0] if values else None

    @property
    def files(self) -> Tuple[str, ...]:
        """The paths of the files that were read."""
        return tuple(source.path for source in self.sources)

    @property
    def realm(self) -> Optional[str]:
        """The default realm; None if the files set none."""
        return self.value("libdefaults", "default_realm")

    @property
    def is_trusted(self) -> bool:
        """Whether root may run a program that reads these files."""
        return not any(error.kind == "writable" for error in self.errors)


def paths_of(environ: Mapping[str, str]) -> Tuple[str, ...]:
    """Return the files and directories that libkrb5 reads; an empty name ends the list."""
    paths = environ.get("KRB5_CONFIG", _DEFAULT_PATHS).split(":")
    return tuple(itertools.takewhile(bool, paths))


def read_profile(environ: Mapping[str, str]) -> Profile:
    """Read krb5.conf, or the files that KRB5_CONFIG names, with all files that they include.

    Raises nothing: what cannot be read is in the profile's errors.
    """
    paths = paths_of(environ)
    sources = krb5_conf_text.read_sources(paths, _require_trusted)
    hazards = tuple(error for error in sources.errors if error.is_hazard)
    if hazards:
        return Profile((), hazards, sources.files)
    try:
        configuration = libkrb5.read_configuration(":".join(paths))
    except libkrb5.Unavailable:
        errors = tuple(_model_errors(paths, sources))
        return Profile(() if errors else sources.relations, errors, sources.files, is_model=True)
    failure = configuration.failure
    if failure is None:
        return Profile(configuration.relations, (), sources.files)
    named = [error for error in sources.errors if error.kind == failure.kind][:1]
    path, message = ":".join(paths), failure.message
    if named:
        path, message = named[0].path, named[0].message
        if failure.kind != "missing":
            message += " (libkrb5: %s)" % failure.message
    return Profile((), (ConfigError(failure.kind, path, message),), sources.files)


def _model_errors(paths: Tuple[str, ...], sources: Sources) -> Iterator[ConfigError]:
    """Yield the errors that keep libkrb5 from starting.

    libkrb5 skips a missing or unreadable path of KRB5_CONFIG if it can read another one.
    """
    is_top = {path: True for path in paths}
    skipped = [
        error
        for error in sources.errors
        if error.kind in ("missing", "unreadable") and error.path in is_top
    ]
    others = [error for error in sources.errors if error not in skipped]
    if len(skipped) == len(paths) and not others:
        yield from sorted(skipped, key=lambda error: error.kind != "unreadable")[:1]
    yield from others[:1]


def _require_trusted(path: str) -> None:
    """As root, refuse a file that an ordinary user can write. Raises JhpatchError."""
    if os.geteuid() != 0:
        return
    writer = path_owners.writer_of(path, is_system_account)
    if writer is not None and not _is_roots_device(writer.path):
        raise JhpatchError(
            "an ordinary user can write this path, so doctor does not read it as root",
            path=writer.path,
            found="owner uid %d, mode %04o" % (writer.uid, writer.mode),
        )


def _is_roots_device(path: str) -> bool:
    """Return whether a path is a character device of root's, such as /dev/null.

    What users write to it is not what others read from it.
    """
    status = os.lstat(path)
    is_roots = status.st_uid == 0 or user_namespace.is_outside(path, status)
    return stat.S_ISCHR(status.st_mode) and is_roots


def is_system_account(uid: int, login_defs: str = "/etc/login.defs") -> bool:
    """Return whether a uid is that of a system account.

    sssd, for example, writes files that krb5.conf includes. Such a uid is below UID_MIN of
    login.defs(5), whose default is 1000.
    """
    try:
        match = re.search(r"^[ \t]*UID_MIN[ \t]+(\d{1,9})\b", read_text(login_defs), re.M)
    except OSError:
        match = None
    return uid < (int(match.group(1)) if match else 1000)


def private_paths(profile: Profile) -> Iterator[Tuple[str, str]]:
    """As root, yield each file that some users cannot read, and the path that denies it.

    That path is the file itself or a directory above it. An access control list leaves the
    permissions of other users in the mode (acl(5)).
    """
    for path in profile.files if os.geteuid() == 0 else ():
        part = os.path.realpath(path)
        needed = stat.S_IROTH
        try:
            while os.stat(part).st_mode & needed and part != "/":
                part, needed = os.path.dirname(part), stat.S_IXOTH
            if not os.stat(part).st_mode & needed:
                yield path, part
        except OSError:
            continue  # the file has changed since it was read
