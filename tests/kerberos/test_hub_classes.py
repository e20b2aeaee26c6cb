"""Known classes of authenticators and spawners, and those that are derived from them."""

import ast
import zipfile

import pytest

from jhpatch.kerberos import hub_classes
from jhpatch.kerberos.hub_classes import ENTRY_POINTS, SPAWNER_ENTRY_POINTS, WrongName, ancestors
from testing.wheels import fetched_wheel
from tests.kerberos.hub_configs import config_of


def names_of(value, entry_points=ENTRY_POINTS):
    """The classes of one, the most specific first."""
    return [row.name for row in ancestors(value, entry_points)]


def test_the_bases_of_known_classes_are_known():
    """So are those that an entry point names."""
    named = {*ENTRY_POINTS.values(), *SPAWNER_ENTRY_POINTS.values()}
    bases = {base for row in hub_classes.BASES.values() for base in row}
    assert named | bases <= set(hub_classes.BASES)


def test_a_registered_name_in_any_case():
    """JupyterHub compares them in lower case."""
    expected = ["PAMAuthenticator", "LocalAuthenticator", "Authenticator"]
    assert names_of("Pam") == ["jupyterhub.auth." + name for name in expected]


@pytest.mark.parametrize(
    "name, known",
    [
        ("oauthenticator.github.GitHubOAuthenticator", True),
        ("oauthenticator.GitHubOAuthenticator", True),
        ("batchspawner.batchspawner.SlurmSpawner", True),
        ("systemdspawner.systemdspawner.SystemdSpawner", True),
        ("jupyterhub.PAMAuthenticator", False),
        ("site.oauthenticator.GitHubOAuthenticator", False),
        ("site.PAMAuthenticator", False),
        ("Site_Authenticator", False),
    ],
)
def test_only_exact_names_are_known(name, known):
    """With the names that the packages give to the classes of their modules."""
    assert ancestors(name, ENTRY_POINTS)[0].is_known == known


@pytest.mark.parametrize(
    "bases, expected",
    [
        ("PAM", ["K", "PAMAuthenticator", "LocalAuthenticator", "Authenticator"]),
        ("Mixin, PAM", ["K", "Mixin", "PAMAuthenticator", "LocalAuthenticator", "Authenticator"]),
        ("x.y.Z", ["K", "Z"]),
        ("object", ["K"]),
        ("find()", ["K", "a computed class"]),
        (
            "Mixin, Second",
            ["K", "Second", "Mixin", "PAMAuthenticator", "LocalAuthenticator", "Authenticator"],
        ),
    ],
)
def test_classes_of_a_file(bases, expected):
    """In the order of Python's own method resolution."""
    text = (
        "from jupyterhub.auth import PAMAuthenticator as PAM\nimport x.y\n"
        "class Mixin: pass\nclass Second(Mixin, PAM): pass\n"
        "class K(%s): pass\nc.A.x_class = K\n"
    )
    if bases == "Mixin, Second":
        bases = "Second, Mixin"
    order = ancestors(config_of(text % bases).settings["A.x_class"], ENTRY_POINTS)
    assert [row.section for row in order] == expected
    assert hub_classes.sections(order) == tuple(reversed(expected))


def test_what_the_hub_cannot_use():
    """A name with a colon; bases that Python cannot order."""
    with pytest.raises(WrongName):
        ancestors("a:B", ENTRY_POINTS)
    text = "class M: pass\nclass N(M): pass\nclass K(M, N): pass\nc.A.x_class = K\n"
    with pytest.raises(WrongName) as error:
        ancestors(config_of(text).settings["A.x_class"], ENTRY_POINTS)
    assert str(error.value).startswith("K: ")


@pytest.mark.parametrize("version", ["1.0.0", "6.1.1"])
def test_the_bases_are_those_of_jupyterhub(version):
    """The table has what the classes of a release are derived from."""
    with zipfile.ZipFile(fetched_wheel("jupyterhub", version)) as wheel:
        for module in ("jupyterhub.auth", "jupyterhub.spawner"):
            text = wheel.read(module.replace(".", "/") + ".py").decode("utf-8")
            for node in ast.parse(text).body:
                name = "%s.%s" % (module, getattr(node, "name", ""))
                if name in hub_classes.BASES:
                    bases = ["%s.%s" % (module, base.id) for base in node.bases]
                    bases = [base for base in bases if not base.endswith(".LoggingConfigurable")]
                    assert tuple(bases) == hub_classes.BASES[name]


@pytest.mark.parametrize(
    "distribution, version",
    [
        ("jupyterhub", "1.0.0"),
        ("jupyterhub", "6.1.1"),
        ("dockerspawner", "14.0.0"),
        ("jupyterhub-systemdspawner", "1.0.2"),
        ("sudospawner", "1.0.0"),
        ("jupyterhub-firstuseauthenticator", "1.1.1"),
        ("jupyterhub-ldapauthenticator", "2.0.2"),
        ("jupyterhub-multiauthenticator", "0.4.0"),
        ("jupyterhub-nativeauthenticator", "1.3.0"),
        ("jupyterhub-tmpauthenticator", "1.0.0"),
        ("oauthenticator", "17.4.0"),
    ],
)
def test_the_registered_names_are_those_of_a_release(distribution, version):
    """Each of its entry points names the same class."""
    with zipfile.ZipFile(fetched_wheel(distribution, version)) as wheel:
        (path,) = [name for name in wheel.namelist() if name.endswith("/entry_points.txt")]
        text = wheel.read(path).decode("utf-8")
    names = []
    for group, known in (("authenticators", ENTRY_POINTS), ("spawners", SPAWNER_ENTRY_POINTS)):
        rows = text.partition("[jupyterhub.%s]" % group)[2].partition("[")[0].split("\n")
        for name, _, value in (row.partition(" = ") for row in rows if row.strip()):
            assert known[name] == value.replace(":", ".")
            names.append(name)
    assert names
