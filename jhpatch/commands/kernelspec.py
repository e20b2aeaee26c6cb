"""``jhpatch kernelspec``: install, list, check and remove PySpark kernels."""

import argparse
import os
import sys
from typing import Any, Dict, List, Mapping, Optional, Tuple

from jhpatch.commands.arguments import add_output_options, number
from jhpatch.deployed import reasons
from jhpatch.deployed.causes import Fault
from jhpatch.deployed.pyspark import VARIABLE, options_of
from jhpatch.deployed.spark_home import spark_version
from jhpatch.errors import Failed, Refused, Usage, jhpatch_command, shell_command
from jhpatch.report.result import Findings, KernelReport, Kernels, Result, checked
from jhpatch.spark import inspection, kernel_options, kernel_run, kernel_store, manifest
from jhpatch.spark.faults import finding_of, prevents_start, repeated
from jhpatch.spark.kernel_options import KernelOptions
from jhpatch.spark.kernel_store import InstalledKernel

_REPEATED = (
    *("--spark-home", "--hadoop-conf-dir", "--yarn-conf-dir", "--java-home", "--python"),
    *("--worker-python", "--master", "--deploy-mode", "--name", "--display-name", "--conf"),
    *("--env", "--lazy", "--idle-stop", "--user", "--sys-prefix", "--prefix"),
)
"""The options that the next command repeats as they were typed."""
_DEFAULTS = {"--master": "yarn", "--deploy-mode": "client", "--name": "pyspark", "--idle-stop": 0}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``kernelspec`` and of its actions."""
    subparsers = parser.add_subparsers(dest="action", metavar="ACTION")

    def action(name: str, purpose: str) -> argparse.ArgumentParser:
        subparser = subparsers.add_parser(
            name, help=purpose, description=purpose, allow_abbrev=False
        )
        add_output_options(subparser)
        return subparser

    _add_install(action("install", "Write a PySpark kernel; change nothing if it is up to date"))
    action("list", "List the PySpark kernels that a Jupyter server of this Python offers")
    check = action(
        "check", "Start a kernel and run a first job; print the cause and exit with 3 if it fails"
    )
    check.add_argument(
        "name",
        nargs="?",
        default="pyspark",
        metavar="NAME",
        help="Check this kernel (default: pyspark)",
    )
    check.add_argument(
        "--static", action="store_true", help="Inspect the kernel's files, and start no kernel"
    )
    check.add_argument(
        "--timeout",
        type=number(1, 86400, "seconds"),
        default=180.0,
        metavar="SECONDS",
        help="Wait at most this long for the start and the job together (default: 180)",
    )
    remove = action("remove", "Remove a kernel that jhpatch wrote")
    remove.add_argument("name", metavar="NAME", help="Remove this kernel")
    remove.add_argument(
        "--dry-run", action="store_true", help="Print what would be removed; remove nothing"
    )


def _add_install(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "--spark-home",
        metavar="DIR",
        help="Use the Spark in this directory (default: SPARK_HOME, or the only Spark that is "
        "found)",
    )
    add(
        "--hadoop-conf-dir",
        metavar="DIR",
        help="Read core-site.xml from this directory (default with YARN: HADOOP_CONF_DIR, else "
        "YARN_CONF_DIR, else that of --yarn-conf-dir, else /etc/hadoop/conf; otherwise none)",
    )
    add(
        "--yarn-conf-dir",
        metavar="DIR",
        help="With YARN, read yarn-site.xml from this directory, if it is not in "
        "--hadoop-conf-dir (default: YARN_CONF_DIR, if --hadoop-conf-dir is not given)",
    )
    add(
        "--java-home",
        metavar="DIR",
        help="Use the Java in this directory (default: the first that this Spark runs on)",
    )
    add(
        "--python",
        dest="interpreter",  # ``python`` is a list of environments in other commands
        metavar="PATH",
        help="Run the kernel and the workers with this Python interpreter "
        "(default: the one that runs jhpatch)",
    )
    add(
        "--worker-python",
        metavar="PATH",
        help="Run the workers with this Python interpreter (default: that of --python)",
    )
    add(
        "--master",
        default="yarn",
        metavar="URL",
        help="Connect to this master, such as yarn, local[2] or spark://HOST:PORT (default: yarn)",
    )
    add(
        "--deploy-mode",
        default="client",
        metavar="MODE",
        help="Use this deploy mode; a notebook supports only client (default: client)",
    )
    text = "Give the kernel this name (default: pyspark)"
    add("--name", default="pyspark", metavar="NAME", help=text)
    add(
        "--display-name",
        metavar="TEXT",
        help="Show this name to users (default: PySpark with its release and master)",
    )
    repeatable: Dict[str, Any] = {"action": "append", "default": []}
    text = "Set a property of Spark; can be given more than once"
    add("--conf", metavar="KEY=VALUE", help=text, **repeatable)
    text = "Set a variable in the kernel's environment; can be given more than once"
    add("--env", metavar="NAME=VALUE", help=text, **repeatable)
    add(
        "--lazy",
        action="store_true",
        help="Start Spark when it is first used, not with the notebook",
    )
    minutes = number(0, 10080, "minutes")
    text = (
        "Stop a Spark session, not the kernel, when it is idle for this long (default: 0, never)"
    )
    add("--idle-stop", type=minutes, default=0.0, metavar="MINUTES", help=text)
    target = parser.add_mutually_exclusive_group()
    target.add_argument(
        "--user", action="store_true", help="Install for yourself (default: for all users)"
    )
    target.add_argument(
        "--sys-prefix", action="store_true", help="Install into the environment that runs jhpatch"
    )
    target.add_argument("--prefix", metavar="DIR", help="Install into another environment")
    add("--dry-run", action="store_true", help="Print kernel.json; write nothing")


def run(arguments: argparse.Namespace) -> Result:
    """Exit code 3: ``check`` found an error or a warning; 5: refused, nothing was changed."""
    actions = {"install": _install, "list": _list, "check": _check, "remove": _remove}
    if arguments.action not in actions:
        raise Usage(
            "kernelspec: no action was given",
            expected="install, list, check or remove",
            next=jhpatch_command("kernelspec", "--help"),
        )
    return actions[arguments.action](arguments)


def _install(arguments: argparse.Namespace) -> Result:
    try:
        kernel, notes = kernel_options.resolve(_options(arguments), arguments.environ)
        files = kernel_store.files_of(kernel)
        stale = kernel_store.stale_files(kernel.directory, files)
    except Refused as error:
        error.next = repeated(error.next, _given(arguments))
        raise
    is_change = bool(stale) and not arguments.dry_run
    if is_change:
        kernel_store.write(kernel.directory, {name: files[name] for name in stale})
    name, text = os.path.basename(kernel.directory), files[kernel_store.MANIFEST].decode("utf-8")
    spec = manifest.parse(files[kernel_store.MANIFEST])
    return Result(
        "kernelspec",
        Kernels((_report(InstalledKernel(name, kernel.directory, spec), {}, text),)),
        notes=tuple(notes) + (() if stale else ("nothing to do",)),
        dry_run=arguments.dry_run,
        changed=is_change,
        would_change=bool(stale) and arguments.dry_run,
        next=jhpatch_command("kernelspec", "check", name) + ", as a user" if is_change else None,
    )


def _given(arguments: argparse.Namespace) -> Tuple[Tuple[str, str], ...]:
    """Return the options of ``install`` that were typed, each with its value or ""."""
    given: List[Tuple[str, str]] = []
    for option in _REPEATED:
        name = "interpreter" if option == "--python" else option[2:].replace("-", "_")
        value = getattr(arguments, name)
        for one in value if isinstance(value, list) else [value]:
            if one is True:
                given.append((option, ""))
            elif one not in (None, False, "", _DEFAULTS.get(option)):
                given.append((option, "%g" % one if isinstance(one, float) else one))
    return tuple(given)


def _options(arguments: argparse.Namespace) -> KernelOptions:
    return KernelOptions(
        name=arguments.name,
        python=arguments.interpreter or sys.executable,
        spark_home=arguments.spark_home,
        hadoop_conf_dir=arguments.hadoop_conf_dir,
        yarn_conf_dir=arguments.yarn_conf_dir,
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
    kernels = tuple(kernel_store.kernels())
    rows = [_report(kernel, arguments.environ) for kernel in kernels if not kernel.spec.problem]
    notes = [
        "%s/%s: %s" % (kernel.directory, kernel_store.MANIFEST, kernel.spec.problem)
        for kernel in kernels
        if kernel.spec.problem
    ]
    if not kernels:
        notes.append("no PySpark kernel was found; kernelspec install writes one")
    return Result("kernelspec", Kernels(tuple(rows)), notes=tuple(notes))


def _remove(arguments: argparse.Namespace) -> Result:
    kernel = kernel_store.find(arguments.name)
    if not kernel.spec.ours:
        raise Refused(
            "jhpatch did not write this kernel",
            path=kernel.directory,
            next=shell_command("jupyter", "kernelspec", "remove", kernel.name),
        )
    remaining = () if arguments.dry_run else kernel_store.remove(kernel.directory)
    note = "%s was kept, because it contains other files: %s" % (
        kernel.directory,
        ", ".join(remaining),
    )
    return Result(
        "kernelspec",
        Kernels((_report(kernel, arguments.environ),)),
        notes=(note,) if remaining else (),
        dry_run=arguments.dry_run,
        changed=not arguments.dry_run,
        would_change=arguments.dry_run,
    )


def _report(
    kernel: InstalledKernel, environ: Mapping[str, str], text: Optional[str] = None
) -> KernelReport:
    spec = kernel.spec
    environment = dict(inspection.launch_of(kernel, environ).environment)
    spark_home = environment.get("SPARK_HOME")
    return KernelReport(
        name=kernel.name,
        path=kernel.directory,
        display_name=spec.display_name,
        ours=spec.ours,
        python=spec.python,
        spark_home=spark_home,
        spark=spec.spark or spark_version(spark_home or "") or None,
        master=reasons.settings_of(environment).get("spark.master"),
        lazy=options_of(environment.get(VARIABLE, ""))["lazy"] is True,
        text=text,
    )


def _check(arguments: argparse.Namespace) -> Result:
    kernel = kernel_store.find(arguments.name)
    if os.geteuid() == 0:
        raise Failed(
            "kernelspec check does not run as root, because it needs a user's ticket and kernels",
            next="runuser -u NAME -- " + jhpatch_command("kernelspec", "check", kernel.name),
        )
    is_started = not arguments.static and not kernel.spec.problem
    if is_started and kernel.spec.language in ("", "python"):
        faults, notes = _run(kernel, arguments)
    else:
        faults, notes = inspection.inspect(kernel, arguments.environ)
    findings = tuple(finding_of(fault, kernel=kernel.name) for fault in faults)
    return Result("kernelspec", Findings(findings), notes=notes, own_exit_code=checked(findings))


def _run(
    kernel: InstalledKernel, arguments: argparse.Namespace
) -> Tuple[Tuple[Fault, ...], Tuple[str, ...]]:
    """Return the result of a first job: its figures as notes, or the cause of its failure.

    If the kernel's own output names no cause, the findings of the static check come first.
    """
    outcome = kernel_run.run_job(kernel.name, arguments.timeout, arguments.say)
    notes = _describe(outcome.figures)
    if arguments.verbose:
        notes += tuple(outcome.output.splitlines())
    if outcome.fault is None:
        return (), notes
    before: Tuple[Fault, ...] = ()
    if outcome.is_vague:
        seen, _ = inspection.inspect(kernel, arguments.environ)
        before = tuple(fault for fault in seen if fault.code != outcome.fault.code)
        if outcome.fault.code == "kernel-died" and any(map(prevents_start, before)):
            return before, notes  # the process ended because of it
    return before + (outcome.fault,), notes


def _describe(figures: Mapping[str, Any]) -> Tuple[str, ...]:
    if "count" not in figures or "fault" in figures or "error" in figures:
        return ()
    names = ("spark", "master", "application", "session", "seconds")
    values = ["%s %s" % (name, figures[name]) for name in names if name in figures]
    return ("the first job ran: " + ", ".join(values),)
