"""A Hadoop configuration: where YARN and HDFS are, and whether a ResourceManager answers.

Copied into a kernelspec's directory as ``jhpatch_hadoop.py``.
"""

import os
import socket
import xml.etree.ElementTree
from typing import Callable, Dict, Iterator, Mapping, NamedTuple, Optional, Tuple

if not __name__.startswith("jhpatch_"):
    from jhpatch.deployed.causes import Fault
    from jhpatch.deployed.host_files import CAP, bytes_of
else:  # in a kernel, where no jhpatch need be
    from jhpatch_causes import Fault  # type: ignore[import-not-found,no-redef]
    from jhpatch_host_files import CAP, bytes_of  # type: ignore[import-not-found,no-redef]


class Hadoop(NamedTuple):
    """The settings of a Hadoop configuration."""

    folder: str
    """Of its yarn-site.xml."""
    kerberized: bool = False
    default_fs: str = ""
    managers: Tuple[str, ...] = ()
    """``host:port`` of each ResourceManager."""
    principal: str = ""
    """The ResourceManager's own, which names the realm."""

    @property
    def realm(self) -> str:
        """The realm of the cluster; empty if no principal names it."""
        return self.principal.rpartition("@")[2] if "@" in self.principal else ""


def directories_of(environ: Mapping[str, str]) -> Tuple[str, ...]:
    """Return the directories of the Hadoop configuration, in the order in which a JVM reads them.

    Spark puts HADOOP_CONF_DIR and YARN_CONF_DIR on the class path, each of one or more
    directories (``AbstractCommandBuilder.buildClassPath``).
    """
    names = ("HADOOP_CONF_DIR", "YARN_CONF_DIR")
    parts = [part for name in names for part in environ.get(name, "").split(":") if part]
    return tuple(dict.fromkeys(parts))


def hadoop_of(*directories: str) -> Tuple[Optional[Hadoop], Optional[Fault]]:
    """Return the settings in core-site.xml and yarn-site.xml, or why they cannot be used.

    Each file is read from the first directory that contains it.
    """

    def fault(words: str, path: str) -> Fault:
        return Fault("hadoop-conf-unreadable", words, path)

    folders = [directory for directory in directories if directory]
    if not folders:
        return None, fault("neither HADOOP_CONF_DIR nor YARN_CONF_DIR is set", "")
    where: Dict[str, str] = {}
    values: Dict[str, str] = {}
    for name in ("core-site.xml", "yarn-site.xml"):
        paths = [os.path.join(folder, name) for folder in folders]
        path = next(filter(os.path.lexists, paths), paths[0])
        where[name] = os.path.dirname(path)
        try:
            values.update(_properties(path))
        except OSError as error:
            return None, fault("%s: %s" % (path, error.strerror), path)
        except (ValueError, xml.etree.ElementTree.ParseError) as error:
            return None, fault("%s: %s" % (path, error), path)
    kerberized = values.get("hadoop.security.authentication", "simple").strip() == "kerberos"
    default_fs = values.get("fs.defaultFS") or values.get("fs.default.name", "")
    principal = values.get("yarn.resourcemanager.principal", "")
    folder = where["yarn-site.xml"]
    return Hadoop(folder, kerberized, default_fs, _managers(values), principal), None


def _properties(path: str) -> Iterator[Tuple[str, str]]:
    """Yield the properties in a Hadoop XML file. Raises OSError, ValueError, ParseError."""
    data = bytes_of(path, CAP + 1)
    if len(data) > CAP:
        raise ValueError("larger than %d bytes" % CAP)
    if b"<!ENTITY" in data:
        raise ValueError("the file defines XML entities, which jhpatch does not read")
    for row in xml.etree.ElementTree.fromstring(data).iter("property"):
        name, value = row.findtext("name"), row.findtext("value")
        if name:
            yield name.strip(), (value or "").strip()


def _managers(values: Mapping[str, str]) -> Tuple[str, ...]:
    """Return the addresses of all ResourceManagers, by the rules of yarn-default.xml.

    With high availability, there is no default (``HAUtil.checkAndSetRMRPCAddress``).
    """
    names = values.get("yarn.resourcemanager.ha.rm-ids", "")
    ends, default = [""], "0.0.0.0"  # to which a client on the same host can connect
    if values.get("yarn.resourcemanager.ha.enabled", "") == "true":
        default = ""
        ends = ["." + name.strip() for name in names.split(",")] if names else ends
    found = []
    for end in ends:
        host = values.get("yarn.resourcemanager.hostname" + end) or default
        address = values.get("yarn.resourcemanager.address" + end) or (host and host + ":8032")
        if address:
            found.append(address.replace("${yarn.resourcemanager.hostname%s}" % end, host))
    return tuple(found)


def judged_managers(hadoop: Hadoop, reach: Callable[[str], Optional[str]]) -> Tuple[Fault, ...]:
    """Return a fault if no ResourceManager answers.

    ``reach`` returns None for an address that answers, and otherwise why it does not.
    """
    if not hadoop.managers:
        words = "%s/yarn-site.xml names no ResourceManager" % hadoop.folder
        return (Fault("hadoop-conf-unreadable", words, hadoop.folder + "/yarn-site.xml"),)
    why = [(address, reach(address)) for address in hadoop.managers]
    if any(reason is None for _, reason in why):
        return ()
    words = "; ".join("%s: %s" % one for one in why)
    message = "no ResourceManager answers (%s)" % words
    return (Fault("yarn-unreachable", message, hadoop.folder + "/yarn-site.xml"),)


def reached(address: str, seconds: float = 2.0) -> Optional[str]:
    """Return None if something listens at ``host:port``, or why it cannot be reached in time."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), seconds).close()
    except (OSError, ValueError) as error:
        return str(getattr(error, "strerror", None) or error)
    return None
