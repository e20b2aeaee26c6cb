#!/usr/bin/python
"""Ansible's module for jhpatch: run one command, and return its JSON document as the result."""

import json

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: jhpatch
short_description: Apply, check or revert jhpatch's patches to installed Jupyter servers
description:
  - Runs jhpatch on the host and returns its JSON document.
  - Changes all named environments in one run. If one is refused, none changes.
options:
  python:
    description: The Pythons of the environments, as jhpatch's C(--python).
    type: list
    elements: path
    default: []
  site:
    description: Site-packages directories without their Python, as jhpatch's C(--site).
    type: list
    elements: path
    default: []
  state:
    description:
      - V(applied) applies and V(reverted) reverts the patches where necessary.
      - V(checked) changes nothing, and fails if a patch is not applied or is refused.
    type: str
    choices: [applied, reverted, checked]
    default: applied
  patches:
    description: The names of patches, as C(jhpatch list) prints them; by default, all patches.
    type: list
    elements: str
    default: []
  trees:
    description: Your own patch directories, as jhpatch's C(--patches).
    type: list
    elements: path
    default: []
  only_patches:
    description: Ignore the patches that come with jhpatch, as its C(--only-patches).
    type: bool
    default: false
  allow_unlisted:
    description: Also patch an untested release whose files are identical to those of a tested one.
    type: bool
    default: false
  force:
    description:
      - Also restore files that were changed after apply.
      - The changed files are saved in C(.jhpatch/forced) of the site.
    type: bool
    default: false
  lock_timeout:
    description: Wait at most this many seconds for another run to end.
    type: float
    default: 10
  runner:
    description:
      - The Python in which jhpatch is installed.
      - By default, the first of O(python).
    type: path
attributes:
  check_mode:
    support: full
    description: Runs jhpatch's C(--dry-run), which neither locks nor writes.
  diff_mode:
    support: full
    description: Shows the output of C(jhpatch diff); for V(reverted), the list of files.
author:
  - The jhpatch contributors
"""

EXAMPLES = r"""
- name: Apply the patches to the hub
  jhpatch:
    python: [/opt/jupyterhub/bin/python]

- name: Revert the patches of the hub
  jhpatch:
    python: [/opt/jupyterhub/bin/python]
    state: reverted
"""

RETURN = r"""
document:
  description: The document that jhpatch printed with C(--json); docs/json.md describes its fields.
  returned: if jhpatch ran
  type: dict
touched_patches:
  description: The patches that this run has changed; none in check mode.
  returned: always
  type: list
  elements: str
touched_pythons:
  description: The environments in which this run has changed patches.
  returned: always
  type: list
  elements: str
is_unknown:
  description: Whether jhpatch ended without a result; it may have changed environments.
  returned: if jhpatch printed no document
  type: bool
restart:
  description: The processes that run the previous code until you restart them.
  returned: if jhpatch ran
  type: list
  elements: dict
