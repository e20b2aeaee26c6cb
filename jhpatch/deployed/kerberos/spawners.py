"""What the ticket service needs to know of a hub's spawners."""

import sys
from typing import Any, Mapping, Optional

_LOCAL = {"LocalProcessSpawner", "SystemdSpawner", "SudoSpawner"}
_AS_THE_HUB = {"SimpleLocalProcessSpawner", "SimpleSpawner"}


def named_ccache(environment: Mapping[str, Any], spawner: Any) -> Optional[str]:
    """Return the KRB5CCNAME that the administrator has put into a spawner's environment.

    A value can be a callable that takes the spawner (Spawner.environment). It may raise
    anything, and take long: do not call this on an event loop.
    """
    named = environment.get("KRB5CCNAME")
    if callable(named):
        named = named(spawner)
    return named if isinstance(named, str) and named else None


def is_local(spawner: Any) -> bool:
    """Return whether a server runs as its user on this host, with this /tmp."""
    names = {kind.__name__ for kind in type(spawner).__mro__}
    if not names & _LOCAL or names & _AS_THE_HUB:
        return False
    own_name = getattr(spawner, "username_template", "{USERNAME}") == "{USERNAME}"
    is_private = getattr(spawner, "isolate_tmp", False) or getattr(spawner, "dynamic_users", False)
    return own_name and not is_private


def may_refuse_a_spawn() -> bool:
    """Return whether the hub does not count a refusal toward consecutive_failure_limit.

    The releases that have SpawnException exempt an HTTPError below 500 too
    (jupyterhub/handlers/base.py, _track_failure_count); the others exit.
    """
    return hasattr(sys.modules.get("jupyterhub.spawner"), "SpawnException")
