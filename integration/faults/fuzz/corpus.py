"""The corpus: inputs that once reached something new in a target, as rows of ``corpus.jsonl``.

A row is ``[target, name, text]``; the bytes of the input are its text in Latin-1. To add what
a fuzzer has found, or what a person has written, each file under its own name::

    python -m integration.faults.fuzz.corpus header FILE…

An input that is there already, under whichever name, is not added again.
"""

import json
import os
import sys
from typing import Dict, Iterable, List, Tuple

FILE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "corpus.jsonl")


def rows(path: str = FILE) -> List[Tuple[str, str, bytes]]:
    """Return target, name and bytes of each input."""
    with open(path, encoding="ascii") as file:
        found = [json.loads(line) for line in file]
    return [(target, name, text.encode("latin-1")) for target, name, text in found]


def inputs(target: str) -> Dict[str, bytes]:
    """Return the inputs of a target by name."""
    return {name: data for row_target, name, data in rows() if row_target == target}


def unpack(target: str, directory: str) -> None:
    """Write the inputs of a target into a directory, as a fuzzer takes them."""
    for name, data in inputs(target).items():
        with open(os.path.join(directory, name), "wb") as file:
            file.write(data)


def add(target: str, paths: Iterable[str], corpus: str = FILE) -> None:
    """Add files to the inputs of a target."""
    known = rows(corpus)
    for path in paths:
        with open(path, "rb") as file:
            data = file.read()
        if all((target, data) != (row_target, row_data) for row_target, _, row_data in known):
            known.append((target, os.path.basename(path), data))
    with open(corpus, "w", encoding="ascii") as file:
        for row_target, name, data in sorted(known):
            file.write(json.dumps([row_target, name, data.decode("latin-1")]) + "\n")


if __name__ == "__main__":
    add(sys.argv[1], sys.argv[2:])
