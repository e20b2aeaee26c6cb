"""A directory service that hangs: an NSS module that the private world's libc asks first."""

import os
import shutil
import subprocess
from typing import List, NamedTuple

from integration.e2e import world

_FOLDER = "/run/slow-directory"
_SOURCE = r"""
#include <errno.h>
#include <grp.h>
#include <nss.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
/* /run/slow-directory/FUNCTION has milliseconds; removed, whoever sleeps goes on. */
static enum nss_status slow(const char *function, const char *name, int *error) {
    char path[99];
    int left = 0;
    struct timespec pause = {0, 20000000L};
    FILE *file, *log;
    *error = ENOENT;
    snprintf(path, sizeof path, "/run/slow-directory/%s", function);
    if (!(file = fopen(path, "re"))) return NSS_STATUS_NOTFOUND;
    if (fscanf(file, "%d", &left) != 1) left = 0;
    fclose(file);
    if ((log = fopen("/run/slow-directory/log", "ae"))) {
        fprintf(log, "%d %d %s %s\n", getpid(), (int)syscall(SYS_gettid), function, name);
        fclose(log);
    }
    for (; left > 0 && !access(path, F_OK); left -= 20) nanosleep(&pause, 0);
    return NSS_STATUS_NOTFOUND;
}
enum nss_status _nss_slow_getpwnam_r(
    const char *n, struct passwd *p, char *b, size_t l, int *e) { return slow("getpwnam", n, e); }
enum nss_status _nss_slow_getgrnam_r(
    const char *n, struct group *p, char *b, size_t l, int *e) { return slow("getgrnam", n, e); }
enum nss_status _nss_slow_initgroups_dyn(
    const char *u, gid_t g, long *s, long *z, gid_t **gs, long m, int *e) {
    return slow("initgroups", u, e);
}
"""


class Call(NamedTuple):
    """A question to the directory."""

    pid: int
    thread: int
    function: str
    name: str


def missing() -> str:
    """What this machine lacks; empty if it lacks nothing."""
    return "" if shutil.which("cc") else "cc"


def install(folder: str) -> None:
    """Have libc ask the slow directory before its own files; nothing is slow yet."""
    source, library = folder + "/slow.c", _libc_folder() + "/libnss_slow.so.2"
    with open(source, "w") as file:
        file.write(_SOURCE)
    world.overlay(os.path.dirname(library))
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source], check=True)
    os.makedirs(_FOLDER)
    open(_FOLDER + "/log", "w").close()
    os.chmod(_FOLDER + "/log", 0o666)
    shutil.copy("/etc/nsswitch.conf", folder)
    script = "s/^(passwd|group|initgroups):.*/\\1: slow files/"
    subprocess.run(["sed", "-E", "-i", script, "/etc/nsswitch.conf"], check=True)


def remove(folder: str) -> None:
    """Have libc ask its own files again."""
    go_on()
    shutil.copy(folder + "/nsswitch.conf", "/etc/nsswitch.conf")


def _libc_folder() -> str:
    with open("/proc/self/maps") as file:
        paths = {line.split()[-1] for line in file}
    (libc,) = (path for path in paths if os.path.basename(path).startswith("libc.so"))
    return os.path.dirname(libc)


def hang(function: str, seconds: float) -> None:
    """From now on this function takes so long, or until ``go_on``."""
    with open("%s/%s.new" % (_FOLDER, function), "w") as file:
        file.write("%d" % (seconds * 1000))
    os.rename(file.name, "%s/%s" % (_FOLDER, function))


def go_on() -> None:
    """Nothing is slow any longer."""
    for name in os.listdir(_FOLDER):
        if name != "log":
            os.unlink("%s/%s" % (_FOLDER, name))


def calls() -> List[Call]:
    """What the directory was asked while it was slow."""
    with open(_FOLDER + "/log") as file:
        rows = [line.split(" ", 3) for line in file.read().splitlines()]
    return [Call(int(pid), int(thread), function, name) for pid, thread, function, name in rows]
