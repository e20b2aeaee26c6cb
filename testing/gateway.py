"""A gateway host in namespaces of its own: a KDC on port 88, a name server, and doctor.

``python -m testing.gateway SCENE.json`` runs inside of them (unshare(1)); ``doctor_on`` starts
it. Ports and names are the namespace's own.
"""

import contextlib
import glob
import json
import os
import shutil
import subprocess
import sys
from typing import Any, Dict, List, Tuple

from testing import ROOT
from testing.dns_server import DnsServer, address, srv, uri
from testing.kdc import Kdc
from testing.kdc_proxy import KdcProxy
from testing.nginx import certificate
from testing.users import NOBODY, make_reachable

REALM, HOST = "EXAMPLE.TEST", "kdc.example.test"
_SETUP = """
set -e
ip link set lo up
for name in hosts resolv.conf nsswitch.conf; do
    mount --bind "$0/etc/$name" /etc/$name
done
"""
_PLUGINS = ("/usr/lib/*/krb5/plugins/", "/usr/lib64/krb5/plugins/")
_UNPACKED = ROOT + "/.tox/krb5-plugins"  # tests/run unpacks Debian's packages there
_PUBCONF = "/var/lib/sss/pubconf"
LOCATOR, TLS = "libkrb5/sssd_krb5_locator_plugin.so", "tls/k5tls.so"
"""sssd's plugin that finds KDCs, and the one for KDCs behind HTTPS."""
_MOUNT = """mount --bind "$0/plugins" %s
test -d /var/lib/sss/pubconf || { mount -t tmpfs tmpfs /var/lib; mkdir -p /var/lib/sss/pubconf; }
"""
_UNSHARE = ["unshare", "--net", "--mount", "sh", "-c"]


def can_unshare() -> bool:
    """Return whether this process may make such namespaces."""
    return os.geteuid() == 0 and all(map(shutil.which, ("unshare", "ip", "mount")))


def find_plugin(name: str, is_installed: bool = False) -> str:
    """Return the path of a plugin of libkrb5 that is installed or unpacked; empty if it is not."""
    for directory in _PLUGINS if is_installed else (*_PLUGINS, _UNPACKED + _PLUGINS[0]):
        for path in glob.glob(directory + name):
            return path
    return ""


def _copy_plugins(target: str, names: List[str]) -> str:
    """Copy the plugins of this host and some more; return the directory of this host's."""
    (directory,) = [path for pattern in _PLUGINS for path in glob.glob(pattern)][:1]
    shutil.copytree(directory, target)
    for name in names:
        os.makedirs(os.path.dirname(os.path.join(target, name)), exist_ok=True)
        shutil.copy(find_plugin(name), os.path.join(target, name))
    return directory


def doctor_on(directory: Any, krb5_conf: str, *options: str, **scene: Any) -> Dict[str, Any]:
    """Return doctor's JSON on a host with this krb5.conf.

    ``scene``: ``srv`` (names of SRV records), ``uri`` (the target of a URI record),
    ``truncated``, ``blocked`` (``udp`` or ``tcp``: the KDC does not listen there), ``hosts``
    (lines of /etc/hosts), ``silent`` (addresses that accept everything and answer nothing),
    ``open`` (ports of 127.0.0.1 that accept connections), ``config`` (a KRB5_CONFIG),
    ``plugins`` (those that libkrb5 has besides the host's), ``kdcinfo`` (the KDC that sssd's
    locator plugin finds), ``proxy`` (a name of 127.0.0.1, where a KDC proxy answers).
    """
    etc = directory / "etc"
    etc.mkdir()
    hosts = "127.0.0.1 localhost\n" + "".join(line + "\n" for line in scene.get("hosts", ()))
    (etc / "hosts").write_text(hosts)
    (etc / "resolv.conf").write_text("nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")
    (etc / "nsswitch.conf").write_text("passwd: files\ngroup: files\nhosts: files dns\n")
    conf = directory / "conf"
    conf.mkdir()
    (conf / "krb5.conf").write_bytes(krb5_conf.encode("utf-8"))
    make_reachable(str(conf))
    scene.update(directory=str(directory), options=options, krb5_conf=str(conf / "krb5.conf"))
    path = directory / "scene.json"
    path.write_text(json.dumps(scene))
    command = _SETUP
    if "plugins" in scene:
        command += _MOUNT % _copy_plugins(str(directory / "plugins"), scene["plugins"])
    if "kdcinfo" in scene:
        (directory / "pubconf").mkdir()
        (directory / "pubconf" / ("kdcinfo." + REALM)).write_text(scene["kdcinfo"] + "\n")
        command += 'mount --bind "$0/pubconf" %s\n' % _PUBCONF
    command += 'exec "$@"'
    inner = [sys.executable, "-m", "testing.gateway", str(path)]
    done = subprocess.run(
        [*_UNSHARE, command, str(directory), *inner],
        cwd=ROOT,
        env={"PATH": "/usr/sbin:/sbin:/usr/bin:/bin", "PYTHONPATH": ROOT, "LC_ALL": "C"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert done.stdout, done.stderr.decode(errors="replace")
    document: Dict[str, Any] = json.loads(done.stdout.decode())
    return document


def _main(path: str) -> None:
    with open(path) as file:
        scene = json.load(file)
    directory = scene["directory"]
    keytab = os.path.join(directory, "nobody.keytab")
    records = {HOST: [address("127.0.0.1")]}
    for name in scene.get("srv", ()):
        records["%s.%s" % (name, REALM)] = [srv(HOST)]
    if "uri" in scene:
        records["_kerberos." + REALM] = [uri(scene["uri"])]
    kdc = Kdc(directory + "/kdc", REALM, port=88, without=scene.get("blocked", ""))
    kdc.add_principal("alice", keytab=keytab)
    os.chown(keytab, NOBODY, NOBODY)
    make_reachable(directory)
    sockets = list(_listen(scene))
    with contextlib.ExitStack() as stack:
        stack.enter_context(kdc)
        stack.enter_context(DnsServer(records, scene.get("truncated", False)))
        if "proxy" in scene:
            pem = certificate(directory + "/conf", "proxy", scene["proxy"])
            key = pem.replace(".pem", ".key")
            stack.enter_context(KdcProxy(pem, key, ("127.0.0.1", 88)))
        config = scene.get("config", scene["krb5_conf"]).replace("{directory}", directory)
        environment = dict(os.environ, KRB5_CONFIG=config)
        argv = [sys.executable, "-m", "jhpatch", "doctor", "--json", *scene["options"]]
        argv = [word.replace("{directory}", directory) for word in argv]
        subprocess.run(argv, env=environment, stdin=subprocess.DEVNULL)
    del sockets


def _listen(scene: Dict[str, Any]) -> Any:
    import socket

    addresses: List[Tuple[str, int]] = [(host, 88) for host in scene.get("silent", ())]
    for host, port in addresses:
        datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        datagrams.bind((host, port))
        yield datagrams
    for host, port in addresses + [("127.0.0.1", port) for port in scene.get("open", ())]:
        stream = socket.socket()
        stream.bind((host, port))
        stream.listen(8)
        yield stream


if __name__ == "__main__":
    _main(sys.argv[1])
