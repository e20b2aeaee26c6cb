"""The commands, one a module with ``add_arguments(parser)`` and ``run(arguments) -> Result``."""

COMMANDS = {
    "list": "every patch: distribution, versions, what for; which fit here",
    "status": "the state of each patch; only reads",
    "diff": "the exact bytes that apply would change",
    "apply": "make all patches that fit applied",
    "revert": "give every byte back",
    "ticket": "your Kerberos ticket: until when, and who renews it",
    "doctor": "what Kerberos lacks on this host, and the next step; changes nothing",
    "kernelspec": "PySpark kernels: install, list, check, remove",
    "completion": "the words that a shell completes: for bash, zsh or fish",
    "nginx": "the front: write its site file, find what is wrong with the one that is there",
    "lint": "for who keeps patches: whether they are sound",
    "rebase": "for who keeps patches: carry one to another release",
    "survey": "for who keeps patches: which releases no patch names yet",
}
"""The commands and their summaries, without an import of their modules."""

EXAMPLES = {
    "list": "list --python /opt/jupyterhub/bin/python",
    "status": "status --python /opt/jupyterhub/bin/python",
    "diff": "diff jupyterhub/kerberos-login",
    "apply": "apply --dry-run",
    "revert": "revert notebook/kerberos-save",
    "ticket": "ticket --watch 10",
    "doctor": "doctor --user alice --config /etc/jupyterhub/jupyterhub_config.py",
    "kernelspec": "kernelspec install --spark-home /opt/spark --lazy --dry-run",
    "nginx": "nginx check /etc/nginx",
    "completion": "completion bash",
    "lint": "lint",
    "rebase": "rebase jupyterhub/kerberos-login --to 6.1.2",
    "survey": "survey",
}
"""An example for each command, as typed after ``python -m jhpatch``."""
