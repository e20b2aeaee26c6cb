"""Every finding of doctor's Kerberos checks: code, severity, why it matters, the next step.

docs/doctor.md shows this table; a test compares the two. user_findings.py has the rows about a
user, a keytab, a cache and a ticket.
"""

from typing import Dict, Optional

from jhpatch.checks.finding import FindingKind, FindingTable, Line, error, note, warning
from jhpatch.checks.runner import KINDS as RUNNER_KINDS
from jhpatch.errors import (
    NextStep,
    jhpatch_command,
    same_command,
    shell_command,
)
from jhpatch.kerberos.krb5_findings import KINDS as KRB5_KINDS
from jhpatch.kerberos.next_steps import Place, change_of
from jhpatch.kerberos.user_findings import KINDS as USER_KINDS
from jhpatch.report.result import Finding

_KINDS: Dict[str, FindingKind] = {
    # programs
    "no-kinit": error(
        "the ticket service obtains tickets with kinit",
        "install the package krb5-user (Debian, Ubuntu), krb5-workstation (RHEL, Fedora) or "
        "krb5-client (openEuler)",
    ),
    "no-setpriv": error(
        "the hub needs setpriv(1) to start processes as its users; without it, the ticket service "
        "is disabled",
        "install the package util-linux",
    ),
    "kinit": note("the ticket service uses this kinit"),
    "kinit-several": warning(
        "users may run another kinit than the hub does, and the two can have different default "
        "caches",
        Line("c.KerberosTicket.kinit = {line}"),
    ),
    "kinit-conda": warning(
        "conda's libkrb5 has its own defaults, and some builds support no KEYRING caches",
        "install kinit from the host's distribution, and set c.KerberosTicket.kinit to its path",
    ),
    "kinit-heimdal": warning(
        "jhpatch is tested with MIT krb5; Heimdal's kinit has other options",
        "install MIT krb5's kinit, and set c.KerberosTicket.kinit to its path",
    ),
    "kinit-writable": error(
        "a user who can write this path can replace kinit, and so obtain the tickets of all who "
        "run it; doctor did not run it",
        "set c.KerberosTicket.kinit to a program that only root can write, such as /usr/bin/kinit",
    ),
    # the hub's configuration
    "config-unreadable": error(
        "without this file, doctor does not know the hub's settings",
        jhpatch_command("doctor", "--config", "FILE"),
    ),
    "config-writable": error(
        "a user who can write this file can become root if the hub runs as root; doctor did not "
        "read it",
        "let only root write the file and each directory above it",
    ),
    "config-syntax": error(
        "the hub does not start with a file that its Python cannot parse",
        "correct the file as the message describes",
    ),
    "config-not-read": note(
        "doctor does not evaluate these lines, which can change settings",
        "if these lines set the principal, the keytab or the cache, pass the value as "
        "--principal, --keytab or --ccache",
    ),
    "setting-not-literal": note(
        "doctor runs no code, so it does not know the value that this line sets",
        same_command() + " --{name} TEMPLATE",
    ),
    "setting-wrong": error(
        "the ticket service obtains no ticket with a wrong setting",
        "correct c.KerberosTicket.{name}, or the option of doctor that sets it",
    ),
    "setting-unknown": warning(
        "the hub ignores a setting that it does not know",
        "correct the name, or remove the line",
    ),
    "service-disabled": warning(
        "the ticket service is disabled, so it obtains no tickets",
        "remove the line, or set c.KerberosTicket.enabled = True",
    ),
    "class-name-wrong": error(
        "the hub imports the class by this name, and does not start if that fails",
        "set c.JupyterHub.{name} to a dotted name, such as 'package.module.Class'",
    ),
    "environment-ccache-shared": error(
        "JupyterHub passes this value unchanged to each server, so all users share one cache",
        "remove KRB5CCNAME from this setting, and set c.KerberosTicket.ccache",
    ),
    "spawner-not-covered": warning(
        "the hub obtains tickets only for servers that run as their user, on this host and with "
        "this host's /tmp",
        "for users who need tickets, use LocalProcessSpawner, SudoSpawner or SystemdSpawner, "
        "without isolate_tmp, dynamic_users and username_template",
    ),
    "spawner-unknown": note(
        "the hub obtains tickets only for servers that run as their user, on this host and with "
        "this host's /tmp",
        "see the hub's log at the next spawn",
    ),
    "authenticator-bypasses-pam": error(
        "this authenticator does not run the patched code, which is in PAMAuthenticator",
        "if its users need tickets, use PAMAuthenticator, or a subclass of it that calls super()",
    ),
    "authenticator-overrides": warning(
        "the patched method of PAMAuthenticator does not run",
        "call super().{name}() in this method",
    ),
    "authenticator-unknown": warning(
        "the patched code is in PAMAuthenticator, and doctor does not know whether this "
        "authenticator runs it",
        "see the hub's log at the next login",
    ),
    # what kinit prints
    "kinit-key-wrong": error(
        "the KDC does not accept the key in the keytab: usually, the password or the key was "
        "changed after the keytab was created",
        "obtain a new keytab; MIT krb5's getprinc prints the principal's key version",
    ),
    "kinit-clock": error(
        "this host's clock and the KDC's differ too much",
        "synchronize this host's clock; check it with chronyc tracking or timedatectl",
    ),
    "kinit-client-unknown": error(
        "the KDC does not know this principal",
        "correct c.KerberosTicket.principal or c.KerberosTicket.principal_map, or have the "
        "administrator of the realm create the principal",
    ),
    "kinit-client-locked": error(
        "the principal is locked, or the principal or its password has expired",
        "have the administrator of the realm unlock the principal, or extend the expiration",
    ),
    "kinit-enctype": error(
        "the KDC, krb5.conf and the keytab have no encryption type in common",
        "obtain a new keytab with aes256-cts-hmac-sha1-96, or set permitted_enctypes in krb5.conf",
    ),
    "kinit-no-kdc": error(
        "kinit cannot contact any KDC of the realm",
        "correct the kdc lines of krb5.conf or the DNS records, or open the KDC's port in the "
        "firewall",
    ),
    "kinit-no-key": error(
        "the keytab has no key of a permitted encryption type for the principal",
        shell_command("klist", "-ke", "{path}"),
    ),
    "kinit-not-started": error(
        "kinit did not start; the ticket service runs it as the user, or as root with a central "
        "keytab",
        "set c.KerberosTicket.kinit to a program that every user can run, such as /usr/bin/kinit",
    ),
    "kinit-timeout": error(
        "kinit did not finish in time: a KDC or the name service may be unresponsive",
        NextStep("{command}"),
    ),
    "kinit-failed": error("kinit obtained no ticket", NextStep("{command}")),
    "kinit-works": note(
        "kinit obtained a ticket with the settings of the ticket service; doctor removed it"
    ),
    # the hub's unit
    "unit-missing": note(
        "doctor does not know how the hub is started", jhpatch_command("doctor", "--unit", "NAME")
    ),
    "unit": note("these settings of the systemd unit apply to the hub"),
    "unit-restricted": note(
        "doctor runs outside the unit, and cannot test whether these settings keep the hub "
        "from keytabs, caches or KDCs",
        "see the hub's log at the next login",
    ),
    "unit-krb5-config": warning(
        "the hub and its kinit use this value; the users' servers do not receive it, and read "
        "/etc/krb5.conf",
        Line("c.Spawner.environment.update({{'KRB5_CONFIG': {line}}})"),
    ),
    "shell-krb5-config": note(
        "a service does not inherit the variables of a shell",
        "unset KRB5_CONFIG, or set it in the hub's unit: Environment=KRB5_CONFIG=FILE",
    ),
    "unit-not-root": warning(
        "a hub that does not run as root cannot run kinit as its users",
        Line("{line}", "in the [Service] section of the unit"),
    ),
    "unit-private-tmp": warning(
        "the unit has a private /tmp: processes outside the unit do not see the caches there, and "
        "systemd removes the caches when the unit stops",
        Line("c.KerberosTicket.ccache = '/run/jhpatch/{{uid}}/cc'"),
    ),
    "unit-protect-home": error(
        "the hub cannot read, or cannot write, files in home directories and in /run/user",
        Line("ProtectHome=no", "in the [Service] section of the unit"),
    ),
    "unit-protect-system": error(
        "the hub cannot write to the directory of the caches",
        Line("ReadWritePaths={path}", "in the [Service] section of the unit"),
    ),
    # patched code
    "restart-needed": warning(
        "this process still runs the code from before the last change",
        "restart the hub, or have the user restart the server",
    ),
    "restart-unknown": note(
        "on this host, only root sees other users' processes", same_command("sudo")
    ),
    "restart-unchecked": note(
        "doctor checks whether the processes of one environment need a restart",
        "name the environment of the hub: --python /path/to/the/hub/bin/python",
    ),
    "site-unreadable": warning(
        "doctor cannot tell whether a restart is needed", jhpatch_command("status")
    ),
}
TABLE = FindingTable({**KRB5_KINDS, **_KINDS, **USER_KINDS, **RUNNER_KINDS})


def finding(
    code: str,
    message: str,
    path: Optional[str] = None,
    user: Optional[str] = None,
    place: Optional[Place] = None,
    **fields: object,
) -> Finding:
    """Return the finding of a code, as ``FindingTable.finding`` does.

    Its next step is a command that changes the file at ``place`` only where next_steps.py
    permits that command there.
    """
    found = TABLE.finding(code, message, path, user, **fields)
    change = change_of(code, place) if place else None
    return found._replace(next=change) if change else found
