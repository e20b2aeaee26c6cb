"""``jhpatch nginx``: write the site file of the reverse proxy, and check an existing one."""

import argparse

from jhpatch.commands import nginx_check, nginx_render
from jhpatch.commands.arguments import add_output_options
from jhpatch.errors import Usage, jhpatch_command
from jhpatch.report.result import Result


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``nginx render`` and ``nginx check``."""
    subparsers = parser.add_subparsers(dest="what", metavar="ACTION")
    for name, purpose, module in (
        ("render", "Write the site file of a reverse proxy for the hub", nginx_render),
        ("check", "Check the configuration or the answers of a reverse proxy", nginx_check),
    ):
        subparser = subparsers.add_parser(
            name,
            help=purpose,
            description=purpose,
            formatter_class=parser.formatter_class,
            allow_abbrev=False,
        )
        module.add_options(subparser)
        add_output_options(subparser)


def run(arguments: argparse.Namespace) -> Result:
    """Exit code 3: ``check`` found an error or a warning; 5: ``render`` refuses to overwrite."""
    if arguments.what == "render":
        return nginx_render.run(arguments)
    if arguments.what == "check":
        return nginx_check.run(arguments)
    raise Usage(
        "nginx: no action was given",
        expected="render or check",
        next=jhpatch_command("nginx", "--help"),
    )
