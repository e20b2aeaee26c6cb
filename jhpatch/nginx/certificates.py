"""Whether certificates and keys belong together, if nginx's account cannot read them.

nginx reads keys as root. jhpatch runs its test under another account, which cannot read them. So
root compares keys and certificates itself; as root, it reads only what only root can write.
"""

import os
import ssl
import stat
from typing import Iterator, List, Optional, Sequence, Tuple

from jhpatch.errors import JhpatchError
from jhpatch.nginx.directives import Directive, in_force
from jhpatch.nginx.servers import Server
from jhpatch.system import become_user, path_owners

_SIZE = 1 << 20  # bytes; a chain of certificates has about 10,000
_LIMIT = 20.0  # seconds, for a user to read the files

Pair = Tuple[Directive, Directive]
"""A certificate and its key."""


def pairs_of(servers: Sequence[Server]) -> List[Pair]:
    """Return the pairs that nginx loads, each once."""
    pairs = {}
    for server in servers:
        rows = [in_force(server.levels, "ssl_certificate" + end) for end in ("", "_key")]
        for certificate, key in zip(*rows):
            pairs[certificate.args[0], key.args[0]] = (certificate, key)
    return list(pairs.values())


def mismatches(pairs: Sequence[Pair], prefix: str) -> Iterator[Tuple[Directive, str]]:
    """Yield the keys that do not belong to their certificates. Raises ValueError if unknown."""
    for certificate, key in pairs:
        paths = [os.path.join(prefix, one.args[0]) for one in (certificate, key)]
        if any("$" in path or ":" in path for path in paths):
            raise ValueError("not a file: %s" % " ".join(paths))
        verdict = _compared(paths)
        if verdict is None:
            raise ValueError("cannot be compared: %s" % " ".join(paths))
        if verdict:
            yield key, "%s is not the key of %s" % (key.args[0], certificate.args[0])


def _compared(paths: List[str]) -> Optional[str]:
    """Return what is wrong, empty if nothing is, None if that is unknown."""
    try:
        uid = path_owners.owner_to_become(paths)
        if uid is None:
            return _loaded(paths)
        answer = become_user.run_as(uid, lambda: _loaded(paths), limit=_LIMIT)
    except (JhpatchError, OSError):
        return None
    return None if answer is None else str(answer)


def _loaded(paths: List[str]) -> Optional[str]:
    for path in paths:
        status = os.stat(path)
        if not stat.S_ISREG(status.st_mode) or status.st_size > _SIZE:
            return None
    try:
        # Without a password here, OpenSSL asks for one at the terminal.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(paths[0], paths[1], "")
    except ssl.SSLError as error:
        return "mismatch" if "KEY_VALUES_MISMATCH" in str(error) else None
    return ""
