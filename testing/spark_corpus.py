"""The kernels of tests/spark/corpus, with their placeholders filled in."""

import glob
import os
from typing import Dict, Mapping

from testing import ROOT
from testing.spark_homes import write

CORPUS = os.path.join(ROOT, "tests", "spark", "corpus")
PLACEHOLDERS = (
    *("<PYTHON>", "<BARE_PYTHON>", "<OLD_PYTHON>", "<SPARK>", "<OTHER_SPARK>", "<PY4J>"),
    *("<JAVA>", "<OLD_JAVA>", "<CONF>", "<HERE>"),
)
"""A Python with ipykernel, one without, one of an older minor release; a Spark, one of another
release, the release of the first one's py4j; a Java, one that is too old; a directory of Hadoop
configurations; the kernel's own directory."""


def names() -> "list[str]":
    """The kernels of the corpus."""
    return sorted(name for name in os.listdir(CORPUS) if name != "README.md")


def install(name: str, kernels: str, values: Mapping[str, str]) -> str:
    """Write one of the corpus below a directory of kernels; return its directory."""
    directory = os.path.join(kernels, name)
    filled: Dict[str, str] = dict(values)
    filled["<HERE>"] = directory
    for file_name in sorted(os.listdir(os.path.join(CORPUS, name))):
        with open(os.path.join(CORPUS, name, file_name), encoding="utf-8") as file:
            text = file.read()
        for placeholder in PLACEHOLDERS:
            if placeholder in text:
                text = text.replace(placeholder, filled[placeholder])
        with open(write(os.path.join(directory, file_name), ""), "w", encoding="utf-8") as file:
            file.write(text)
    return directory


def py4j_of(home: str) -> str:
    """The release of the one py4j that a Spark has."""
    (path,) = glob.glob(home + "/python/lib/py4j-*-src.zip")
    return os.path.basename(path)[len("py4j-") : -len("-src.zip")]
