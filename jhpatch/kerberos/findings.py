"""Every finding that ``doctor`` can have: its code, severity, why it matters, the next step.

docs/doctor.md shows this table; a test compares the two.
"""

from typing import Dict

from jhpatch.checks.finding import FindingKind, FindingTable
from jhpatch.checks.runner import KINDS as RUNNER_KINDS
from jhpatch.errors import jhpatch_command, python_command, shell_command

_E, _W, _N = "error", "warning", "note"
_OWNED_BY_ROOT = (
    shell_command("chown", "root", "{path}") + " && " + shell_command("chmod", "go-w", "{path}")
)

_KINDS: Dict[str, FindingKind] = {
    # krb5.conf
    "krb5-conf-missing": FindingKind(
        _E,
        "without krb5.conf kinit knows no realm and no KDC",
        "copy /etc/krb5.conf from a host that works",
    ),
    "krb5-conf-unreadable": FindingKind(
        _E,
        "each user's kinit reads this file, as that user",
        shell_command("chmod", "a+r", "{path}"),
    ),
    "krb5-conf-writable": FindingKind(
        _E,
        "who writes it can send all kinits, root's too, to a KDC of their own",
        _OWNED_BY_ROOT,
    ),
    "krb5-conf-syntax": FindingKind(
        _E,
        "libkrb5 reads none of it after such a line: every kinit fails",
        "edit {path}",
    ),
    "krb5-conf-include": FindingKind(
        _E,
        "libkrb5 fails where an included file or folder cannot be read",
        "put {path} there, or take its include line away",
    ),
    "no-default-realm": FindingKind(
        _W,
        "a principal without @REALM, such as the default {username}, has no realm then",
        "default_realm = REALM, below [libdefaults] of krb5.conf",
    ),
    # the KDC
    "no-kdc": FindingKind(
        _E,
        "neither krb5.conf nor the DNS names a KDC of the realm",
        "kdc = HOST, in the braces of {realm} below [realms] of krb5.conf",
    ),
    "kdc-name-unknown": FindingKind(
        _W,
        "each kinit waits for the name service before it asks another KDC",
        shell_command("getent", "hosts", "{host}"),
    ),
    "kdc-unreachable": FindingKind(
        _E,
        "no KDC of the realm answers: nobody gets a ticket or a renewal",
        shell_command("nc", "-vz", "{host}", "{port}"),
    ),
    "kdc-silent": FindingKind(
        _W,
        "another KDC of the realm answers, but each kinit may wait for this one first",
        shell_command("nc", "-vz", "{host}", "{port}"),
    ),
    "kdc-udp-blocked": FindingKind(
        _W,
        "kinit asks by UDP first and waits a second or more before it turns to TCP",
        "udp_preference_limit = 1, below [libdefaults] of krb5.conf",
    ),
    "kdc-tcp-blocked": FindingKind(
        _W,
        "an answer too large for UDP (a user of many groups) comes by TCP only",
        shell_command("nc", "-vz", "{host}", "{port}"),
    ),
    "kdc-wrong-realm": FindingKind(
        _E,
        "this server keeps another realm",
        "edit the kdc lines of {realm} in krb5.conf",
    ),
    "kdc-answers": FindingKind(_N, "tickets can be got from here"),
    "kdc-proxied": FindingKind(
        _N, "a KDC behind HTTPS (MS-KKDCP) is not asked; --user has kinit ask it"
    ),
    "clock-skew": FindingKind(
        _E,
        "Kerberos refuses tickets where clocks differ by more than clockskew",
        "chronyc makestep",
    ),
    "clock-drift": FindingKind(
        _W,
        "the clock runs towards the limit at which Kerberos refuses tickets",
        "chronyc tracking",
    ),
    # programs
    "no-kinit": FindingKind(
        _E,
        "tickets are got by kinit",
        "apt-get install krb5-user || dnf install krb5-workstation",
    ),
    "no-setpriv": FindingKind(
        _E, "the hub becomes the user by setpriv(1)", "apt-get install util-linux"
    ),
    "kinit": FindingKind(_N, "this kinit gets the tickets"),
    "kinit-several": FindingKind(
        _W,
        "users may run another kinit than the hub, with another default cache",
        "c.KerberosTicket.kinit = {line}",
    ),
    "kinit-conda": FindingKind(
        _W,
        "conda's libkrb5 has its own defaults, and no KEYRING or KCM caches",
        "c.KerberosTicket.kinit = '/usr/bin/kinit'",
    ),
    "kinit-heimdal": FindingKind(
        _W,
        "jhpatch is tested with MIT krb5: Heimdal's kinit has other options",
        "apt-get install krb5-user, and c.KerberosTicket.kinit = '/usr/bin/kinit'",
    ),
    "kinit-writable": FindingKind(
        _E,
        "who writes it runs as every user who gets a ticket; root does not run it here",
        _OWNED_BY_ROOT,
    ),
    # the hub's configuration
    "config-unreadable": FindingKind(
        _E,
        "nothing is known of the hub's settings",
        jhpatch_command("doctor", "--config", "FILE"),
    ),
    "config-writable": FindingKind(
        _E,
        "the hub runs it as root: who can write it is root. It was not read",
        _OWNED_BY_ROOT,
    ),
    "config-syntax": FindingKind(
        _E, "the hub does not start with it", python_command("py_compile", "{path}")
    ),
    "setting-not-literal": FindingKind(
        _N,
        "doctor runs no code: it cannot tell what this line gives",
        jhpatch_command("doctor", "--{name}", "TEMPLATE"),
    ),
    "setting-wrong": FindingKind(
        _E,
        "the helper is disabled by a wrong setting",
        "c.KerberosTicket.{name} = '...'",
    ),
    "spawner-not-covered": FindingKind(
        _W,
        "such a server does not share this host's caches: the hub gets no ticket for it",
        "c.JupyterHub.spawner_class = 'jupyterhub.spawner.LocalProcessSpawner'",
    ),
    "spawner-unknown": FindingKind(
        _N,
        "covered if it is a LocalProcessSpawner, SudoSpawner or SystemdSpawner beneath",
        "see the hub's log at the next spawn",
    ),
    "authenticator-bypasses-pam": FindingKind(
        _E,
        "the patched lines are in PAMAuthenticator: this one never passes them",
        "c.JupyterHub.authenticator_class = 'jupyterhub.auth.PAMAuthenticator'",
    ),
    "authenticator-unknown": FindingKind(
        _W,
        "it passes the patched lines only if it is a PAMAuthenticator that calls super()",
        "see the hub's log at the next login",
    ),
    # a user
    "no-user": FindingKind(
        _N,
        "keytabs and caches are a user's: none was looked at",
        jhpatch_command("doctor", "--user", "NAME"),
    ),
    "no-account": FindingKind(
        _E,
        "a name that the host does not know gets no ticket",
        shell_command("getent", "passwd", "{user}"),
    ),
    "below-min-uid": FindingKind(
        _E, "such a user gets no ticket; root never does", shell_command("id", "{user}")
    ),
    "needs-root": FindingKind(
        _N,
        "not checked: only root can look as another user",
        "sudo " + jhpatch_command("doctor", "--user", "{user}"),
    ),
    "home-needs-ticket": FindingKind(
        _E,
        "the home is mounted with sec=krb5: the keytab in it cannot be read without a ticket",
        "c.KerberosTicket.keytab = '/etc/jhpatch/keytabs/{{username}}.keytab'",
    ),
    "home-before-ticket": FindingKind(
        _W,
        "PAM opens the home at a spawn: the ticket must be there before",
        "c.KerberosTicket.when = 'before'",
    ),
    "keytab-missing": FindingKind(
        _E,
        "there is nothing to get a ticket from",
        shell_command("ls", "-l", "{path}") + ", or c.KerberosTicket.keytab",
    ),
    "keytab-not-regular": FindingKind(
        _E,
        "a keytab is a regular file; a FIFO would hold up kinit",
        shell_command("ls", "-l", "{path}"),
    ),
    "keytab-unreachable": FindingKind(
        _E,
        "the user cannot pass this folder on the way to the keytab",
        shell_command("chmod", "a+x", "{path}"),
    ),
    "keytab-unreadable": FindingKind(
        _E,
        "kinit runs as the user",
        shell_command("chown", "{user}", "{path}")
        + " && "
        + shell_command("chmod", "600", "{path}"),
    ),
    "keytab-exposed": FindingKind(
        _E,
        "who can read a keytab can be its principal, for ever",
        shell_command("chmod", "600", "{path}"),
    ),
    "keytab-foreign": FindingKind(
        _W,
        "its owner can put another principal's keys there",
        shell_command("chown", "{user}", "{path}"),
    ),
    "keytab-replaceable": FindingKind(
        _E,
        "others can write this part of the path, and put another keytab there",
        shell_command("chmod", "go-w", "{path}"),
    ),
    "keytab-malformed": FindingKind(
        _E,
        "klist cannot read it",
        "ktutil, or a new keytab from the administrator of the realm",
    ),
    "keytab-lacks-principal": FindingKind(
        _E,
        "kinit finds no key for the principal that is wanted",
        "c.KerberosTicket.principal, or a new keytab that has {principal}",
    ),
    "keytab-weak": FindingKind(
        _W,
        "only keys of deprecated types (DES, RC4): newer libraries and KDCs refuse them",
        "a new keytab with aes256-cts-hmac-sha1-96",
    ),
    "keytab": FindingKind(_N, "tickets are got with these keys"),
    "keytab-central": FindingKind(
        _N, "only root can read it: the hub gets the tickets, and renews them while it runs"
    ),
    # what kinit says
    "kinit-key-wrong": FindingKind(
        _E,
        "the keytab's key is not the KDC's: the password or key was changed since",
        "a new keytab; kvno {principal} shows the KDC's key version",
    ),
    "kinit-clock": FindingKind(
        _E, "this host's clock and the KDC's differ too much", "chronyc makestep"
    ),
    "kinit-client-unknown": FindingKind(
        _E,
        "the realm has no such principal: a wrong name or a wrong realm",
        "c.KerberosTicket.principal",
    ),
    "kinit-client-locked": FindingKind(
        _E,
        "the principal is locked or has expired",
        "ask the administrator of the realm",
    ),
    "kinit-enctype": FindingKind(
        _E,
        "the KDC, krb5.conf and the keytab have no encryption type in common",
        "a new keytab with aes256-cts-hmac-sha1-96; permitted_enctypes in krb5.conf",
    ),
    "kinit-no-kdc": FindingKind(
        _E, "kinit reaches no KDC of the realm", "the findings about the KDC, above"
    ),
    "kinit-no-key": FindingKind(
        _E,
        "the keytab has no key for the principal of a type that is permitted",
        shell_command("klist", "-ke", "{path}"),
    ),
    "kinit-timeout": FindingKind(
        _E,
        "kinit did not end: a KDC that is silent, or a slow name service",
        "KRB5_TRACE=/dev/stderr {command}",
    ),
    "kinit-failed": FindingKind(_E, "kinit got no ticket", "KRB5_TRACE=/dev/stderr {command}"),
    "kinit-works": FindingKind(_N, "a ticket was got, and thrown away: no cache was touched"),
    # the cache
    "ccache-unsupported": FindingKind(
        _E,
        "such a cache is not seen by another process or session",
        "c.KerberosTicket.ccache = '/tmp/krb5cc_{{uid}}'",
    ),
    "ccache-hidden-from-jvm": FindingKind(
        _W,
        "Spark and Hadoop see FILE caches only: /tmp/krb5cc_UID, or what KRB5CCNAME names",
        "c.KerberosTicket.ccache = '/tmp/krb5cc_{{uid}}'",
    ),
    "ccache-foreign": FindingKind(
        _E,
        "a cache of somebody else is never used",
        shell_command("rm", "{path}") + ", or c.KerberosTicket.ccache = '/run/jhpatch/{{uid}}/cc'",
    ),
    "ccache-folder": FindingKind(
        _E,
        "kinit, as the user, makes the cache in this folder",
        shell_command("install", "-d", "-m", "700", "-o", "{user}", "{path}"),
    ),
    "ccache-unknown": FindingKind(_W, "klist does not name the user's cache", "klist"),
    "ccache": FindingKind(_N, "tickets are put there"),
    # the hub's unit
    "unit-missing": FindingKind(
        _N, "how the hub is started is not known", jhpatch_command("doctor", "--unit", "NAME")
    ),
    "unit": FindingKind(_N, "the hub is started so"),
    "unit-not-root": FindingKind(
        _W,
        "a hub that is not root cannot become its users",
        "User=root, below [Service] of the unit",
    ),
    "unit-private-tmp": FindingKind(
        _W,
        "the hub and its servers have a /tmp of their own: others do not see caches there, "
        "and they go when the hub restarts",
        "PrivateTmp=no, or c.KerberosTicket.ccache = '/run/jhpatch/{{uid}}/cc'",
    ),
    "unit-protect-home": FindingKind(
        _E,
        "the hub and its servers cannot use what lies in a home",
        "ProtectHome=no, below [Service] of the unit",
    ),
    "unit-protect-system": FindingKind(
        _E,
        "the hub and its servers cannot write where the caches shall be",
        "ReadWritePaths={path}, below [Service] of the unit",
    ),
    # patched code
    "restart-needed": FindingKind(
        _W,
        "it runs the code from before the patches",
        "restart it: a hub by its unit, a server by its user",
    ),
    "restart-unknown": FindingKind(
        _N, "only root sees other users' processes here", "sudo " + jhpatch_command("doctor")
    ),
    "site-unreadable": FindingKind(
        _W, "whether a restart is needed is not known", jhpatch_command("status")
    ),
}
TABLE = FindingTable(dict(_KINDS, **RUNNER_KINDS))
finding = TABLE.finding
