"""The values with which the reader of a configuration file computes.

A constant stands for itself: text, bytes, a number, True, None, Ellipsis, or a list, tuple or set
of constants.
"""

from typing import Any, Dict, Optional

from jhpatch.kerberos.hub_config import Place, Unread
from jhpatch.namedtuple import NamedTuple

OLD_TRAITLETS = "is kept only by traitlets 5 and later"
"""In older releases, update() replaces the value of another file or of a base class."""
_ATOMS = (str, bytes, int, float, complex, bool, type(None), type(Ellipsis))
_CONTAINERS = (list, tuple, set, frozenset)


def is_constant(value: Any) -> bool:
    """Return whether a value is a constant."""
    if type(value) in _CONTAINERS:
        return all(map(is_constant, value))
    return type(value) in _ATOMS


class Imported(NamedTuple):
    """A dotted name, which stands for a module, a class or a function of another file."""

    name: str


class Builtin(NamedTuple):
    """A function that traitlets provides to a configuration file."""

    name: str


class Entries:
    """A dictionary of a configuration file, some of whose entries may be unknown."""

    def __init__(self, is_update: bool = False) -> None:
        self.items: Dict[Any, Any] = {}
        self.rest: Optional[Unread] = None
        self.is_lost = False
        """Whether other code can hold the dictionary: no entry is known from then on."""
        self.is_update = is_update
        """Whether it stands for changes of a default: traitlets' LazyConfigValue."""
        self.places: Dict[Any, Place] = {}

    @property
    def is_untouched(self) -> bool:
        """Whether it is a default that was only read."""
        return self.is_update and not self.items and self.rest is None

    def set(self, key: Any, value: Any, why: Unread) -> None:
        """Set an entry at the place of ``why``, which is also the reason if the key is unknown."""
        if is_constant(key) and not isinstance(key, (list, set)):
            try:
                self.items[key] = self.rest if self.is_lost else value
                self.places[key] = why.place
                return
            except TypeError:  # a tuple with a list in it
                pass
        self.forget(why)

    def get(self, key: Any, missing: Any) -> Any:
        """Return an entry, or ``missing``."""
        try:
            return self.items.get(key, missing)
        except TypeError:  # a list is no key
            return missing

    def forget(self, why: Unread, is_lost: bool = False) -> None:
        """Treat each entry as unknown: code that is not evaluated can change all of them.

        ``is_lost`` if that code can hold the dictionary, and so change it at any time.
        """
        if self.is_lost:
            return
        self.rest, self.is_lost = why, is_lost
        self.lose_items(why)
        self.items = dict.fromkeys(self.items, why)

    def lose_items(self, why: Unread) -> None:
        """Treat the dictionaries and lists in this one as unknown: other code can hold them."""
        self.items = {key: lost(value, why) for key, value in self.items.items()}

    def update(self, other: Any, why: Unread) -> None:
        """Set the entries of another dictionary, which may be unknown."""
        if not isinstance(other, Entries):
            self.forget(why)
            return
        if other.rest is not None:
            self.forget(other.rest)
        for key, value in other.items.items():
            self.set(key, value, why._replace(place=other.places.get(key, why.place)))


