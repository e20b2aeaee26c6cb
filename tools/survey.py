"""Asks the package index for releases that no patch names, and what rebase makes of them.

    python tools/survey.py FOLDER [--patches DIR]… [DISTRIBUTION…]

Prints a report in Markdown and puts a candidate edition, or why there is none, into a
file of FOLDER for each. Exit code 0: every release is covered; 3: some are not; else
jhpatch's own, with its message.
"""

import json
import os
import subprocess
import sys


def jhpatch(*arguments):
    """The document of a command."""
    argv = [sys.executable, "-m", "jhpatch", *arguments, "--json"]
    done = subprocess.run(argv, stdout=subprocess.PIPE)
    return json.loads(done.stdout.decode("utf-8"))


def rows(folder, releases, trees):
    """A row of the report for each patch and release."""
    wheels = ["--wheels", os.path.join(folder, "wheels")]
    for one in releases:
        for patch in one["uncovered"]:
            name = "%s-%s.txt" % (patch.replace("/", "-"), one["version"])
            arguments = [patch, "--to", one["version"], "--dry-run", *trees, *wheels]
            document = jhpatch("rebase", *arguments)
            error, candidate = document["error"], document["candidate"]
            said = "a person is needed: %s" % error["message"] if error else "a candidate"
            with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
                file.write(json.dumps(error, indent=1) if error else candidate["text"])
            cells = (patch, one["version"], one["state"], said, name)
            yield "| %s | %s | %s | %s, %s |\n" % cells


def main():
    """Writes the report; gives the exit code."""
    if len(sys.argv) < 2 or sys.argv[1].startswith("-"):
        sys.exit(__doc__)
    folder, words = sys.argv[1], sys.argv[2:]
    os.makedirs(folder, exist_ok=True)
    document = jhpatch("survey", *words, "--wheels", os.path.join(folder, "wheels"))
    code = document["exit_code"]
    if code not in (0, 3):
        print(json.dumps(document["error"], indent=1))
    elif code == 0:
        print("Every release is covered.")
    else:
        trees = [word for at, word in enumerate(words) if "--patches" in (word, *words[:at][-1:])]
        print("| patch | release | bytes | rebase |\n|---|---|---|---|")
        sys.stdout.writelines(rows(folder, document["releases"], trees))
    return code


if __name__ == "__main__":
    sys.exit(main())
