"""Credential caches: the file format (MIT krb5, versions 1 to 4), klist's output, cache names.

The format: https://web.mit.edu/kerberos/krb5-latest/doc/formats/ccache_file_format.html
"""

import re
import struct
from calendar import timegm
from time import strptime
from typing import List, Optional, Tuple

from .errors import Problem
from .namedtuple import NamedTuple

SIZE_CAP = 1024 * 1024
"""Bytes; a cache with a few hundred service tickets is smaller."""
_MOST_FIELDS = 65536  # of a cache, at most: reading one holds the interpreter lock for 1 us
_KLIST_CAP = 65536  # characters of klist's output that are read; a user can write into its pipe
_NAME_CAP = 2048  # characters of klist's output in which a pattern looks for the cache
_NAME_MAX = 255  # bytes of the name of a file, on all file systems of Linux (limits.h)
_CONFIG_REALM = "X-CACHECONF:"  # of entries that are not tickets (krb5_cc_set_config)
_CONFIG_NAME = "krb5_ccache_conf_data"
_ASKED = "jhpatch_asked"


class Malformed(ValueError):
    """A cache that is truncated, of an unknown version, or no cache at all."""


class Ticket(NamedTuple):
    """A ticket-granting ticket; times in seconds since the epoch, by the local clock."""

    principal: str
    start: float
    end: float
    renew_till: float
    asked: str = ""
    """The principal that jhpatch asked for, if the KDC returned another name for it."""


_Principal = Tuple[Tuple[str, ...], str]


class _Reader:
    """Reads fields from bytes; a missing field raises Malformed.

    Numbers are big-endian; in versions 1 and 2 of the format, they have the host's byte order.
    """

    def __init__(self, data: bytes, version: int = 4) -> None:
        self._data = data
        self.at = self._fields = 0
        self.version = version
        self._order = ">" if version > 2 else "="

    def number(self, form: str) -> int:
        """Return one number of a struct format without a byte order."""
        form = self._order + form
        return int(struct.unpack(form, self.take(struct.calcsize(form)))[0])

    def take(self, size: int) -> bytes:
        """Return the next ``size`` bytes."""
        if size > len(self._data) - self.at:
            raise Malformed("the cache is truncated")
        self._fields += 1
        if self._fields > _MOST_FIELDS:
            raise Malformed("the cache has more than %d fields" % _MOST_FIELDS)
        self.at += size
        return self._data[self.at - size : self.at]

    def counted(self) -> bytes:
        """Return the bytes of a counted field."""
        return self.take(self.number("I"))

    def text(self) -> str:
        """Return a counted string."""
        return self.counted().decode("utf-8", "replace")

    def has_more(self) -> bool:
        """Return whether bytes are left."""
        return self.at < len(self._data)

    def principal(self) -> _Principal:
        """Return ``(components, realm)``."""
        if self.version > 1:
            self.number("I")  # the type of the name
        count = self.number("I") - (self.version == 1)  # version 1 counts the realm too
        realm = self.text()
        if not 0 <= count <= 64:
            raise Malformed("a principal has %d components" % count)
        return tuple(self.text() for _ in range(count)), realm

    def skip_list(self) -> None:
        """Skip addresses or authorization data."""
        for _ in range(self.number("I")):
            self.number("H")
            self.counted()


