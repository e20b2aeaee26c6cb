"""A file a command: ``add_arguments(parser)`` and ``run(arguments) -> Result``."""

COMMANDS = {
    "list": "every patch: distribution, versions, what for; which fit here",
    "status": "the state of each patch; only reads",
    "diff": "the exact bytes that apply would change",
    "apply": "make all patches that fit applied",
    "revert": "give every byte back",
    "ticket": "your Kerberos ticket: until when, and who renews it",
    "doctor": "what Kerberos lacks on this host, and the next step; changes nothing",
    "kernelspec": "PySpark kernels: install, list, check, remove",
    "lint": "for who keeps patches: whether they are sound",
    "rebase": "for who keeps patches: carry one to another release",
    "survey": "for who keeps patches: which releases no patch names yet",
}
"""The commands and what each does, without importing them."""
