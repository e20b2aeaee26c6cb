"""Stand-ins for what the deployed code meets in a hub: authenticators, spawners, users."""

import concurrent.futures
import types

from tornado import gen, ioloop
from traitlets.config import Config, LoggingConfigurable

from jhpatch.deployed import kerberos

EXECUTOR = concurrent.futures.ThreadPoolExecutor(1)


def in_loop(job):
    """Runs a job that gives something to wait for, in an event loop of its own."""
    loop = ioloop.IOLoop()
    loop.make_current()

    @gen.coroutine
    def run():
        result = job()
        if kerberos._is_awaitable(result):
            result = yield result
        raise gen.Return(result)

    try:
        return loop.run_sync(run, timeout=30)
    finally:
        loop.close()


async def _native(value):
    return value


@gen.coroutine
def _tornado(value):
    raise gen.Return(value)


KINDS = {
    "value": lambda value: value,
    "tornado future": _tornado,
    "native coroutine": _native,
    "concurrent future": lambda value: EXECUTOR.submit(lambda: value),
}


class Authenticator(LoggingConfigurable):
    """What the wrappers need of a PAMAuthenticator, with upstream's bodies to be seen."""

    kind = "value"
    answer = "nobody"

    def __init__(self, log, **settings):
        super().__init__(config=Config({"KerberosTicket": settings}))
        self.log = log
        self.calls = []
        kerberos.on_start(self)

    def normalize_username(self, name):
        return name.lower()

    @kerberos.on_login
    def authenticate(self, handler, data):
        self.calls.append("authenticate")
        if isinstance(self.answer, Exception):
            raise self.answer
        return KINDS[self.kind](self.answer)

    @kerberos.on_spawn
    def pre_spawn_start(self, user, spawner):
        self.calls.append("pre_spawn_start")
        return KINDS[self.kind]("spawned")

    @kerberos.on_stop
    def post_spawn_stop(self, user, spawner):
        self.calls.append("post_spawn_stop")
        return KINDS[self.kind]("stopped")


class LocalProcessSpawner:
    """A spawner by the name that counts."""

    def __init__(self, **environment):
        self.environment = environment
        self.active = True


class DockerSpawner:
    """Not on this host."""

    def __init__(self):
        self.environment = {}


def user(name="nobody", **spawners):
    """A hub's user."""
    return types.SimpleNamespace(name=name, spawners=spawners)


HANDLER = types.SimpleNamespace(request=types.SimpleNamespace(remote_ip="192.0.2.7"))


def broken(*args, **kwargs):
    """A bug."""
    raise RuntimeError("a bug")
