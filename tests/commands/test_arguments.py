"""The options that commands share: environments, patches and patch directories."""

import argparse

import pytest

from jhpatch.commands.arguments import (
    add_arguments,
    catalog_of,
    environments_of,
    number,
    patch_dirs_of,
)
from jhpatch.errors import Usage
from jhpatch.installer import environment, selection
from jhpatch.patchset.catalog import Catalog, own_patch_dir


def parsed(*arguments, changes=False):
    """The arguments of a command as the parser gives them."""
    parser = argparse.ArgumentParser()
    add_arguments(parser, changes)
    return parser.parse_args(arguments)


def test_the_defaults():
    """Without options: this environment, all patches, ten seconds for the lock."""
    arguments = parsed(changes=True)
    assert arguments.python == arguments.site == arguments.patches == arguments.patch == []
    assert (arguments.dry_run, arguments.lock_timeout, arguments.json) == (False, 10.0, False)
    assert environments_of(arguments) == [environment.own_environment()]
    assert catalog_of(arguments).patch_dirs == (own_patch_dir(),)


@pytest.mark.parametrize("text", ["0", "3600", "0.5"])
def test_a_number_in_its_range(text):
    """An option takes a number from its range, the ends included."""
    assert number(0, 3600, "seconds")(text) == float(text)


@pytest.mark.parametrize("text", ["-1", "3601", "soon", "nan", "inf", ""])
def test_a_number_outside_of_its_range(text):
    """Anything else is refused with the range, the unit and what was found."""
    with pytest.raises(argparse.ArgumentTypeError) as refused:
        number(0, 3600, "seconds")(text)
    assert str(refused.value) == "expected 0 to 3600 seconds, found %r" % text


@pytest.mark.parametrize("kind", ["nothing", "a file"])
def test_a_patch_directory_that_is_not_there(tmp_path, kind):
    """A missing directory is no empty one: a usage error says what is there."""
    (tmp_path / "file").touch()
    name = str(tmp_path / kind.replace("a ", ""))
    with pytest.raises(Usage) as refused:
        patch_dirs_of(parsed("--patches", name))
    assert (refused.value.path, refused.value.found) == (name, kind)


def test_environments_are_named_by_python_and_by_site(env):
    """``--python`` and ``--site`` can be given more than once; each site is inspected once."""
    arguments = parsed("--python", env.python, "--site", env.site, "--python", env.prefix)
    environments = environments_of(arguments)
    assert len(environments) == 3
    known = Catalog((own_patch_dir(),))
    (inspection,) = selection.inspect_all(environments, known)
    assert inspection.site.path == env.site and inspection.environment.python == env.python