class Section:
    """A traitlets ``Config``: names with an initial capital are sections, others settings."""

    def __init__(self, name: str = "") -> None:
        self.name = name
        """``c`` without a name; ``c.A`` with the name A."""
        self.entries: Dict[str, Any] = {}
        self.places: Dict[str, Place] = {}
        self.rest: Optional[Unread] = None
        """Code that can set other entries."""
        self.is_lost = False
        """Whether other code can hold the section: no entry is known from then on."""
        self.lost: Dict[str, Unread] = {}
        """Entries that a function sets, which may be called at any time."""

    def __str__(self) -> str:
        return "c.%s" % self.name if self.name else "c"

    def get(self, key: str) -> Any:
        """Return an entry. As in traitlets, a missing one is created."""
        if key not in self.entries:
            if is_section(key):
                name = "%s.%s" % (self.name, key) if self.name else key
                self.entries[key] = Section(name)
                if self.rest is not None:
                    self.entries[key].forget(self.rest, self.is_lost)
            elif self.rest is not None:
                return self.rest
            else:
                self.entries[key] = Entries(is_update=True)
        return self.entries[key]

    def set(self, key: str, value: Any, place: Place) -> None:
        """Set an entry; it stays unknown if other code can set it at any time."""
        why = self.rest if self.is_lost else self.lost.get(key)
        if why is None:
            self.entries[key], self.places[key] = value, place
        else:
            lose(value, why)
            self.entries[key] = why
            self.places.pop(key, None)

    def lose_entry(self, key: str, why: Unread) -> None:
        """Treat an entry as unknown: a function that can be called at any time sets it."""
        self.lost.setdefault(key, why)
        lose(self.entries.get(key), why)
        self.set(key, why, why.place)

    def forget(self, why: Unread, is_lost: bool = False) -> None:
        """Treat each entry as unknown: code that is not evaluated can change all of them.

        ``is_lost`` if that code can hold the section, and so change it at any time.
        """
        if self.is_lost:
            return
        self.rest, self.is_lost = why, is_lost
        for key, value in self.entries.items():
            if isinstance(value, Section):
                value.forget(why, is_lost)
            else:
                lose(value, why)
                self.entries[key] = why
                self.places.pop(key, None)

    def lose_items(self, why: Unread) -> None:
        """Treat the sections, dictionaries and lists in this one as unknown.

        Other code can hold them.
        """
        self.entries = {key: lost(value, why) for key, value in self.entries.items()}

    def doubt(self, other: "Section", why: Unread, is_lost: bool) -> None:
        """Treat what another configuration sets as unknown: it may be merged into this one.

        ``is_lost`` if that can happen at any time.
        """
        if other.rest is not None:
            self.forget(why, is_lost)
        for key, value in other.entries.items():
            if isinstance(value, Section):
                self.get(key).doubt(value, why, is_lost)
            elif not (isinstance(value, Entries) and value.is_untouched):
                lose(self.entries.get(key), why)
                self.set(key, why, why.place)
                if is_lost:
                    self.lose_entry(key, why)

    def merge(self, other: "Section") -> None:
        """Merge another configuration, which takes precedence, by the rules of traitlets."""
        if other.rest is not None:
            self.forget(other.rest)
        for key, value in other.entries.items():
            mine = self.entries.get(key)
            if isinstance(mine, Section) and isinstance(value, Section):
                mine.merge(value)
                continue
            if isinstance(value, Entries) and value.is_untouched:
                continue
            if isinstance(value, Entries) and value.is_update:
                if isinstance(mine, Entries):
                    why = Unread(min(value.places.values(), default=Place("")), OLD_TRAITLETS)
                    mine.items = dict.fromkeys(mine.items, why)
                    mine.update(value, why)
                    value = mine
                elif isinstance(mine, Unread) or (key not in self.entries and self.rest):
                    value.is_update, value.rest = False, mine or self.rest
            if key in other.places:
                self.set(key, value, other.places[key])
            else:
                self.entries[key] = value
                self.places.pop(key, None)


def lose(value: Any, why: Unread) -> None:
    """Treat all entries of a section or a dictionary as unknown, from now on."""
    if isinstance(value, (Section, Entries)):
        value.forget(why, is_lost=True)


def lost(value: Any, why: Unread) -> Any:
    """Return what is known of a value that other code can hold: nothing of a list."""
    lose(value, why)
    return why if type(value) in (list, set) else value


def is_section(key: str) -> bool:
    """Return whether traitlets takes a key for the name of a section."""
    return bool(key) and key[0].upper() == key[0] and not key.startswith("_")
