"""What ``jhpatch status`` costs, as whole processes, interleaved in one run.

    python benchmarks/status.py [RUNS]

Makes a virtual environment with 100 distributions, three of them real and patched,
and times in turn: ``python -c pass``, ``python -c 'import patch_ng'``, and ``status``
before and after ``apply``. Prints the least and the median of cpu and wall time in ms.
"""

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
REAL = ["jupyterhub==6.1.1", "jupyter_server==2.21.1", "notebook==7.6.5"]


def environment(folder):
    """A venv with jhpatch and 100 distributions; gives its Python."""
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    python = os.path.join(folder, "bin", "python")
    pip = [python, "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    subprocess.run([*pip, ROOT], check=True)
    subprocess.run([*pip, "--no-deps", *REAL], check=True)
    ask = "import sysconfig; print(sysconfig.get_path('purelib'))"
    site = subprocess.run([python, "-c", ask], stdout=subprocess.PIPE).stdout.decode().strip()
    here = len([name for name in os.listdir(site) if name.endswith(".dist-info")])
    for number in range(100 - here):
        info = os.path.join(site, "other_%d-1.0.dist-info" % number)
        os.mkdir(info)
        with open(os.path.join(info, "METADATA"), "w") as file:
            file.write("Metadata-Version: 2.1\nName: other-%d\nVersion: 1.0\n\n" % number)
    return python


def spent(argv):
    """Seconds of cpu and of wall time that a process takes."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    subprocess.run(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/")
    wall = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return cpu * 1000, wall * 1000


def measured(commands, runs):
    """Figures for each command, all in turn, after one round that does not count."""
    figures = {name: [] for name in commands}
    for count in range(runs + 1):
        for name, argv in commands.items():
            took = spent(argv)
            figures[name] += [took] * (count > 0)
    for name, rows in figures.items():
        cpu, wall = zip(*rows)
        row = (name, min(cpu), statistics.median(cpu), min(wall), statistics.median(wall))
        print("%-34s %8.1f %8.1f %8.1f %8.1f" % row)


def main():
    """Prints a table."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 15
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    with tempfile.TemporaryDirectory() as folder:
        python = environment(os.path.join(folder, "venv"))
        commands = {
            "python -c pass": [python, "-I", "-c", "pass"],
            "python -c 'import patch_ng'": [python, "-I", "-c", "import patch_ng"],
            "status, pristine": [python, "-I", "-m", "jhpatch", "status"],
        }
        print("%-34s %8s %8s %8s %8s" % ("ms", "cpu min", "median", "wall min", "median"))
        measured(commands, runs)
        subprocess.run([python, "-I", "-m", "jhpatch", "apply"], stdout=subprocess.DEVNULL)
        commands.pop("status, pristine")
        commands["status, applied"] = [python, "-I", "-m", "jhpatch", "status"]
        measured(commands, runs)


if __name__ == "__main__":
    main()
