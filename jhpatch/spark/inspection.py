"""What is known of a kernel without starting it: its file, program, Python and Spark."""

import os
from typing import Iterator, Mapping, Optional, Tuple

from jhpatch.deployed import reasons
from jhpatch.deployed.causes import Fault
from jhpatch.deployed.spark_home import KernelPython, python_path
from jhpatch.spark import launch as launching
from jhpatch.spark import probe
from jhpatch.spark.faults import no_ipykernel
from jhpatch.spark.kernel_store import MANIFEST, InstalledKernel, read_script
from jhpatch.spark.launch import Launch

_USED = (
    *("SPARK_HOME", "PYTHONPATH", "PYTHONSTARTUP", "PYSPARK_PYTHON", "PYSPARK_SUBMIT_ARGS"),
    *("JAVA_HOME", "HADOOP_CONF_DIR", "YARN_CONF_DIR", "SPARK_CONF_DIR"),
)
"""The variables that decide about the start of Spark."""


def launch_of(kernel: InstalledKernel, environ: Mapping[str, str]) -> Launch:
    """Return how the kernel is started on a server with this environment."""
    spec = kernel.spec
    launch = launching.launch_of(
        spec.argv, spec.environment, environ, kernel.directory, read_script
    )
    if spec.is_remote:
        launch = launch._replace(opaque="a process proxy of Enterprise Gateway")
    return launch


def inspect(
    kernel: InstalledKernel, environ: Mapping[str, str], mine: bool = True
) -> Tuple[Tuple[Fault, ...], Tuple[str, ...]]:
    """Return the faults of a kernel, and notes on what is unknown.

    ``environ``: that of the Jupyter server. ``mine``: this process runs as the user of the kernel,
    so it may run the kernel's Python. Root runs no program that a kernel.json names.
    """
    manifest, spec = os.path.join(kernel.directory, MANIFEST), kernel.spec
    if spec.problem:
        message = "%s: %s" % (manifest, spec.problem)
        return (Fault("kernel-json", message, manifest),), ()
    if spec.language not in ("", "python"):
        message = "the kernel %s runs %s, not Python" % (kernel.name, spec.language)
        return (Fault("kernel-language", message, manifest),), ()
    launch = launch_of(kernel, environ)
    faults, python = list(_startable(launch, manifest)), None
    if launch.python and mine:
        module = "" if launch.module.startswith("ipykernel") else launch.module
        python, problem = probe.ask(launch.python, launch.environment, module)
        if python is None:
            message = "%s does not run: %s" % (launch.python, problem)
            faults.append(Fault("kernel-program", message, manifest))
        elif python.lacks:
            message = "%s has no module %s" % (launch.python, python.lacks)
            faults.append(Fault("kernel-program", message, launch.python, {"path": manifest}))
        elif launch.runs_ipykernel and not python.has_ipykernel:
            faults.append(no_ipykernel(python.path))
    faults += _spark_faults(kernel, launch, python, mine, manifest)
    notes: Tuple[str, ...] = ()
    if launch.opaque:
        text = "%s starts through %s, which --static does not run; run the check without --static"
        notes = (text % (kernel.name, launch.opaque),)
    once = {fault.code: fault for fault in reversed(faults)}  # the first of each code
    repeated = ("kernel-variable", "kernel-program", "hadoop-conf-unreadable")
    kept = [fault for fault in faults if once[fault.code] is fault or fault.code in repeated]
    return tuple(kept), notes


def _startable(launch: Launch, manifest: str) -> Iterator[Fault]:
    """Yield a fault for each missing program that starts the kernel."""
    for program in (launch.missing, "" if launch.program else launch.named):
        if not program:
            continue
        message = "there is no program %s" % program
        if os.path.exists(program):
            message = "%s is not executable" % program
        yield Fault("kernel-program", message, program, {"path": manifest})


def _spark_faults(
    kernel: InstalledKernel,
    launch: Launch,
    python: Optional[KernelPython],
    mine: bool,
    manifest: str,
) -> Iterator[Fault]:
    environment = launch.environment
    partial = bool(launch.opaque)
    if "Livy" in launch.opaque or kernel.spec.is_remote:
        return  # its Spark is not on this host
    unfilled = {name for name in launch.unfilled if name in _USED}
    for name in sorted(unfilled):
        message = "%s is %s: this environment has no %s, so Jupyter leaves the reference unchanged"
        values = (name, environment[name], launch.unfilled[name])
        code = "spark-home-missing" if name == "SPARK_HOME" else "kernel-variable"
        yield Fault(code, message % values, manifest, {"path": manifest})
    if "SPARK_HOME" in unfilled:
        return
    startup = environment.get("PYTHONSTARTUP", "")
    if launch.python and startup and "PYTHONSTARTUP" not in unfilled:
        if not os.path.isfile(startup):
            message = "PYTHONSTARTUP is %s, which does not exist" % startup
            yield Fault("kernel-startup", message, startup, {"path": manifest})
    elif launch.python and "PYTHONSTARTUP" in environment and not startup:
        message = "PYTHONSTARTUP is set but empty"
        yield Fault("kernel-startup", message, "", {"path": manifest})
    known = {name: environment[name] for name in environment if name not in unfilled}
    if kernel.spec.ours and os.path.isdir(known.get("SPARK_HOME", "")) and python is not None:
        fault = python_path(known["SPARK_HOME"])[1]  # as the kernel itself will see it
        if fault:
            yield fault
    for fault in reasons.look(known, mine, python, partial or bool(unfilled)):
        yield fault
