"""Every finding that ``doctor`` can have: its code, severity, why it matters, the next step.

docs/doctor.md shows this table; a test compares the two.
"""

import shlex
from typing import Dict, Optional

from jhpatch.report.result import Finding, Kind

_E, _W, _N = "error", "warning", "note"

KINDS: Dict[str, Kind] = {
    # krb5.conf
    "krb5-conf-missing": Kind(
        _E,
        "without krb5.conf kinit knows no realm and no KDC",
        "copy /etc/krb5.conf from a host that works",
    ),
    "krb5-conf-unreadable": Kind(
        _E, "each user's kinit reads this file, as that user", "chmod a+r {path}"
    ),
    "krb5-conf-writable": Kind(
        _E,
        "who writes it can send all kinits, root's too, to a KDC of their own",
        "chown root {path} && chmod go-w {path}",
    ),
    "krb5-conf-syntax": Kind(
        _E,
        "libkrb5 reads none of it after such a line: every kinit fails",
        "edit {path}",
    ),
    "krb5-conf-include": Kind(
        _E,
        "libkrb5 fails where an included file or folder cannot be read",
        "put {path} there, or take its include line away",
    ),
    "no-default-realm": Kind(
        _W,
        "a principal without @REALM, such as the default {username}, has no realm then",
        "default_realm = REALM, below [libdefaults] of krb5.conf",
    ),
    # the KDC
    "no-kdc": Kind(
        _E,
        "neither krb5.conf nor the DNS names a KDC of the realm",
        "kdc = HOST, in the braces of {realm} below [realms] of krb5.conf",
    ),
    "kdc-name-unknown": Kind(
        _W,
        "each kinit waits for the name service before it asks another KDC",
        "getent hosts {host}",
    ),
    "kdc-unreachable": Kind(
        _E,
        "no KDC of the realm answers: nobody gets a ticket or a renewal",
        "nc -vz {host} {port}",
    ),
    "kdc-silent": Kind(
        _W,
        "another KDC of the realm answers, but each kinit may wait for this one first",
        "nc -vz {host} {port}",
    ),
    "kdc-udp-blocked": Kind(
        _W,
        "kinit asks by UDP first and waits a second or more before it turns to TCP",
        "udp_preference_limit = 1, below [libdefaults] of krb5.conf",
    ),
    "kdc-tcp-blocked": Kind(
        _W,
        "an answer too large for UDP (a user of many groups) comes by TCP only",
        "nc -vz {host} {port}",
    ),
    "kdc-wrong-realm": Kind(
        _E,
        "this server keeps another realm",
        "edit the kdc lines of {realm} in krb5.conf",
    ),
    "kdc-answers": Kind(_N, "tickets can be got from here"),
    "kdc-proxied": Kind(_N, "a KDC behind HTTPS (MS-KKDCP) is not asked; --user has kinit ask it"),
    "clock-skew": Kind(
        _E,
        "Kerberos refuses tickets where clocks differ by more than clockskew",
        "chronyc makestep",
    ),
    "clock-drift": Kind(
        _W,
        "the clock runs towards the limit at which Kerberos refuses tickets",
        "chronyc tracking",
    ),
    # programs
    "no-kinit": Kind(
        _E,
        "tickets are got by kinit",
        "apt-get install krb5-user || dnf install krb5-workstation",
    ),
    "no-setpriv": Kind(_E, "the hub becomes the user by setpriv(1)", "apt-get install util-linux"),
    "kinit": Kind(_N, "this kinit gets the tickets"),
    "kinit-several": Kind(
        _W,
        "users may run another kinit than the hub, with another default cache",
        "c.KerberosTicket.kinit = {line}",
    ),
    "kinit-conda": Kind(
        _W,
        "conda's libkrb5 has its own defaults, and no KEYRING or KCM caches",
        "c.KerberosTicket.kinit = '/usr/bin/kinit'",
    ),
    "kinit-heimdal": Kind(
        _W,
        "jhpatch is tested with MIT krb5: Heimdal's kinit has other options",
        "apt-get install krb5-user, and c.KerberosTicket.kinit = '/usr/bin/kinit'",
    ),
    "kinit-writable": Kind(
        _E,
        "who writes it runs as every user who gets a ticket; root does not run it here",
        "chown root {path} && chmod go-w {path}",
    ),
    # the hub's configuration
    "config-unreadable": Kind(
        _E,
        "nothing is known of the hub's settings",
        "python -m jhpatch doctor --config FILE",
    ),
    "config-writable": Kind(
        _E,
        "the hub runs it as root: who can write it is root. It was not read",
        "chown root {path} && chmod go-w {path}",
    ),
    "config-syntax": Kind(_E, "the hub does not start with it", "python -m py_compile {path}"),
    "setting-not-literal": Kind(
        _N,
        "doctor runs no code: it cannot tell what this line gives",
        "python -m jhpatch doctor --{name} TEMPLATE",
    ),
    "setting-wrong": Kind(
        _E,
        "the helper is disabled by a wrong setting",
        "c.KerberosTicket.{name} = '...'",
    ),
    "spawner-not-covered": Kind(
        _W,
        "such a server does not share this host's caches: the hub gets no ticket for it",
        "c.JupyterHub.spawner_class = 'jupyterhub.spawner.LocalProcessSpawner'",
    ),
    "spawner-unknown": Kind(
        _N,
        "covered if it is a LocalProcessSpawner, SudoSpawner or SystemdSpawner beneath",
        "see the hub's log at the next spawn",
    ),
    "authenticator-bypasses-pam": Kind(
        _E,
        "the patched lines are in PAMAuthenticator: this one never passes them",
        "c.JupyterHub.authenticator_class = 'jupyterhub.auth.PAMAuthenticator'",
    ),
    "authenticator-unknown": Kind(
        _W,
        "it passes the patched lines only if it is a PAMAuthenticator that calls super()",
        "see the hub's log at the next login",
    ),
    # a user
    "no-user": Kind(
        _N,
        "keytabs and caches are a user's: none was looked at",
        "python -m jhpatch doctor --user NAME",
    ),
    "no-account": Kind(
        _E, "a name that the host does not know gets no ticket", "getent passwd {user}"
    ),
    "below-min-uid": Kind(_E, "such a user gets no ticket; root never does", "id {user}"),
    "needs-root": Kind(
        _N,
        "not checked: only root can look as another user",
        "sudo python -m jhpatch doctor {options}",
    ),
    "home-needs-ticket": Kind(
        _E,
        "the home is mounted with sec=krb5: the keytab in it cannot be read without a ticket",
        "c.KerberosTicket.keytab = '/etc/jhpatch/keytabs/{{username}}.keytab'",
    ),
    "home-before-ticket": Kind(
        _W,
        "PAM opens the home at a spawn: the ticket must be there before",
        "c.KerberosTicket.when = 'before'",
    ),
    "keytab-missing": Kind(
        _E,
        "there is nothing to get a ticket from",
        "ls -l {path}, or c.KerberosTicket.keytab",
    ),
    "keytab-not-regular": Kind(
        _E, "a keytab is a regular file; a FIFO would hold up kinit", "ls -l {path}"
    ),
    "keytab-unreachable": Kind(
        _E,
        "the user cannot pass this folder on the way to the keytab",
        "chmod a+x {path}",
    ),
    "keytab-unreadable": Kind(
        _E, "kinit runs as the user", "chown {user} {path} && chmod 600 {path}"
    ),
    "keytab-exposed": Kind(
        _E, "who can read a keytab can be its principal, for ever", "chmod 600 {path}"
    ),
    "keytab-foreign": Kind(
        _W, "its owner can put another principal's keys there", "chown {user} {path}"
    ),
    "keytab-replaceable": Kind(
        _E,
        "others can write this part of the path, and put another keytab there",
        "chmod go-w {path}",
    ),
    "keytab-malformed": Kind(
        _E,
        "klist cannot read it",
        "ktutil, or a new keytab from the administrator of the realm",
    ),
    "keytab-lacks-principal": Kind(
        _E,
        "kinit finds no key for the principal that is wanted",
        "c.KerberosTicket.principal, or a new keytab that has {principal}",
    ),
    "keytab-weak": Kind(
        _W,
        "only keys of deprecated types (DES, RC4): newer libraries and KDCs refuse them",
        "a new keytab with aes256-cts-hmac-sha1-96",
    ),
    "keytab": Kind(_N, "tickets are got with these keys"),
    "keytab-central": Kind(
        _N, "only root can read it: the hub gets the tickets, and renews them while it runs"
    ),
    # what kinit says
    "kinit-key-wrong": Kind(
        _E,
        "the keytab's key is not the KDC's: the password or key was changed since",
        "a new keytab; kvno {principal} shows the KDC's key version",
    ),
    "kinit-clock": Kind(_E, "this host's clock and the KDC's differ too much", "chronyc makestep"),
    "kinit-client-unknown": Kind(
        _E,
        "the realm has no such principal: a wrong name or a wrong realm",
        "c.KerberosTicket.principal",
    ),
    "kinit-client-locked": Kind(
        _E,
        "the principal is locked or has expired",
        "ask the administrator of the realm",
    ),
    "kinit-enctype": Kind(
        _E,
        "the KDC, krb5.conf and the keytab have no encryption type in common",
        "a new keytab with aes256-cts-hmac-sha1-96; permitted_enctypes in krb5.conf",
    ),
    "kinit-no-kdc": Kind(
        _E, "kinit reaches no KDC of the realm", "the findings about the KDC, above"
    ),
    "kinit-no-key": Kind(
        _E,
        "the keytab has no key for the principal of a type that is permitted",
        "klist -ke {path}",
    ),
    "kinit-timeout": Kind(
        _E,
        "kinit did not end: a KDC that is silent, or a slow name service",
        "KRB5_TRACE=/dev/stderr {command}",
    ),
    "kinit-failed": Kind(_E, "kinit got no ticket", "KRB5_TRACE=/dev/stderr {command}"),
    "kinit-works": Kind(_N, "a ticket was got, and thrown away: no cache was touched"),
    # the cache
    "ccache-unsupported": Kind(
        _E,
        "such a cache is not seen by another process or session",
        "c.KerberosTicket.ccache = '/tmp/krb5cc_{{uid}}'",
    ),
    "ccache-hidden-from-jvm": Kind(
        _W,
        "Spark and Hadoop see FILE caches only: /tmp/krb5cc_UID, or what KRB5CCNAME names",
        "c.KerberosTicket.ccache = '/tmp/krb5cc_{{uid}}'",
    ),
    "ccache-foreign": Kind(
        _E,
        "a cache of somebody else is never used",
        "rm {path}, or c.KerberosTicket.ccache = '/run/jhpatch/{{uid}}/cc'",
    ),
    "ccache-folder": Kind(
        _E,
        "kinit, as the user, makes the cache in this folder",
        "install -d -m 700 -o {user} {path}",
    ),
    "ccache-unknown": Kind(_W, "klist does not name the user's cache", "klist"),
    "ccache": Kind(_N, "tickets are put there"),
    # the hub's unit
    "unit-missing": Kind(
        _N, "how the hub is started is not known", "python -m jhpatch doctor --unit NAME"
    ),
    "unit": Kind(_N, "the hub is started so"),
    "unit-not-root": Kind(
        _W,
        "a hub that is not root cannot become its users",
        "User=root, below [Service] of the unit",
    ),
    "unit-private-tmp": Kind(
        _W,
        "the hub and its servers have a /tmp of their own: others do not see caches there, "
        "and they go when the hub restarts",
        "PrivateTmp=no, or c.KerberosTicket.ccache = '/run/jhpatch/{{uid}}/cc'",
    ),
    "unit-protect-home": Kind(
        _E,
        "the hub and its servers cannot use what lies in a home",
        "ProtectHome=no, below [Service] of the unit",
    ),
    "unit-protect-system": Kind(
        _E,
        "the hub and its servers cannot write where the caches shall be",
        "ReadWritePaths={path}, below [Service] of the unit",
    ),
    # patched code
    "restart-needed": Kind(
        _W,
        "it runs the code from before the patches",
        "restart it: a hub by its unit, a server by its user",
    ),
    "restart-unknown": Kind(
        _N, "only root sees other users' processes here", "sudo python -m jhpatch doctor"
    ),
    "site-unreadable": Kind(
        _W, "whether a restart is needed is not known", "python -m jhpatch status"
    ),
    # doctor itself
    # Spark; what keeps it from starting is in docs/pyspark.md
    "spark": Kind(_N, "this is what the kernel runs"),
    "hadoop": Kind(_N, "the cluster, as HADOOP_CONF_DIR describes it"),
    "no-spark": Kind(
        _N, "nothing of Spark's was looked at", "python -m jhpatch kernelspec install"
    ),
    "check-timeout": Kind(
        _W,
        "each check has 5 s, all have 30 s: a service of this host does not answer",
        "python -m jhpatch doctor",
    ),
    "check-left-out": Kind(_W, "each check has 5 s, all have 30 s", "python -m jhpatch doctor"),
    "check-failed": Kind(
        _W, "a mistake in jhpatch: please report it", "python -m jhpatch doctor --json"
    ),
}


_AS_IT_IS = ("line", "command", "options")


def finding(
    code: str,
    message: str,
    path: Optional[str] = None,
    user: Optional[str] = None,
    **fields: object,
) -> Finding:
    """A finding of ``KINDS``; what ``next`` names is quoted for a shell."""
    kind = KINDS[code]
    words = {name: shlex.quote(str(value)) for name, value in fields.items()}
    words.update(
        {name: str(fields[name]) for name in ("line", "command", "options") if name in fields}
    )
    words.setdefault("username", "{username}")
    words["path"], words["user"] = shlex.quote(path or "PATH"), shlex.quote(user or "USER")
    then = kind.next.format(**words) if kind.next else None
    return Finding(code, kind.severity, message, path, kind.why, then, user)
