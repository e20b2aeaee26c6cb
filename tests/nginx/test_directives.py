"""What is in force in a block, and whether that is known."""

from jhpatch.nginx.directives import Directive, in_force, is_known, is_missing, walk


def rows(*names):
    """A level of directives."""
    return tuple(Directive(name, ("x",), "f", 1) for name in names)


def test_the_innermost_level_counts():
    """All of it, and nothing of those outside."""
    levels = (rows("a", "b"), rows("a", "a"), rows("c"))
    assert len(in_force(levels, "a")) == 2 and len(in_force(levels, "b")) == 1
    assert is_missing(levels, "d") and not is_missing(levels, "b")


def test_an_unread_include_makes_it_unknown():
    """Only for what it could set: that of its own level, and that of levels outside."""
    levels = (rows("a"), rows("include"), rows("c"))
    assert is_known(levels, "c")
    assert not is_known(levels, "a") and not is_known(levels, "d")
    assert not is_missing(levels, "d") and in_force(levels, "a")


def test_walk():
    """Blocks and what is in them."""
    block = Directive("server", (), "f", 1, rows("a", "b"))
    assert [one.name for one in walk((block,))] == ["server", "a", "b"]
