"""A real nginx, in a network of its own: it takes the ports that a file says."""

import os
import shutil
import subprocess

import pytest

NGINX = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin")
_OWN_NETWORK = ["unshare", "--net"] + ([] if os.geteuid() == 0 else ["--map-root-user"])


def _missing():
    if not NGINX or not shutil.which("openssl"):
        return "no nginx, or no openssl"
    done = subprocess.run(_OWN_NETWORK + ["true"], stderr=subprocess.DEVNULL)
    return "no right to make a network" if done.returncode else ""


MISSING = _missing()
with_nginx = pytest.mark.skipif(bool(MISSING), reason=MISSING or "-")

MAIN = """
pid %(folder)s/nginx.pid;
error_log stderr warn;
events {}
http {
    access_log off;
    client_body_temp_path %(folder)s/body;
    proxy_temp_path %(folder)s/proxy;
    fastcgi_temp_path %(folder)s/fastcgi;
    uwsgi_temp_path %(folder)s/uwsgi;
    scgi_temp_path %(folder)s/scgi;
    include %(folder)s/site.conf;
}
"""


def judged_by_nginx(text, folder):
    """What ``nginx -t`` says of a site file: its exit code, and its warnings and errors."""
    with open(os.path.join(str(folder), "site.conf"), "w") as file:
        file.write(text)
    main = os.path.join(str(folder), "nginx.conf")
    with open(main, "w") as file:
        file.write(MAIN % {"folder": folder})
    script = 'ip link set lo up; exec "$0" -t -q -c "$1"'
    done = subprocess.run(
        _OWN_NETWORK + ["sh", "-c", script, NGINX, main],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    said = done.stdout.decode().splitlines()
    # Our certificates have no responder.
    return done.returncode, [line for line in said if '"ssl_stapling" ignored' not in line]


def certificate(folder, name, *names, days=90):
    """A key and a certificate that it has signed itself, for these names."""
    alt = ",".join("DNS:" + one for one in names)
    argv = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes".split()
    argv += ["-subj", "/CN=" + names[0], "-addext", "subjectAltName=" + alt, "-days", str(days)]
    stem = os.path.join(str(folder), name)
    argv += ["-keyout", stem + ".key", "-out", stem + ".pem"]
    subprocess.run(argv, check=True, stderr=subprocess.DEVNULL)
    return stem + ".pem"
