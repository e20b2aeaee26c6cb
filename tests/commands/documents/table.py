"""The table of scenarios that test_documents.py runs; each module beside this one fills it."""

import collections

WHERE = ["--site", "{0}/site", "--patches", "{0}/tree"]
TREE = ["--patches", "{0}/tree"]
"""``{0}`` in a word is the scene's folder."""
OF_SITES = ("list", "status", "diff", "apply", "revert")

Scenario = collections.namedtuple("Scenario", "name words prepare kind needs hides long")
SCENARIOS = collections.OrderedDict()


def add(name, words, *prepare, **options):
    """A scenario ``command/what``; each of ``prepare`` is called with the scene.

    ``kind``: ``both`` runs it with --json and without, ``text`` only without, ``terminal``
    with its output on a terminal, ``watch`` until its first answer; with ``argparse`` the
    message is argparse's own. ``needs``: what it is skipped without. ``hides``: what else of
    this machine is in its output. ``where``: the options that name a site. ``long``: it runs
    with JHPATCH_DOCUMENTS alone, as others show the same parts of what is said.
    """
    words = words.split() if isinstance(words, str) else list(words)
    if name.partition("/")[0] in OF_SITES:
        words += options.pop("where", WHERE)
    kind, needs = options.pop("kind", "both"), options.pop("needs", "").split()
    hides, is_long = options.pop("hides", "").split(), options.pop("long", False)
    assert name not in SCENARIOS and not options, (name, options)
    SCENARIOS[name] = Scenario(name, words, prepare, kind, needs, hides, is_long)


def then(method, *arguments, **named):
    """A step that calls a method of the scene."""

    def step(scene):
        getattr(scene, method)(*[scene.filled(one) for one in arguments], **named)

    return step


def put_off(command, *names):
    """These scenarios of a command are long ones: what they show is seen in others too."""
    for name in names:
        one = SCENARIOS["%s/%s" % (command, name)]
        assert not one.long, one.name
        SCENARIOS[one.name] = one._replace(long=True)
