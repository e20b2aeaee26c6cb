"""Named tuples, compared with typing's."""

import copy
import pickle
import typing

import pytest

from jhpatch.deployed.kerberos import namedtuple


def made(base, name):
    """A class of that name with two required and two optional fields."""

    class Made(base):
        """A tuple with a method."""

        first: int
        second: typing.Tuple[str, ...]
        third: str = "c"
        fourth: typing.Optional[bytes] = None

        def twice(self) -> int:
            """Twice a field."""
            return self.first * 2

    Made.__name__ = Made.__qualname__ = name  # where pickle looks for it
    return Made


Ours, Theirs = made(namedtuple.NamedTuple, "Ours"), made(typing.NamedTuple, "Theirs")


class Below(Ours):
    """A class below, with a method more."""

    def thrice(self) -> int:
        """Three times a field of the class above."""
        return self.first * 3


def outcome(function, kind):
    """What a function makes of a class: its answer as text, or the kind of its error."""
    try:
        return repr(function(kind)).replace("Theirs", "Ours")
    except (AttributeError, TypeError, ValueError) as error:
        return type(error)


@pytest.mark.parametrize(
    "function",
    [
        lambda kind: kind(1, ("a",)),
        lambda kind: kind(1, ("a",), "x", b"y"),
        lambda kind: kind(second=(), first=1),
        lambda kind: kind(1, second=(), fourth=b""),
        lambda kind: kind(1),
        lambda kind: kind(),
        lambda kind: kind(1, (), "x", b"y", 5),
        lambda kind: kind(1, (), first=2),
        lambda kind: kind(1, (), fifth=2),
        lambda kind: kind(1, ("a",))._replace(third="z"),
        lambda kind: kind(1, ("a",))._asdict()["second"],
        lambda kind: list(kind(1, ("a",))._asdict()),
        lambda kind: kind._fields,
        lambda kind: kind._field_defaults if hasattr(Theirs, "_field_defaults") else 0,
        lambda kind: kind(1, ()).fourth,
        lambda kind: kind(1, ()).fifth,
        lambda kind: setattr(kind(1, ()), "first", 2),
        lambda kind: kind(4, ()).twice(),
        lambda kind: kind(1, ()) == (1, (), "c", None),
        lambda kind: hash(kind(1, ())) == hash((1, (), "c", None)),
        lambda kind: kind(1, ()) < kind(2, ()),
        lambda kind: copy.deepcopy(kind(1, ("a",))),
        lambda kind: pickle.loads(pickle.dumps(kind(1, ("a",)))),
    ],
)
def test_it_behaves_as_typings(function):
    """The same calls give the same answers, and errors of the same kind."""
    assert outcome(function, Ours) == outcome(function, Theirs)


def test_an_unknown_field_is_not_replaced():
    """ValueError or TypeError, as typing has it in this Python."""
    with pytest.raises((TypeError, ValueError)):
        Ours(1, ())._replace(fifth=5)


def test_a_class_below_keeps_the_fields():
    """A class that only adds methods has the same fields."""
    assert Below(3, ()).thrice() == 9 and Below._fields == Ours._fields
    assert repr(Below(3, ())) == "Below(first=3, second=(), third='c', fourth=None)"