def read_cache(data: bytes) -> Optional[Ticket]:
    """Return the TGT for the realm of the cache's principal that expires last; None for none.

    This applies the clock offset in the header of version 4. Raises Malformed.
    """
    if data[:1] != b"\x05" or data[1:2] not in (b"\x01", b"\x02", b"\x03", b"\x04"):
        raise Malformed("the cache has an unknown version: 0x%s" % data[:2].hex())
    reader = _Reader(data, data[1])
    reader.take(2)
    offset = _clock_offset(reader) if reader.version == 4 else 0
    owner = reader.principal()
    latest, asked = None, ""
    realm = owner[1]
    while reader.has_more():
        client, server, (auth, start, end, renew_till), value = _credential(reader)
        if server[1] == _CONFIG_REALM and server[0] == (_CONFIG_NAME, _ASKED):
            asked = value.decode("utf-8", "replace")
        # Other entries are service tickets, configuration, or removed tickets.
        if client == owner and server == (("krbtgt", realm), realm) and end:
            if latest is None or end - offset > latest.end:
                times = ((start or auth) - offset, end - offset, renew_till - offset)
                latest = Ticket("%s@%s" % ("/".join(owner[0]), realm), *times)
    return latest and latest._replace(asked=asked)


def _clock_offset(reader: _Reader) -> int:
    """Return by how many seconds the KDC's clock is ahead of the local one (header tag 1)."""
    fields = _Reader(reader.take(reader.number("H")))
    offset = 0
    while fields.has_more():
        tag, value = fields.number("H"), fields.take(fields.number("H"))
        if tag == 1 and len(value) == 8:
            offset = struct.unpack(">i", value[:4])[0]
    return offset


def _credential(
    reader: _Reader,
) -> Tuple[_Principal, _Principal, Tuple[int, int, int, int], bytes]:
    """Return client, server, times (auth, start, end, renew_till) and the ticket's bytes."""
    client, server = reader.principal(), reader.principal()
    reader.number("H")
    if reader.version == 3:
        reader.number("H")  # version 3 has the type of the key twice
    reader.counted()
    times = reader.number("I"), reader.number("I"), reader.number("I"), reader.number("I")
    reader.take(5)  # is_skey, flags
    reader.skip_list()
    reader.skip_list()
    value = reader.counted()
    reader.counted()  # the second ticket
    return client, server, times, value


