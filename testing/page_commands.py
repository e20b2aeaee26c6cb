"""The commands of the pages for people, and where each of them is run."""

import re
from typing import List, NamedTuple

from testing.pages import PAGES, commands

WHEEL = "jhpatch-WHEEL.whl"
"""Stands in a line for the wheel of jhpatch."""

_WHEEL = "--quiet --no-index --no-deps --force-reinstall " + WHEEL
# What a page's reader has in the place of these.
NAMES = (
    (" -m pip install .", " -m pip install " + _WHEEL),
    (" -m pip install --upgrade .", " -m pip install " + _WHEEL),
    # The next page needs it again.
    ("uninstall --yes jhpatch", "uninstall --yes jhpatch && python -m pip install " + _WHEEL),
    ("/path/to/hub", "/opt/jupyterhub"),
    ("FILE", "/etc/ssl/hub.pem"),
    ("…/", "/etc/nginx/conf.d/"),
    (" … ", " --certificate /etc/ssl/hub.pem --certificate-key /etc/ssl/hub.pem "),
)
# Where what test_pages.py does not type is run, or why nowhere.
ELSEWHERE = {
    r"bash tests/run$": ".ci/run",
    r"bash tests/run -e demo$": "integration/demo/test_demo.py",
    r"bash tests/run -e (faults|lint,patches,py313|e2e --notest)$": "tox.ini",
    r"bash tests/run -e (faults-long|soak|soak-short)$": "by hand: it takes more than an hour",
    r"\.tox/e2e/bin/python -m benchmarks": "by hand: it takes an idle machine",
    r"apt-get update && ": "integration/deploy/test_readme.py",
    r"\S+ -m pip install --dry-run ": "by hand: it takes a registry",
    r"(apt-get install -y npm|mkdir -p /srv/jupyterhub) ": "by hand: it installs and starts a hub",
    r"kadmin.local |journalctl ": "integration/e2e/test_tutorial.py",
    r"while read -r user <&3; do kadmin.local": "by hand: it takes a list of users",
    r"(kinit A|ipa|msktutil|ktutil|addent|wkt|quit|kinit admin)": "by hand: it takes a directory",
    r"(dnf|yum|ps|ausearch|restorecon|semanage|setsebool|firewall-cmd) ": "by hand: it takes RHEL",
    r"(python3(.11)? -m |/usr/bin/python3 -m venv /(tmp|opt/jupyterhub))": "by hand: a registry",
    r"(/tmp/wheels/bin/\S+ -m pip wheel|npm|tar) ": "by hand: a registry",
    r"\S+python -m pip (install (-i|--no-index|'.\[jup)|config)": "by hand: it takes a registry",
    r"(\S+/)?python -I -m jhpatch status --all": "tests/commands/test_status_all.py",
    r"\S+ -m pip install --upgrade '": "integration/deploy/test_pip.py",
    r"\S+ -m pip install --force-reinstall": "integration/faults/test_managers.py",
    r"\S+python -I -m jhpatch kernelspec remove pyspark$": "tests/commands/test_kernelspec.py",
    r"(conda|/opt/conda/bin/conda|wget|\(cd /opt/conda)": "by hand: it takes a registry and conda",
    r"(rm -rf|CONDA_PKGS_DIRS=|find) ?/tmp/hub|grep .* PREFIX/": "by hand: it takes conda",
    r"(promtool|install .*monitoring|curl|rm /etc/prom)": "by hand: it takes Prometheus",
    r"(ln|rm|nginx) (.*/etc/nginx|-t)": "by hand: it takes systemd",
    r"/opt/jhpatch/bin/python -I": "integration/deploy/test_environments.py",
    r"/opt/jhpatch/bin/python -m pip install jupyter": "by hand: it takes a registry",
    r"(export PIP_|cd \S+ && \S+ upgrade-db )": "by hand: it takes an upgrade",
    r"(chronyc |timedatectl)": "by hand: it takes chrony, or systemd",
    r"ansible-playbook ": "integration/deploy/test_ansible.py",
    r"pip wheel --wheel-dir /srv/wheels": "integration/deploy/test_ansible.py",
    r"(deploy/conda/|/opt/conda/envs/)": "integration/deploy/test_conda.py",
    r"(pip wheel --wheel-dir wheels|podman build)": "integration/deploy/test_container.py",
    r"\S+ -I -m jhpatch (apply|revert) --site": "integration/deploy/test_container.py",
    r"deploy/pip/": "integration/deploy/test_pip.py",
    r"(systemctl |(install|rm) .*/etc/systemd/)": "integration/deploy/test_systemd.py",
    r"(/opt/jupyterhub/bin/)?python -m jhpatch ticket --watch": "tests/commands/test_ticket.py",
    r"\S+ (-I )?-m jhpatch (create|apply --patches our-p)": "tests/commands/test_create.py",
    r"\S+ (-I )?-m jhpatch (lint --patches our|revert req)": "tests/commands/test_fleet.py",
    r"(cp -r deploy|\S+ -m pip (wheel --no-deps \.|install our))": "tests/commands/test_fleet.py",
    r"\S+ -m pip uninstall .*our": "tests/commands/test_fleet.py",
    r"\S*python (-I )?-m jhpatch nginx check --url": "tests/nginx/test_probe.py",
    r"python -m jhpatch survey": "tests/commands/test_survey.py",
    r"\S*python (-I )?-m jhpatch rebase": "tests/commands/test_rebase.py",
    r"python -m jhpatch lint --(fix-hashes|wheels)": "tests/commands/test_lint.py",
    r"(python -m pip download|\(cd cut|diff -u --label)": "by hand: it is about a release to come",
}
USAGE = re.compile(r"…|<[a-z]| \[|\bNAME\b|\bSECONDS\b")  # which nobody types as it stands


class Line(NamedTuple):
    """A command as a page has it, and as it is typed."""

    page: str
    shown: str
    typed: str


def lines_of(page: str) -> List[Line]:
    """A page's commands, in their order."""
    found = []
    for shown in commands(page):
        typed = shown
        for name, value in NAMES:
            typed = typed.replace(name, value)
        if not USAGE.search(typed):
            found.append(Line(page, shown, typed))
    return found


# The translations have the same commands (tests/test_docs.py); the tutorial has its own test.
LINES = {
    page: lines_of(page)
    for page in PAGES
    if not page.startswith(("docs/zh/", "README.zh-CN")) and page != "docs/tutorial.md"
}


def elsewhere(line: Line) -> str:
    """Where a line is run, when it is not here; empty where it is."""
    shown = re.sub(r"^/opt/jupyterhub/bin/python ", "python ", line.shown)
    return "".join(
        where
        for pattern, where in ELSEWHERE.items()
        if re.match(pattern, line.shown) or re.match(pattern, shown)
    )