"""

COMMANDS = {"applied": "apply", "reverted": "revert", "checked": "status"}


class Missing(Exception):
    """jhpatch is not installed for the runner."""


def main():
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "python": {"type": "list", "elements": "path", "default": []},
            "site": {"type": "list", "elements": "path", "default": []},
            "state": {"choices": ["applied", "reverted", "checked"], "default": "applied"},
            "patches": {"type": "list", "elements": "str", "default": []},
            "trees": {"type": "list", "elements": "path", "default": []},
            "only_patches": {"type": "bool", "default": False},
            "allow_unlisted": {"type": "bool", "default": False},
            "force": {"type": "bool", "default": False},
            "lock_timeout": {"type": "float", "default": 10},
            "runner": {"type": "path"},
        },
        supports_check_mode=True,
    )
    params = module.params
    # Without either option, jhpatch would use the environment of its own Python.
    if not (params["python"] or params["site"]):
        module.fail_json(msg="no environment is named: specify python, or site and runner")
    if not (params["python"] or params["runner"]):
        module.fail_json(msg="site needs runner: the Python in which jhpatch is installed")
    try:
        if module.params["state"] == "checked":
            checked(module)
        else:
            changing(module)
    except Missing as missing:
        without_jhpatch(module, str(missing))


def changing(module):
    """Run ``applied`` or ``reverted``; in check mode, only plan it; in diff mode, show it."""
    command = COMMANDS[module.params["state"]]
    dry = module.check_mode or module._diff
    planned = run(module, command, "--dry-run") if dry else None
    shown = texts(module, planned) if module._diff else []
    document = planned if module.check_mode else run(module, command)
    answer = answer_of(document)
    if answer["changed"] and shown:
        answer["diff"] = [{"prepared": text} for text in shown]
    if document["exit_code"]:
        module.fail_json(msg=complaint(document), **answer)
    module.exit_json(**answer)


def checked(module):
    """Run ``checked``: fail if apply would change or refuse a patch. Write nothing."""
    named = module.params["patches"]
    # status inspects all patches; apply --dry-run inspects only the named patches.
    document = run(module, "apply", "--dry-run") if named else run(module, "status")
    answer = answer_of(document)
    answer["changed"] = False
    if document["exit_code"] not in (0, 3):
        module.fail_json(msg=complaint(document), **answer)
    if document["exit_code"] or (named and document["would_change"]):
        again = line(module, "diff")
        module.fail_json(msg=finding(document, named) + "; next: " + " ".join(again), **answer)
    module.exit_json(**answer)


def line(module, command, *options):
    """Return a command line of jhpatch for the environments and patches that the task names."""
    params = module.params
    # -I: Python must not import another jhpatch from PYTHONPATH or the current directory.
    words = [params["runner"] or params["python"][0], "-I", "-m", "jhpatch", command]
    words += options
    for option, values in (("python", "python"), ("site", "site"), ("patches", "trees")):
        words += [word for value in params[values] for word in ("--" + option, value)]
    if params["only_patches"]:
        words.append("--only-patches")
    if command in ("apply", "revert"):
        words += ["--lock-timeout", str(params["lock_timeout"])]
    if command == "apply" and params["allow_unlisted"]:
        words.append("--allow-unlisted")
    if command == "revert" and params["force"]:
        words.append("--force")
    return words if command == "status" else words + params["patches"]


def run(module, command, *options):
    """Run a command, and return the document that it prints; fail the task if it prints none.

    Raises Missing if jhpatch is not installed for the runner.
    """
    words = line(module, command, "--json", *options)
    code, out, talk = module.run_command(words, cwd="/", handle_exceptions=False)
    try:
        document = json.loads(out)
    except ValueError:
        document = None
    if isinstance(document, dict) and document.get("exit_code") == code:
        return document
    if code == 1 and "No module named jhpatch" in talk:
        raise Missing(words[0])
    module.fail_json(
        msg="%s printed no JSON document: exit code %s: %s"
        % (" ".join(words), code, talk.strip()),
        # A run that was killed has completed some environments, perhaps.
        is_unknown=command in ("apply", "revert") and "--dry-run" not in options,
        touched_patches=[],
        touched_pythons=[],
    )


def answer_of(document):
    """Return the result for Ansible; ``changed`` has the value of the document."""
    sites = document["sites"]
    patches = {one["patch"] for site in sites for one in site["patches"] if one["changed"]}
    return {
        "changed": document["would_change" if document["dry_run"] else "changed"],
        "document": document,
        "restart": [process for site in sites for process in site["restart"] or []],
        "touched_patches": sorted(patches),
        "touched_pythons": [site["python"] for site in sites if site["changed"]],
    }


def texts(module, planned):
    """Return the change of each site: the exact diff, or the list of the files in the plan."""
    exact = {}
    if module.params["state"] == "applied":
        document = run(module, "diff")
        exact = {one["site"]: one["diff"] for one in document["sites"] if not one["exit_code"]}
    found = []
    for site in planned["sites"]:
        listed = "".join("%s in %s\n" % (note, site["site"]) for note in site["notes"])
        found.append(exact.get(site["site"]) or (listed if site["would_change"] else ""))
    return [text for text in found if text]


def complaint(document):
    """Return the errors of a document, each with its file, expected and found, and next step."""
    errors = [document["error"]] + [one["error"] for one in document["sites"]]
    words = []
    for error in filter(None, errors):
        parts = [error["message"]]
        for field in ("path", "expected", "found", "next"):
            parts += ["%s: %s" % (field, error[field])] if error[field] else []
        words.append("; ".join(parts))
    return "jhpatch, exit code %d: %s" % (document["exit_code"], " | ".join(words))


def finding(document, named):
    """Return the patches that are not applied, with their states and reasons."""
    words = []
    for site in document["sites"]:
        for one in site["patches"]:
            wanted = not named or one["patch"] in named
            if wanted and one["state"] not in ("applied", "not-needed", "absent"):
                reason = " (%s)" % one["reason"] if one["reason"] else ""
                words.append("%s is %s%s" % (one["patch"], one["state"], reason))
    return "; ".join(words) or "jhpatch's records do not match the installed files"


def without_jhpatch(module, runner):
    """Fail; if check mode plans a change, only warn: the run would install jhpatch first."""
    words = "jhpatch is not installed for " + runner
    nothing = {"touched_patches": [], "touched_pythons": []}
    if not module.check_mode or module.params["state"] == "checked":
        module.fail_json(msg=words + "; next: set jhpatch_install, or jhpatch_runner", **nothing)
    words += " yet: check mode cannot report changes before it is installed"
    module.warn(words)
    module.exit_json(changed=True, msg=words, **nothing)


if __name__ == "__main__":
    main()
