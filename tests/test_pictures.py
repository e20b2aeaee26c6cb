"""The pictures of the documentation: what the record shows, drawn by tools/pictures.py."""

import importlib.util
import json
import os
import re
from xml.etree import ElementTree

import pytest

from testing import ROOT
from testing.pages import text_of

FOLDER = "docs/pictures"


def _tool():
    path = os.path.join(ROOT, "tools", "pictures.py")
    spec = importlib.util.spec_from_file_location("pictures", path)
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    return tool


PICTURES = _tool().pictures()


def test_each_picture_of_the_directory_is_drawn():
    """docs/pictures/ has the pictures that the script draws, and no others."""
    names = os.listdir(os.path.join(ROOT, *FOLDER.split("/")))
    assert {name for name in names if name.endswith(".svg")} == set(PICTURES)


@pytest.mark.parametrize("name", sorted(PICTURES))
def test_a_picture_is_what_the_script_draws(name):
    """``python tools/pictures.py`` changes nothing."""
    assert text_of("%s/%s" % (FOLDER, name)) == PICTURES[name]


@pytest.mark.parametrize("name", sorted(PICTURES))
def test_a_picture_has_a_title_and_loads_nothing(name):
    """A screen reader finds a title and a description; a browser asks no other host."""
    root = ElementTree.fromstring(PICTURES[name])
    for element in ("title", "desc"):
        assert root.find("{http://www.w3.org/2000/svg}" + element).text
    assert not re.search(r"href|url\(|@import|@font-face|<script|<image", PICTURES[name])


def test_the_labels_of_both_languages_have_the_same_names():
    """No word of a picture is missing in Chinese."""
    labels = json.loads(text_of(FOLDER + "/labels.json"))
    names = {
        language: {(kind, name) for kind in words for name in words[kind]}
        for language, words in labels.items()
    }
    assert names["en"] == names["zh"]


def test_the_record_shows_what_the_picture_claims():
    """alice's job goes on past the end of the first ticket; bob's fails with "Ticket expired"."""
    record = json.loads(text_of(FOLDER + "/renewal.json"))
    alice, bob = (record["people"][name] for name in ("alice", "bob"))
    lives = record["seconds"] - record["life"]
    assert {code for _, code, _ in alice["job"]} == {0}
    assert alice["job"][-1][0] > lives and all(end > at for at, end in alice["tickets"])
    assert len({end for _, end in bob["tickets"]}) == 1
    assert [code for _, code, _ in bob["job"][:-1]] == [0] * (len(bob["job"]) - 1)
    at, code, message = bob["job"][-1]
    assert code and at > bob["tickets"][0][1] and "Ticket expired" in message
