"""Every finding of doctor's Kerberos checks: code, severity, why it matters, the next step.

docs/doctor.md shows this table; a test compares the two.
"""

from typing import Dict

from jhpatch.checks.finding import FindingKind, FindingTable, error, note, warning
from jhpatch.checks.runner import KINDS as RUNNER_KINDS
from jhpatch.errors import jhpatch_command, python_command, shell_command

_OWNED_BY_ROOT = (
    shell_command("chown", "root", "{path}") + " && " + shell_command("chmod", "go-w", "{path}")
)

_KINDS: Dict[str, FindingKind] = {
    # krb5.conf
    "krb5-conf-missing": error(
        "without krb5.conf kinit knows no realm and no KDC",
        "copy /etc/krb5.conf from a host that works",
    ),
    "krb5-conf-unreadable": error(
        "each user's kinit reads this file, as that user",
        shell_command("chmod", "a+r", "{path}"),
    ),
    "krb5-conf-writable": error(
        "who writes it can send all kinits, root's too, to a KDC of their own",
        _OWNED_BY_ROOT,
    ),
    "krb5-conf-syntax": error(
        "libkrb5 reads none of it after such a line: every kinit fails",
        "edit {path}",
    ),
    "krb5-conf-include": error(
        "libkrb5 fails where an included file or folder cannot be read",
        "put {path} there, or take its include line away",
    ),
    "no-default-realm": warning(
        "a principal without @REALM, such as the default {username}, has no realm then",
        "default_realm = REALM, below [libdefaults] of krb5.conf",
    ),
    # KDCs
    "no-kdc": error(
        "neither krb5.conf nor the DNS names a KDC of the realm",
        "kdc = HOST, in the braces of {realm} below [realms] of krb5.conf",
    ),
    "kdc-name-unknown": warning(
        "each kinit waits for the name service before it asks another KDC",
        shell_command("getent", "hosts", "{host}"),
    ),
    "kdc-unreachable": error(
        "no KDC of the realm answers: nobody gets a ticket or a renewal",
        shell_command("nc", "-vz", "{host}", "{port}"),
    ),
    "kdc-silent": warning(
        "another KDC of the realm answers, but each kinit may wait for this one first",
        shell_command("nc", "-vz", "{host}", "{port}"),
    ),
    "kdc-udp-blocked": warning(
        "kinit asks by UDP first and waits a second or more before it turns to TCP",
        "udp_preference_limit = 1, below [libdefaults] of krb5.conf",
    ),
    "kdc-tcp-blocked": warning(
        "an answer too large for UDP (a user of many groups) comes by TCP only",
        shell_command("nc", "-vz", "{host}", "{port}"),
    ),
    "kdc-wrong-realm": error(
        "this server keeps another realm",
        "edit the kdc lines of {realm} in krb5.conf",
    ),
    "kdc-answers": note("tickets can be got from here"),
    "kdc-proxied": note("a KDC behind HTTPS (MS-KKDCP) is not asked; --user has kinit ask it"),
    "clock-skew": error(
        "Kerberos refuses tickets where clocks differ by more than clockskew",
        "chronyc makestep",
    ),
    "clock-drift": warning(
        "the clock runs towards the limit at which Kerberos refuses tickets",
        "chronyc tracking",
    ),
    # programs
    "no-kinit": error(
        "tickets are got by kinit",
        "apt-get install krb5-user || dnf install krb5-workstation",
    ),
    "no-setpriv": error("the hub becomes the user by setpriv(1)", "apt-get install util-linux"),
    "kinit": note("this kinit gets the tickets"),
    "kinit-several": warning(
        "users may run another kinit than the hub, with another default cache",
        "c.KerberosTicket.kinit = {line}",
    ),
    "kinit-conda": warning(
        "conda's libkrb5 has its own defaults, and no KEYRING or KCM caches",
        "c.KerberosTicket.kinit = '/usr/bin/kinit'",
    ),
    "kinit-heimdal": warning(
        "jhpatch is tested with MIT krb5: Heimdal's kinit has other options",
        "apt-get install krb5-user, and c.KerberosTicket.kinit = '/usr/bin/kinit'",
    ),
    "kinit-writable": error(
        "who writes it runs as every user who gets a ticket; root does not run it here",
        _OWNED_BY_ROOT,
    ),
    # the hub's configuration
    "config-unreadable": error(
        "nothing is known of the hub's settings",
        jhpatch_command("doctor", "--config", "FILE"),
    ),
    "config-writable": error(
        "the hub runs it as root: who can write it is root. It was not read",
        _OWNED_BY_ROOT,
    ),
    "config-syntax": error(
        "the hub does not start with it", python_command("py_compile", "{path}")
    ),
    "setting-not-literal": note(
        "doctor runs no code: it cannot tell what this line gives",
        jhpatch_command("doctor", "--{name}", "TEMPLATE"),
    ),
    "setting-wrong": error(
        "the helper is disabled by a wrong setting",
        "c.KerberosTicket.{name} = '...'",
    ),
    "spawner-not-covered": warning(
        "such a server does not share this host's caches: the hub gets no ticket for it",
        "c.JupyterHub.spawner_class = 'jupyterhub.spawner.LocalProcessSpawner'",
    ),
    "spawner-unknown": note(
        "covered if it is a LocalProcessSpawner, SudoSpawner or SystemdSpawner beneath",
        "see the hub's log at the next spawn",
    ),
    "authenticator-bypasses-pam": error(
        "the patched lines are in PAMAuthenticator: this one never passes them",
        "c.JupyterHub.authenticator_class = 'jupyterhub.auth.PAMAuthenticator'",
    ),
    "authenticator-unknown": warning(
        "it passes the patched lines only if it is a PAMAuthenticator that calls super()",
        "see the hub's log at the next login",
    ),
    # a user
    "no-user": note(
        "keytabs and caches are a user's: none was looked at",
        jhpatch_command("doctor", "--user", "NAME"),
    ),
    "no-account": error(
        "a name that the host does not know gets no ticket",
        shell_command("getent", "passwd", "{user}"),
    ),
    "below-min-uid": error(
        "such a user gets no ticket; root never does", shell_command("id", "{user}")
    ),
    "needs-root": note(
        "not checked: only root can look as another user",
        "sudo " + jhpatch_command("doctor", "--user", "{user}"),
    ),
    "home-needs-ticket": error(
        "the home is mounted with sec=krb5: the keytab in it cannot be read without a ticket",
        "c.KerberosTicket.keytab = '/etc/jhpatch/keytabs/{{username}}.keytab'",
    ),
    "home-before-ticket": warning(
        "PAM opens the home at a spawn: the ticket must be there before",
        "c.KerberosTicket.when = 'before'",
    ),
    "keytab-missing": error(
        "there is nothing to get a ticket from",
        shell_command("ls", "-l", "{path}") + ", or c.KerberosTicket.keytab",
    ),
    "keytab-not-regular": error(
        "a keytab is a regular file; a FIFO would hold up kinit",
        shell_command("ls", "-l", "{path}"),
    ),
    "keytab-unreachable": error(
        "the user cannot pass this folder on the way to the keytab",
        shell_command("chmod", "a+x", "{path}"),
    ),
    "keytab-unreadable": error(
        "kinit runs as the user",
        shell_command("chown", "{user}", "{path}")
        + " && "
        + shell_command("chmod", "600", "{path}"),
    ),
    "keytab-exposed": error(
        "who can read a keytab can be its principal, for ever",
        shell_command("chmod", "600", "{path}"),
    ),
    "keytab-foreign": warning(
        "its owner can put another principal's keys there",
        shell_command("chown", "{user}", "{path}"),
    ),
    "keytab-replaceable": error(
        "others can write this part of the path, and put another keytab there",
        shell_command("chmod", "go-w", "{path}"),
    ),
    "keytab-malformed": error(
        "klist cannot read it",
        "ktutil, or a new keytab from the administrator of the realm",
    ),
    "keytab-lacks-principal": error(
        "kinit finds no key for the principal that is wanted",
        "c.KerberosTicket.principal, or a new keytab that has {principal}",
    ),
    "keytab-weak": warning(
        "only keys of deprecated types (DES, RC4): newer libraries and KDCs refuse them",
        "a new keytab with aes256-cts-hmac-sha1-96",
    ),
    "keytab": note("tickets are got with these keys"),
    "keytab-central": note(
        "only root can read it: the hub gets the tickets, and renews them while it runs"
    ),
    # what kinit prints
    "kinit-key-wrong": error(
        "the keytab's key is not the KDC's: the password or key was changed since",
        "a new keytab; kvno {principal} shows the KDC's key version",
    ),
    "kinit-clock": error("this host's clock and the KDC's differ too much", "chronyc makestep"),
    "kinit-client-unknown": error(
        "the realm has no such principal: a wrong name or a wrong realm",
        "c.KerberosTicket.principal",
    ),
    "kinit-client-locked": error(
        "the principal is locked or has expired",
        "ask the administrator of the realm",
    ),
    "kinit-enctype": error(
        "the KDC, krb5.conf and the keytab have no encryption type in common",
        "a new keytab with aes256-cts-hmac-sha1-96; permitted_enctypes in krb5.conf",
    ),
    "kinit-no-kdc": error(
        "kinit reaches no KDC of the realm", "the findings about the KDC, above"
    ),
    "kinit-no-key": error(
        "the keytab has no key for the principal of a type that is permitted",
        shell_command("klist", "-ke", "{path}"),
    ),
    "kinit-timeout": error(
        "kinit did not end: a KDC that is silent, or a slow name service",
        "KRB5_TRACE=/dev/stderr {command}",
    ),
    "kinit-failed": error("kinit got no ticket", "KRB5_TRACE=/dev/stderr {command}"),
    "kinit-works": note("a ticket was got, and thrown away: no cache was touched"),
    # the cache
    "ccache-unsupported": error(
        "such a cache is not seen by another process or session",
        "c.KerberosTicket.ccache = '/tmp/krb5cc_{{uid}}'",
    ),
    "ccache-hidden-from-jvm": warning(
        "Spark and Hadoop see FILE caches only: /tmp/krb5cc_UID, or what KRB5CCNAME names",
        "c.KerberosTicket.ccache = '/tmp/krb5cc_{{uid}}'",
    ),
    "ccache-foreign": error(
        "a cache of somebody else is never used",
        shell_command("rm", "{path}") + ", or c.KerberosTicket.ccache = '/run/jhpatch/{{uid}}/cc'",
    ),
    "ccache-folder": error(
        "kinit, as the user, makes the cache in this folder",
        shell_command("install", "-d", "-m", "700", "-o", "{user}", "{path}"),
    ),
    "ccache-unknown": warning("klist does not name the user's cache", "klist"),
    "ccache": note("tickets are put there"),
    # the hub's unit
    "unit-missing": note(
        "how the hub is started is not known", jhpatch_command("doctor", "--unit", "NAME")
    ),
    "unit": note("the hub is started so"),
    "unit-not-root": warning(
        "a hub that is not root cannot become its users",
        "User=root, below [Service] of the unit",
    ),
    "unit-private-tmp": warning(
        "the hub and its servers have a /tmp of their own: others do not see caches there, "
        "and they go when the hub restarts",
        "PrivateTmp=no, or c.KerberosTicket.ccache = '/run/jhpatch/{{uid}}/cc'",
    ),
    "unit-protect-home": error(
        "the hub and its servers cannot use what lies in a home",
        "ProtectHome=no, below [Service] of the unit",
    ),
    "unit-protect-system": error(
        "the hub and its servers cannot write where the caches shall be",
        "ReadWritePaths={path}, below [Service] of the unit",
    ),
    # patched code
    "restart-needed": warning(
        "it runs the code from before the patches",
        "restart it: a hub by its unit, a server by its user",
    ),
    "restart-unknown": note(
        "only root sees other users' processes here", "sudo " + jhpatch_command("doctor")
    ),
    "site-unreadable": warning(
        "whether a restart is needed is not known", jhpatch_command("status")
    ),
}
TABLE = FindingTable(dict(_KINDS, **RUNNER_KINDS))
finding = TABLE.finding
