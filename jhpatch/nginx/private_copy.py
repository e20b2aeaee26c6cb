"""The copy of a configuration that nginx tests, and the account that runs nginx.

A configuration names code that nginx runs (modules, OpenSSL engines) and files that it reads.
Therefore jhpatch never runs ``nginx -t`` as root. nginx receives only the text that jhpatch read
and whose owners it checked: one file without an include, in a private directory.
"""

import os
import re
import shutil
import subprocess
import tempfile
from typing import FrozenSet, Iterator, Mapping, Optional, Sequence, Tuple

from jhpatch.errors import Failed, Refused
from jhpatch.nginx import parser
from jhpatch.nginx.directives import Directive, walk
from jhpatch.nginx.version import Nginx
from jhpatch.system import become_user, path_owners

_LIMIT = 20.0  # seconds, for a user to read the files
_NOBODY = 65534  # the uid if the password database has no account ``nobody``
_BASES = ("/run", "/var/lib", "/var/cache")
"""Directories that root owns and every account can enter."""
_CODE = re.compile(r"load_module|ssl_engine|perl_modules|perl_require|init_by_lua.*")
"""Directives that run code while nginx reads the configuration."""
_ENGINE = ("engine:", "store:")
_FILES = re.compile(
    r"((proxy|grpc|uwsgi)_)?ssl_(certificate|certificate_key|trusted_certificate"
    r"|client_certificate|dhparam|password_file|crl|stapling_file|session_ticket_key)"
    r"|auth_basic_user_file|geoip_(country|city|org)|xslt_stylesheet|xml_entities|js_include"
)
"""Directives whose first word is a file, relative to the directory of the main file."""
_OPENED = re.compile(r".*ssl_.*")
"""Those of them that nginx opens while it reads the configuration."""


def account(program: str, hashes: Mapping[str, str]) -> Optional[int]:
    """Return the uid to run nginx as; None for the uid of this process.

    ``hashes`` has the SHA-256 of the text of each file (``parser.hash_of``). Raises Refused if
    several users can write the program or the files, or if the one who can write them does not
    read the same text: their include can name a file that only root can read. Raises Failed.
    """
    files = {os.path.abspath(path): digest for path, digest in hashes.items()}
    uid = path_owners.owner_to_become([program, *files])
    if uid is not None and not _reads_the_same(uid, files):
        raise Refused(
            "uid %d can write a file of the configuration, but cannot read every file" % uid
        )
    if uid is not None or os.geteuid() != 0:
        return uid
    import pwd

    try:
        return pwd.getpwnam("nobody").pw_uid or _NOBODY
    except KeyError:
        return _NOBODY


def _reads_the_same(uid: int, files: Mapping[str, str]) -> bool:
    def job() -> bool:
        try:
            return all(parser.hash_of(path) == digest for path, digest in files.items())
        except Failed:
            return False

    return bool(become_user.run_as(uid, job, limit=_LIMIT))


def without_code(directives: Sequence[Directive], prefix: str) -> Tuple[Directive, ...]:
    """Omit the directives that name code, and make the names of files absolute."""
    rows = []
    for one in directives:
        if _CODE.fullmatch(one.name) or _is_engine(one):
            continue
        if _FILES.fullmatch(one.name) and _is_relative(one):
            path = os.path.join(prefix, one.args[0])
            one = one._replace(args=(path, *one.args[1:]))
        if one.block is not None:
            one = one._replace(block=without_code(one.block, prefix))
        rows.append(one)
    return tuple(rows)


def _is_engine(directive: Directive) -> bool:
    return any(word.startswith(_ENGINE) for word in directive.args)


def _is_relative(directive: Directive) -> bool:
    word = directive.args[0] if directive.args else ""
    return bool(word) and word != "off" and not word.startswith(("/", "$", "data:"))


def has_engine_keys(directives: Sequence[Directive]) -> bool:
    """Return whether an OpenSSL engine has a key of the configuration."""
    return any(_is_engine(one) for one in walk(directives))


def modules_of(directives: Sequence[Directive]) -> FrozenSet[str]:
    """Return the file names of the modules that a configuration loads."""
    rows = [one for one in directives if one.name == "load_module"]
    return frozenset(os.path.basename(word) for one in rows for word in one.args)


def files_of(directives: Sequence[Directive], prefix: str) -> Iterator[Tuple[Directive, str]]:
    """Yield the files that nginx opens while it reads the directives, with absolute paths."""
    for one in walk(without_code(directives, prefix)):
        is_file = _FILES.fullmatch(one.name) and _OPENED.fullmatch(one.name)
        if one.is_unread and len(one.args) == 1:
            yield one, os.path.join(prefix, one.args[0])
        elif is_file and one.args[:1] and one.args[0].startswith("/") and "$" not in one.args[0]:
            yield one, one.args[0]


def test(nginx: Nginx, text: str, uid: Optional[int], timeout: float) -> str:
    """Return what ``nginx -t`` prints about a text. Raises Failed, OSError, SubprocessError."""
    folder = _private_directory(uid)
    try:
        path = os.path.join(folder, "jhpatch-check.conf")
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o400)
        with open(descriptor, "w", encoding="utf-8", errors="surrogateescape") as file:
            file.write(text)
            if uid is not None:  # the directory remains root's
                os.fchown(descriptor, uid, -1)
        if uid is None:
            return _run(nginx, path, timeout)
        return str(become_user.run_as(uid, lambda: _run(nginx, path, timeout), limit=2 * timeout))
    finally:
        shutil.rmtree(folder)


def _private_directory(uid: Optional[int]) -> str:
    """Return a new directory, above which only root and this user can write.

    It is not below /tmp, where a relative name with ``..`` leads to files of any user.
    """
    own = os.geteuid()
    bases: Sequence[Optional[str]] = _BASES
    if uid is None:
        entry = path_owners.account_of(own)
        bases = (os.path.expanduser("~"), entry and entry.home)
    for base in bases:
        try:
            if not base or path_owners.writer_of(base, lambda writer: writer == own):
                continue
            folder = tempfile.mkdtemp(prefix="jhpatch-nginx-", dir=base)
        except (OSError, Failed):
            continue
        if uid is not None:
            os.chmod(folder, 0o711)
        return folder
    raise Failed("found no safe directory for a private copy of the configuration")


def _run(nginx: Nginx, path: str, timeout: float) -> str:
    argv = [nginx.program, "-t", "-c", path]
    if nginx.number >= (1, 19, 5):
        argv += ["-e", "stderr"]
    completed = subprocess.run(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        cwd="/",
        env={"LC_ALL": "C", "PATH": os.defpath},
        timeout=timeout,
    )
    return completed.stderr.decode("utf-8", "replace")
