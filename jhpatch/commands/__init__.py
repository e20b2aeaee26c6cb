"""The commands: each is a module with ``add_arguments(parser)`` and ``run(arguments)``."""

COMMANDS = {
    "list": "List every patch with its releases, its purpose, and its state in the environment",
    "status": "Show the state of each patch; change nothing",
    "diff": "Show the changes of apply as a unified diff",
    "apply": "Apply all applicable patches, or none if one is refused",
    "revert": "Restore the original files byte for byte",
    "ticket": "Show your Kerberos tickets: when they expire, and what renews them",
    "doctor": "Check Kerberos and Spark on this host, and show the next steps; change nothing",
    "kernelspec": "Install, list, check and remove PySpark kernels",
    "completion": "Print the completion script of a shell: bash, zsh or fish",
    "nginx": "Write the site file of the nginx reverse proxy, or check an existing one",
    "create": "For patch maintainers: create a patch from edited files or from a diff",
    "lint": "For patch maintainers: check patch files against the rules",
    "rebase": "For patch maintainers: port a patch to another release",
    "survey": "For patch maintainers: check for new upstream releases",
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
    "kernelspec install": "kernelspec install --spark-home /opt/spark --user --dry-run",
    "kernelspec list": "kernelspec list",
    "kernelspec check": "kernelspec check pyspark --timeout 300",
    "kernelspec remove": "kernelspec remove pyspark --dry-run",
    "nginx": "nginx check /etc/nginx",
    "nginx render": "nginx render --server-name hub.example.com --upstream 127.0.0.1:8000 "
    "--certificate /etc/ssl/hub.pem --certificate-key /etc/ssl/hub.key",
    "nginx check": "nginx check /etc/nginx --hub-version 5.2.1",
    "completion": "completion bash",
    "create": "create requests/retry-on-503 --patches /etc/jhpatch/patches",
    "lint": "lint",
    "rebase": "rebase jupyterhub/kerberos-login --to 6.1.2",
    "survey": "survey",
}
"""An example for each command and action, as typed after ``python -m jhpatch``."""
