"""The wall clock of the world, which can be stepped: CLOCK_REALTIME has no namespace.

A library that all programs of the world load (ld.so.preload(5)) adds an offset to what libc
gives: a step of the clock, for programs that have started since. Times of files are not stepped.
"""

import os
import struct
import subprocess
import time

_OFFSET = "/run/soak-clock"
_SLACK = 30.0  # seconds: the interval of such a callback, and more
_SOURCE = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>
static volatile long none, *offset = &none;
__attribute__((constructor)) static void find(void) {
    int fd = open("/run/soak-clock", O_RDONLY | O_CLOEXEC);
    void *page = fd < 0 ? MAP_FAILED : mmap(0, sizeof(long), PROT_READ, MAP_SHARED, fd, 0);
    if (page != MAP_FAILED) offset = page;
    if (fd >= 0) close(fd);
}
int clock_gettime(clockid_t id, struct timespec *now) {
    int failed = syscall(SYS_clock_gettime, id, now);
    if (!failed && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)) now->tv_sec += *offset;
    return failed;
}
int gettimeofday(struct timeval *now, void *zone) {
    int failed = syscall(SYS_gettimeofday, now, zone);
    if (!failed) now->tv_sec += *offset;
    return failed;
}
time_t time(time_t *result) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (result) *result = now.tv_sec;
    return now.tv_sec;
}
/* Their deadlines are the kernel's time. Those of CLOCK_MONOTONIC are small. */
static const struct timespec *real(const struct timespec *end, struct timespec *copy) {
    *copy = *end;
    if (end->tv_sec > 1000000000) copy->tv_sec -= *offset;
    return copy;
}
int sem_timedwait(sem_t *s, const struct timespec *end) {
    struct timespec copy;
    int (*next)(sem_t *, const struct timespec *) = dlsym(RTLD_NEXT, "sem_timedwait");
    return next(s, real(end, &copy));
}
int pthread_cond_timedwait(pthread_cond_t *c, pthread_mutex_t *m, const struct timespec *end) {
    struct timespec copy;
    int (*next)(pthread_cond_t *, pthread_mutex_t *, const struct timespec *) =
        dlsym(RTLD_NEXT, "pthread_cond_timedwait");
    return next(c, m, real(end, &copy));
}
"""


class Clock:
    """The clock of all programs that start from now on."""

    def __init__(self, folder: str) -> None:
        source, library = folder + "/clock.c", folder + "/libclock.so"
        with open(source, "w") as file:
            file.write(_SOURCE)
        subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source], check=True)
        self._offset, self._pause_ends = 0, 0.0
        self.step(0)
        with open("/etc/ld.so.preload", "w") as file:
            file.write(library + "\n")

    def step(self, seconds: int) -> None:
        """Set the clock to so many seconds after (negative: before) the machine's."""
        if seconds < self._offset:
            self._pause_ends = time.monotonic() + self._offset - seconds + _SLACK
        self._offset = seconds
        flags = os.O_WRONLY | os.O_CREAT
        fd = os.open(_OFFSET, flags, 0o644)
        os.pwrite(fd, struct.pack("l", seconds), 0)
        os.close(fd)

    @property
    def pauses_callbacks(self) -> bool:
        """Whether tornado's periodic callbacks may pause, such as JupyterHub's look at servers.

        After a step back by N seconds, they pause for N seconds, also if the clock is set right
        meanwhile (tornado/ioloop.py, ``PeriodicCallback._update_next``).
        """
        return time.monotonic() < self._pause_ends