def with_asked(data: bytes, asked: str) -> bytes:
    """Return a cache of version 4 with an entry for the requested principal.

    The KDC may have returned its canonical name (kinit -C, ``canonicalize = true``). The entry
    is a configuration entry of libkrb5 (``krb5_cc_set_config``), which is not taken for a
    ticket. A cache of another version is returned as it is. Raises Malformed.
    """
    if data[:2] != b"\x05\x04":
        return data
    reader = _Reader(data)
    reader.take(2)
    reader.take(reader.number("H"))
    start = reader.at
    reader.principal()
    entry = data[start : reader.at] + struct.pack(">II", 1, 2)  # 1: KRB5_NT_PRINCIPAL
    entry += b"".join(_packed(text) for text in (_CONFIG_REALM, _CONFIG_NAME, _ASKED))
    entry += struct.pack(">HI4IBIII", 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
    return data + entry + _packed(asked) + _packed("")


def _packed(text: str) -> bytes:
    data = text.encode("utf-8", "surrogateescape")
    return struct.pack(">I", len(data)) + data


def read_klist(text: str) -> Optional[Ticket]:
    """Return the TGT in what klist(1) prints with LC_ALL=C and TZ=UTC; None if there is none.

    For caches that are not files, which jhpatch reads through klist.
    """
    owner, latest = "", None
    lines = text[:_KLIST_CAP].split("\n") + [""]
    for line, following in zip(lines, lines[1:]):
        words = line.split()
        if line.startswith("Default principal: "):
            owner = line[len("Default principal: ") :]
        realm = owner.rpartition("@")[2]
        if len(words) == 5 and owner and words[4] == "krbtgt/%s@%s" % (realm, realm):
            renew = following.partition("renew until ")[2] if following[:1] == "\t" else ""
            start, end = _seconds(words[:2]), _seconds(words[2:4])
            ticket = Ticket(owner, start, end, _seconds(renew.split()[:2]))
            if latest is None or ticket.end > latest.end:
                latest = ticket
    return latest


def _seconds(words: List[str]) -> float:
    """Return klist's date and time in UTC as seconds since the epoch; 0 for none."""
    for form in ("%m/%d/%y %H:%M:%S", "%m/%d/%Y %H:%M:%S"):
        try:
            return float(timegm(strptime(" ".join(words), form)))
        except ValueError:
            continue
    return 0.0


class UnsupportedCache(Problem):
    """A cache that a server and its hub cannot share, or not with this keytab."""


class Cache(NamedTuple):
    """A credential cache: its name for libkrb5, and the path of its file, or empty."""

    name: str
    path: str

    @property
    def jvm_sees(self) -> bool:
        """Whether a JVM can read a cache of this type: it reads only FILE caches."""
        return self.name.startswith("FILE:")


def cache_of(text: str, uid: int) -> Cache:
    """Return the cache that a setting, KRB5CCNAME or klist names.

    In a collection, jhpatch uses its own subsidiary cache unless the name specifies one, so that
    kinit does not change the user's primary cache. Raises UnsupportedCache, Problem.
    """
    kind, colon, rest = text.partition(":")
    if text.startswith("/"):
        return Cache("FILE:" + text, _checked_path(text))
    if kind == "FILE" and rest.startswith("/"):
        return Cache(text, _checked_path(rest))
    if kind == "DIR" and rest.lstrip(":").startswith("/"):
        path = rest[1:] if rest.startswith(":") else rest.rstrip("/") + "/tktjhpatch"
        if not path.rpartition("/")[2].startswith("tkt"):
            raise Problem("%s: the name of a cache in a DIR collection must begin with tkt" % text)
        return Cache("DIR::" + path, _checked_path(path))
    if kind == "KCM" and colon:
        own = rest.partition(":")[0] or str(uid)
        return Cache("KCM:" + (rest if ":" in rest else own + ":jhpatch"), "")
    if kind == "KEYRING" and rest.partition(":")[0] == "persistent":
        words = rest.split(":")
        words += [str(uid), "jhpatch"][len(words) - 1 :]
        return Cache("KEYRING:" + ":".join(words), "")
    why = (
        " (servers inherit the session keyring from the hub, so users could read each other's "
        "tickets in it)"
    )
    raise UnsupportedCache(
        "the cache %r is not supported; use FILE:/path, DIR:/path, KCM: or "
        "KEYRING:persistent:UID%s" % (text, why if kind == "KEYRING" else "")
    )


def _checked_path(path: str) -> str:
    """Return the path of a file. Raises Problem for one that no file can have."""
    names = path.split("/")
    if names[-1] in ("", ".", ".."):
        raise Problem("%s: expected the path of a file, found that of a directory" % path)
    if any(len(name.encode("utf-8", "surrogatepass")) > _NAME_MAX for name in names):
        raise Problem("%s: a name in this path has more than %d bytes" % (path, _NAME_MAX))
    return path


def default_cache_of(text: str, uid: int) -> Cache:
    """Return the default cache, from the output of klist(1). Raises Problem.

    klist names the cache even if it does not exist. MIT krb5 and Heimdal print different texts.
    """
    text = text[:_NAME_CAP]
    match = re.search(r"^Ticket cache: (\S.*)$", text, re.M)
    match = match or re.search(r"^ *Credentials cache: (\S.*)$", text, re.M)
    match = match or re.search(r"\((?:filename: |ticket cache )?(\S.*)\)$", text, re.M)
    match = match or re.search(r"\((?:filename: |ticket cache )?(\S+)\)", text)
    if match:
        return cache_of(match.group(1), uid)
    match = re.search(r"Credentials cache (keyring )?'(.+)' not found", text)
    match = match or re.search(r"No (ticket file|credentials cache)(?: found)?: (.+)", text)
    if not match:
        raise Problem("klist names no cache: %s" % " ".join(text.split()))
    name = match.group(2)
    if match.group(1) == "keyring " or name.startswith(":"):  # without the type
        name = ("DIR:" if name.startswith(":") else "KEYRING:") + name
    return cache_of(name, uid)
