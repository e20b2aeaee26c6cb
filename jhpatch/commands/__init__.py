"""A file a command: ``add_arguments(parser)`` and ``run(arguments) -> Result``."""

COMMANDS = {
    "list": "every patch: distribution, versions, what for; which fit here",
    "status": "the state of each patch; only reads",
    "diff": "the exact bytes that apply would change",
    "apply": "make all patches that fit applied",
    "revert": "give every byte back",
}
"""The commands and what each does, without importing them."""
