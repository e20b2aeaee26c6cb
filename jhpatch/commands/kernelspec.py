"""``jhpatch kernelspec``: PySpark kernels: install, list, check, remove."""

import argparse
import os
import re
import sys
from typing import Any, Dict, List, Optional, Tuple

from jhpatch.commands.arguments import add_output_options, number
from jhpatch.errors import Failed, Refused, Usage, jhpatch_command, shell_command
from jhpatch.report.result import Findings, KernelReport, Kernels, Result, checked
from jhpatch.spark import kernel_store, kernelspec
from jhpatch.spark.kernel_store import Installed
from jhpatch.spark.kernelspec import Kernel

_NAME = re.compile(r"[a-z0-9._-]+", re.I)  # jupyter_client's own rule
_MASTER = re.compile(r"yarn(-client)?|local(\[[\d*]+(,\d+)?\])?|(spark|k8s|mesos)://[^\s$]+")
_CONF = re.compile(r"spark\.[\w.-]+")
_VARIABLE = re.compile(r"[A-Za-z_]\w*")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of ``kernelspec``, and of what it can do."""
    below = parser.add_subparsers(dest="action", metavar="ACTION")

    def action(name: str, words: str) -> argparse.ArgumentParser:
        one = below.add_parser(name, help=words, description=words, allow_abbrev=False)
        add_output_options(one)
        return one

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
        dest="interpreter",  # of a kernel: ``python`` are environments to look at
        metavar="PATH",
        help="of the notebook and the workers (default: this one)",
    )
    add("--worker-python", metavar="PATH", help="of the workers, where theirs lies elsewhere")
    add("--master", default="yarn", metavar="URL", help="yarn (default), local[2], spark://…")
    add("--deploy-mode", default="client", metavar="MODE", help="client: a notebook has no other")
    add("--name", default="pyspark", metavar="NAME", help="of the kernel (default: pyspark)")
    add("--display-name", metavar="TEXT", help="what users read")
    words = "a setting of Spark's; may repeat"
    add("--conf", action="append", default=[], metavar="KEY=VALUE", help=words)
    words = "a variable of the kernel's environment; may repeat"
    add("--env", action="append", default=[], metavar="NAME=VALUE", help=words)
    add("--lazy", action="store_true", help="start Spark when it is used, not with the notebook")
    minutes = number(0, 10080, "minutes")
    add("--idle-stop", type=minutes, default=0.0, metavar="MINUTES", help="stop it when unused")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--user", action="store_true", help="for yourself (default: all users)")
    where.add_argument("--sys-prefix", action="store_true", help="in this Python's environment")
    where.add_argument("--prefix", metavar="DIR", help="in another environment")
    add("--dry-run", action="store_true", help="show kernel.json; write nothing")


def run(arguments: argparse.Namespace) -> Result:
    """0: done, or fine; 3: ``check`` found something; 5: nothing was changed, and why."""
    actions = {"install": _install, "list": _list, "check": _check, "remove": _remove}
    if arguments.action not in actions:
        raise Usage(
            "kernelspec does nothing by itself",
            expected="install, list, check or remove",
            next=jhpatch_command("kernelspec", "--help"),
        )
    return actions[arguments.action](arguments)


# install


def _install(arguments: argparse.Namespace) -> Result:
    kernel, notes = _kernel(arguments)
    files = dict(kernel_store.sources())
    text = kernelspec.kernel_json(kernel)
    files[kernel_store.MANIFEST] = text.encode("utf-8")
    files["startup.py"] = kernelspec.startup(kernel).encode("utf-8")
    stale = kernel_store.changed(kernel.folder, files)
    if stale and not arguments.dry_run:
        kernel_store.write(kernel.folder, {name: files[name] for name in stale})
    known = kernelspec.known_of(text)
    row = _report(Installed(os.path.basename(kernel.folder), kernel.folder, known), text)
    done = bool(stale) and not arguments.dry_run
    return Result(
        "kernelspec",
        Kernels((row,)),
        notes=tuple(notes) + (() if stale else ("nothing to do",)),
        dry_run=arguments.dry_run,
        changed=done,
        would_change=bool(stale) and arguments.dry_run,
        next=jhpatch_command("kernelspec", "check", row.name) + ", as a user" if done else None,
    )


def _kernel(arguments: argparse.Namespace) -> Tuple[Kernel, List[str]]:
    """The kernel that is asked for, and notes. Raises Usage, Refused, Failed."""
    from jhpatch.spark import discovery
    from jhpatch.spark.faults import refusal

    _refuse_nonsense(arguments)
    python = os.path.abspath(arguments.interpreter or sys.executable)
    worker = arguments.worker_python or python
    environ = arguments.environ
    spark = discovery.spark_of(arguments.spark_home, environ, python)
    java = discovery.java_of(arguments.java_home, environ, spark.version)
    yarn = arguments.master.startswith("yarn")
    conf_dir = discovery.hadoop_conf_of(arguments.hadoop_conf_dir, environ) if yarn else ""
    judged = list(discovery.judged_pythons(spark.version, python, worker, environ))
    for fault in discovery.severe(fault for fault, _ in judged if fault):
        raise refusal(fault)
    notes = [why or (fault.message if fault else "") for fault, why in judged]
    if yarn and spark.version.startswith(("1.", "2.")):
        notes.append("Spark %s takes no new tickets: see docs/pyspark.md" % spark.version)
    named = (spark.home, java.home, conf_dir, python, worker)
    for path in named:
        if "$" in path or "\n" in path:
            raise Usage("a path in a kernel.json may hold no $", found=path)
    prefix = sys.prefix if arguments.sys_prefix else arguments.prefix
    version = " %s" % spark.version if spark.version else ""
    kernel = Kernel(
        display_name=arguments.display_name or "PySpark%s (%s)" % (version, arguments.master),
        folder=kernel_store.folder_of(arguments.name, arguments.user, prefix),
        python=python,
        worker_python=worker,
        spark_home=spark.home,
        spark=spark.version,
        python_path=spark.python_path,
        hadoop_conf_dir=conf_dir,
        java_home=java.home,
        master=arguments.master,
        conf=_pairs(arguments.conf, "--conf", _CONF),
        env=_pairs(arguments.env, "--env", _VARIABLE),
        lazy=arguments.lazy,
        idle_stop=arguments.idle_stop,
    )
    return kernel, notes


def _refuse_nonsense(arguments: argparse.Namespace) -> None:
    if not _NAME.fullmatch(arguments.name):
        raise Usage(
            "--name is none for a kernel",
            expected="letters, digits, . _ and -",
            found=arguments.name,
        )
    if not _MASTER.fullmatch(arguments.master):
        raise Usage(
            "--master names no cluster",
            expected="yarn, local[N], spark://HOST",
            found=arguments.master or "nothing",
        )
    if arguments.deploy_mode != "client":
        raise Usage(
            "a notebook is the driver, and cannot be one on the cluster (--deploy-mode)",
            expected="client",
            found=arguments.deploy_mode,
        )


def _pairs(texts: List[str], option: str, names: "re.Pattern[str]") -> Tuple[Tuple[str, str], ...]:
    found: Dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not names.fullmatch(name) or "\n" in value or "\0" in value:
            raise Usage(option + " cannot be read", expected="NAME=VALUE on one line", found=text)
        found[name] = value
    return tuple(sorted(found.items()))


# list, remove


def _list(arguments: argparse.Namespace) -> Result:
    rows = tuple(_report(one) for one in kernel_store.installed())
    notes = () if rows else ("there is no PySpark kernel: kernelspec install writes one",)
    return Result("kernelspec", Kernels(rows), notes=notes)


def _report(one: Installed, text: Optional[str] = None) -> KernelReport:
    from jhpatch.deployed import reasons
    from jhpatch.deployed.pyspark import VARIABLE, options_of

    environment = one.known.environment
    return KernelReport(
        name=one.name,
        path=one.folder,
        display_name=one.known.display_name,
        ours=one.known.ours,
        python=one.known.python,
        spark_home=environment.get("SPARK_HOME"),
        spark=one.known.spark or reasons.spark_version(environment.get("SPARK_HOME", "")) or None,
        master=reasons.settings_of(environment).get("spark.master"),
        lazy=options_of(environment.get(VARIABLE, ""))["lazy"] is True,
        text=text,
    )


def _named(name: str) -> Installed:
    rows = list(kernel_store.installed())
    for one in rows:
        if one.name == name.lower():
            return one
    raise Failed(
        "there is no PySpark kernel %s" % name,
        expected=", ".join(one.name for one in rows) or "one that kernelspec install has written",
        next=jhpatch_command("kernelspec", "list"),
    )


def _remove(arguments: argparse.Namespace) -> Result:
    one = _named(arguments.name)
    if not one.known.ours:
        raise Refused(
            "jhpatch did not write this kernel",
            path=one.folder,
            next=shell_command("jupyter", "kernelspec", "remove", one.name),
        )
    left = () if arguments.dry_run else kernel_store.remove(one.folder)
    notes = ("%s stays: it has %s" % (one.folder, ", ".join(left)),) if left else ()
    return Result(
        "kernelspec",
        Kernels((_report(one),)),
        notes=notes,
        dry_run=arguments.dry_run,
        changed=not arguments.dry_run,
        would_change=arguments.dry_run,
    )


# check


def _check(arguments: argparse.Namespace) -> Result:
    one = _named(arguments.name)
    if os.geteuid() == 0:
        raise Failed(
            "root has no ticket, and its kernel is no user's",
            next="runuser -u NAME -- " + jhpatch_command("kernelspec", "check", one.name),
        )
    from jhpatch.deployed import reasons
    from jhpatch.spark.faults import finding_of

    notes: Tuple[str, ...] = ()
    if arguments.static:
        environ = dict(arguments.environ, **one.known.environment)
        faults = list(reasons.look(environ))
    else:
        from jhpatch.spark import kernel_run

        outcome = kernel_run.run(one.name, one.known.ours, arguments.timeout, arguments.say)
        faults = [outcome.fault] if outcome.fault else []
        notes = _words(outcome.figures)
        if arguments.verbose:
            notes += tuple(outcome.said.splitlines())
    rows = tuple(map(finding_of, faults))
    return Result("kernelspec", Findings(rows), notes=notes, own_exit_code=checked(rows))


def _words(figures: Any) -> Tuple[str, ...]:
    if "count" not in figures or "fault" in figures:
        return ()
    names = ("spark", "master", "application", "seconds")
    words = ["%s %s" % (name, figures[name]) for name in names if name in figures]
    return ("a first job has run: " + ", ".join(words),)
