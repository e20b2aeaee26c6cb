"""Stand-ins for what the deployed code meets in a hub: authenticators, spawners, users."""

import concurrent.futures
import types

from tornado import gen, ioloop
from traitlets.config import Config, LoggingConfigurable

from jhpatch.deployed.kerberos import hub_face

EXECUTOR = concurrent.futures.ThreadPoolExecutor(1)


def in_loop(job):
    """Run a job that returns something to wait for, in an event loop of its own."""
    loop = ioloop.IOLoop()
    loop.make_current()

    @gen.coroutine
    def run():
        result = job()
        if hub_face.is_awaitable(result):
            result = yield result
        raise gen.Return(result)

    try:
        return loop.run_sync(run, timeout=300)
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
        hub_face.on_start(self)

    def normalize_username(self, name):
        return name.lower()

    @hub_face.on_login
    def authenticate(self, handler, data):
        self.calls.append("authenticate")
        if isinstance(self.answer, Exception):
            raise self.answer
        return KINDS[self.kind](self.answer)

    @hub_face.on_spawn
    def pre_spawn_start(self, user, spawner):
        self.calls.append("pre_spawn_start")
        return KINDS[self.kind]("spawned")

    @hub_face.on_stop
    def post_spawn_stop(self, user, spawner):
        self.calls.append("post_spawn_stop")
        return KINDS[self.kind]("stopped")


class Spawner:
    """What all spawners have."""

    def __init__(self, **environment):
        self.environment = environment
        self.active = True


class LocalProcessSpawner(Spawner):
    """A spawner by the name that counts."""


class DockerSpawner(Spawner):
    """Not on this host."""


def user(name="nobody", **spawners):
    """A hub's user."""
    return types.SimpleNamespace(name=name, spawners=spawners)


def running(*names, **environment):
    """Users with a running server each."""
    return [user(name, one=LocalProcessSpawner(**environment)) for name in names]


HANDLER = types.SimpleNamespace(request=types.SimpleNamespace(remote_ip="192.0.2.7"))


def broken(*args, **kwargs):
    """A bug."""
    raise RuntimeError("a bug")


class App(LoggingConfigurable):
    """What the renewer needs of a hub."""

    users = None
    config_file = ""

    def __init__(self, users, **settings):
        super().__init__(config=Config({"KerberosTicket": settings}))
        self.users = dict(enumerate(users))


class WithHub(Authenticator):
    """An authenticator of a hub that has users; ``parent`` may be one that wraps it."""

    def __init__(self, parent, log):
        LoggingConfigurable.__init__(self, parent=parent)
        self.log = log
        self.calls = []
        hub_face.on_start(self)


def program(text):
    """Return the text of a program in kinit's place, which tells its version as MIT's does."""
    return 'test "$1" = --version && { echo "Kerberos 5 version 1.20.1"; exit; }\n' + text
