"""``jhpatch kernelspec``: PySpark kernels: install, list, check, remove."""

import argparse
import os
import sys
from typing import Any, Dict, Mapping, Optional, Tuple

from jhpatch.commands.arguments import add_output_options, number
from jhpatch.deployed import reasons
from jhpatch.deployed.pyspark import VARIABLE, options_of
from jhpatch.errors import Failed, Refused, Usage, jhpatch_command, shell_command
from jhpatch.report.result import Findings, KernelReport, Kernels, Result, checked
from jhpatch.spark import kernel_options, kernel_run, kernel_store, kernelspec
from jhpatch.spark.faults import finding_of
from jhpatch.spark.kernel_options import KernelOptions
from jhpatch.spark.kernel_store import InstalledKernel


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of ``kernelspec`` and of its actions."""
    subparsers = parser.add_subparsers(dest="action", metavar="ACTION")

    def action(name: str, purpose: str) -> argparse.ArgumentParser:
        subparser = subparsers.add_parser(
            name, help=purpose, description=purpose, allow_abbrev=False
        )
        add_output_options(subparser)
        return subparser

    _add_install(action("install", "write a PySpark kernel; a second time, change nothing"))
    action("list", "the PySpark kernels that a server of this Python offers")
    check = action("check", "start a kernel and run a first job: exit code 3 and the cause")
    check.add_argument("name", nargs="?", default="pyspark", metavar="NAME")
    check.add_argument("--static", action="store_true", help="look, and start nothing")
    check.add_argument(
        "--timeout",
        type=number(1, 86400, "seconds"),
        default=180.0,
        metavar="SECONDS",
        help="for all of it (default: 180)",
    )
    remove = action("remove", "take away a kernel that jhpatch wrote")
    remove.add_argument("name", metavar="NAME")
    remove.add_argument("--dry-run", action="store_true", help="say what would go")


def _add_install(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--spark-home", metavar="DIR", help="default: SPARK_HOME, else the one that is found")
    add("--hadoop-conf-dir", metavar="DIR", help="default: HADOOP_CONF_DIR, /etc/hadoop/conf")
    add("--java-home", metavar="DIR", help="default: the first that fits this Spark")
    add(
        "--python",
        dest="interpreter",  # ``python`` is a list of environments in other commands
        metavar="PATH",
        help="of the notebook and the workers (default: this one)",
    )
    add("--worker-python", metavar="PATH", help="of the workers, where theirs lies elsewhere")
    add("--master", default="yarn", metavar="URL", help="yarn (default), local[2], spark://…")
    add("--deploy-mode", default="client", metavar="MODE", help="client: a notebook has no other")
    add("--name", default="pyspark", metavar="NAME", help="of the kernel (default: pyspark)")
    add("--display-name", metavar="TEXT", help="what users read")
    repeatable: Dict[str, Any] = {"action": "append", "default": []}
    add("--conf", metavar="KEY=VALUE", help="a setting of Spark's; may repeat", **repeatable)
    text = "a variable of the kernel's environment; may repeat"
    add("--env", metavar="NAME=VALUE", help=text, **repeatable)
    add("--lazy", action="store_true", help="start Spark when it is used, not with the notebook")
    minutes = number(0, 10080, "minutes")
    add("--idle-stop", type=minutes, default=0.0, metavar="MINUTES", help="stop it when unused")
    target = parser.add_mutually_exclusive_group()
    target.add_argument("--user", action="store_true", help="for yourself (default: all users)")
    target.add_argument("--sys-prefix", action="store_true", help="in this Python's environment")
    target.add_argument("--prefix", metavar="DIR", help="in another environment")
    add("--dry-run", action="store_true", help="show kernel.json; write nothing")


def run(arguments: argparse.Namespace) -> Result:
    """Exit code 3: ``check`` found an error or a warning; 5: refused, nothing was changed."""
    actions = {"install": _install, "list": _list, "check": _check, "remove": _remove}
    if arguments.action not in actions:
        raise Usage(
            "kernelspec does nothing by itself",
            expected="install, list, check or remove",
            next=jhpatch_command("kernelspec", "--help"),
        )
    return actions[arguments.action](arguments)


def _install(arguments: argparse.Namespace) -> Result:
    kernel, notes = kernel_options.resolve(_options(arguments), arguments.environ)
    files = kernel_store.files_of(kernel)
    stale = kernel_store.stale_files(kernel.directory, files)
    is_change = bool(stale) and not arguments.dry_run
    if is_change:
        kernel_store.write(kernel.directory, {name: files[name] for name in stale})
    name, text = os.path.basename(kernel.directory), files[kernel_store.MANIFEST].decode("utf-8")
    spec = kernelspec.parse(text)
    assert spec is not None
    return Result(
        "kernelspec",
        Kernels((_report(InstalledKernel(name, kernel.directory, spec), text),)),
        notes=tuple(notes) + (() if stale else ("nothing to do",)),
        dry_run=arguments.dry_run,
        changed=is_change,
        would_change=bool(stale) and arguments.dry_run,
        next=jhpatch_command("kernelspec", "check", name) + ", as a user" if is_change else None,
    )


def _options(arguments: argparse.Namespace) -> KernelOptions:
    return KernelOptions(
        name=arguments.name,
        python=os.path.abspath(arguments.interpreter or sys.executable),
        spark_home=arguments.spark_home,
        hadoop_conf_dir=arguments.hadoop_conf_dir,
        java_home=arguments.java_home,
        worker_python=arguments.worker_python,
        master=arguments.master,
        deploy_mode=arguments.deploy_mode,
        display_name=arguments.display_name,
        conf=arguments.conf,
        env=arguments.env,
        lazy=arguments.lazy,
        idle_stop=arguments.idle_stop,
        user=arguments.user,
        prefix=sys.prefix if arguments.sys_prefix else arguments.prefix,
    )


def _list(arguments: argparse.Namespace) -> Result:
    rows = tuple(map(_report, kernel_store.kernels()))
    notes = () if rows else ("there is no PySpark kernel: kernelspec install writes one",)
    return Result("kernelspec", Kernels(rows), notes=notes)


def _remove(arguments: argparse.Namespace) -> Result:
    kernel = kernel_store.find(arguments.name)
    if not kernel.spec.ours:
        raise Refused(
            "jhpatch did not write this kernel",
            path=kernel.directory,
            next=shell_command("jupyter", "kernelspec", "remove", kernel.name),
        )
    remaining = () if arguments.dry_run else kernel_store.remove(kernel.directory)
    note = "%s stays: it has %s" % (kernel.directory, ", ".join(remaining))
    return Result(
        "kernelspec",
        Kernels((_report(kernel),)),
        notes=(note,) if remaining else (),
        dry_run=arguments.dry_run,
        changed=not arguments.dry_run,
        would_change=arguments.dry_run,
    )


def _report(kernel: InstalledKernel, text: Optional[str] = None) -> KernelReport:
    environment, spec = kernel.spec.environment, kernel.spec
    spark_home = environment.get("SPARK_HOME")
    return KernelReport(
        name=kernel.name,
        path=kernel.directory,
        display_name=spec.display_name,
        ours=spec.ours,
        python=spec.python,
        spark_home=spark_home,
        spark=spec.spark or reasons.spark_version(spark_home or "") or None,
        master=reasons.settings_of(environment).get("spark.master"),
        lazy=options_of(environment.get(VARIABLE, ""))["lazy"] is True,
        text=text,
    )


def _check(arguments: argparse.Namespace) -> Result:
    kernel = kernel_store.find(arguments.name)
    if os.geteuid() == 0:
        raise Failed(
            "root has no ticket, and its kernel is no user's",
            next="runuser -u NAME -- " + jhpatch_command("kernelspec", "check", kernel.name),
        )
    notes: Tuple[str, ...] = ()
    if arguments.static:
        faults = list(reasons.look(dict(arguments.environ, **kernel.spec.environment)))
    else:
        outcome = kernel_run.run_job(
            kernel.name, kernel.spec.ours, arguments.timeout, arguments.say
        )
        faults = [outcome.fault] if outcome.fault else []
        notes = _describe(outcome.figures)
        if arguments.verbose:
            notes += tuple(outcome.output.splitlines())
    findings = tuple(map(finding_of, faults))
    return Result("kernelspec", Findings(findings), notes=notes, own_exit_code=checked(findings))


def _describe(figures: Mapping[str, Any]) -> Tuple[str, ...]:
    if "count" not in figures or "fault" in figures:
        return ()
    names = ("spark", "master", "application", "seconds")
    values = ["%s %s" % (name, figures[name]) for name in names if name in figures]
    return ("a first job has run: " + ", ".join(values),)
