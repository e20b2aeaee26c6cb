"""The findings about a user, a keytab, a cache and a ticket: rows of the table in findings.py."""

from typing import Dict

from jhpatch.checks.finding import FindingKind, Line, error, note, warning
from jhpatch.errors import jhpatch_command, same_command, shell_command

KINDS: Dict[str, FindingKind] = {
    # a user
    "no-user": note(
        "as root, doctor checks the keytabs, caches and tickets only of the users whom --user "
        "names",
        jhpatch_command("doctor", "--user", "NAME"),
    ),
    "no-account": error(
        "the hub obtains no ticket for a name that the host does not know",
        shell_command("getent", "passwd", "{user}"),
    ),
    "below-min-uid": error(
        "the hub obtains no ticket for a user whose uid is below min_uid, and never for root",
        shell_command("id", "{user}"),
    ),
    "needs-root": note(
        "only root can run these checks as another user",
        same_command("sudo"),
    ),
    "no-settings": note(
        "doctor does not know the hub's settings; you can give them with --config, --keytab, "
        "--principal and --ccache",
        jhpatch_command("ticket"),
    ),
    "user-name-has-domain": warning(
        "kinit takes the text after the @ as the realm, and most realms are in capitals",
        "set c.KerberosTicket.principal_map to a file with a user name and a principal on each "
        "line",
    ),
    "realm-unset": error(
        "a template contains {realm}; without a realm, the ticket service is disabled",
        "set c.KerberosTicket.realm, or default_realm in the [libdefaults] section of krb5.conf",
    ),
    "home-needs-ticket": error(
        "a keytab on a file system that is mounted with sec=krb5, krb5i or krb5p cannot be read "
        "without a ticket",
        Line("c.KerberosTicket.keytab = '/etc/keytabs/{{username}}.keytab'"),
    ),
    "home-before-ticket": warning(
        "if the hub opens a PAM session at a spawn (the default before JupyterHub 2.2), a PAM "
        "module can access the home, and needs the ticket then",
        Line("c.KerberosTicket.when = 'before'"),
    ),
    "selinux": note(
        "SELinux is enforcing: its policy can deny the hub access that the user has",
        "if a login obtains no ticket, run: ausearch -m AVC -ts recent",
    ),
    # the keytab
    "keytab-missing": error(
        "the ticket service obtains no ticket without a keytab: create one, or set "
        "c.KerberosTicket.keytab to the path of one",
        shell_command("ls", "-l", "{path}"),
    ),
    "keytab-not-regular": error(
        "a keytab must be a regular file; kinit would hang on a FIFO",
        shell_command("ls", "-ld", "{path}"),
    ),
    "keytab-unreachable": error(
        "the user cannot enter this directory above the keytab",
        "move the keytab to a directory that {user} can enter, or set c.KerberosTicket.keytab",
    ),
    "keytab-unreadable": error(
        "kinit runs as the user, who cannot read the keytab",
        "give {user} a keytab of their own with mode 0600, or keep it as a central keytab: owned "
        "by root, in directories that only root can write",
    ),
    "keytab-client-central": error(
        "c.KerberosTicket.keytab is not set, so kinit reads the client keytab as the user, who "
        "cannot read this one",
        "set c.KerberosTicket.keytab to a template of this path: the hub then reads the keytabs "
        "as root",
    ),
    "keytab-exposed": error(
        "a user who can read a keytab can authenticate as its principal until the key changes",
        "have the owner of the file set its mode to 0600; if other users may have read it, also "
        "have the administrator of the realm change the key, and install a new keytab",
    ),
    "keytab-foreign": warning(
        "the owner of the file can put another principal's keys into it",
        "replace the file with a keytab that belongs to {user}",
    ),
    "keytab-replaceable": error(
        "users who can write this part of the path can replace the keytab",
        "move the keytab to a path that only {user} and root can change",
    ),
    "keytab-malformed": error(
        "klist reports that the file is not a keytab, or that it is damaged",
        "obtain a new keytab from the administrator of the realm",
    ),
    "keytab-not-listed": warning(
        "klist could not list the keys, for a reason other than the keytab",
        "correct the cause that the message names, and run doctor again",
    ),
    "keytab-lacks-principal": error(
        "the keytab has no key for this principal",
        "correct c.KerberosTicket.principal, or obtain a new keytab that has {principal}",
    ),
    "keytab-weak": warning(
        "the principal's newest keys in the keytab are all of deprecated types (DES, 3DES, RC4), "
        "which newer libraries and KDCs refuse by default",
        "obtain a new keytab with aes256-cts-hmac-sha1-96",
    ),
    "keytab": note("the ticket service obtains tickets with these keys"),
    "keytab-central": note(
        "the hub obtains the tickets as root, and refreshes them while the user's servers run"
    ),
    "keytab-central-unread": note(
        "the user cannot read this keytab; if it is a central keytab, the hub reads it as root",
        # Without --user, a user checks themselves, and root no user.
        same_command("sudo") + " " + shell_command("--user", "{user}"),
    ),
    # the cache
    "ccache-unsupported": error(
        "the user's servers do not see such a cache, or other users can read it",
        Line("c.KerberosTicket.ccache = '/tmp/krb5cc_{{uid}}'"),
    ),
    "ccache-shared": error(
        "all users have the same cache, so only one of them can store a ticket",
        Line("c.KerberosTicket.ccache = '/tmp/krb5cc_{{uid}}'"),
    ),
    "ccache-hidden-from-jvm": warning(
        "Spark and Hadoop read only FILE caches: /tmp/krb5cc_UID, or the one that KRB5CCNAME "
        "names",
        Line("c.KerberosTicket.ccache = '/tmp/krb5cc_{{uid}}'"),
    ),
    "ccache-foreign": error(
        "the ticket service neither uses nor replaces what another user owns at this path",
        "set c.KerberosTicket.ccache = '/run/jhpatch/{{uid}}/cc', or have the owner remove it",
    ),
    "ccache-not-regular": error(
        "the ticket service replaces only regular files and symlinks: set c.KerberosTicket.ccache "
        "to another path, or have the owner remove what is at this path",
        shell_command("ls", "-ld", "{path}"),
    ),
    "ccache-folder": error(
        "a process of the user creates the cache in this directory",
        "choose another path for c.KerberosTicket.ccache, such as '/run/jhpatch/{{uid}}/cc'",
    ),
    "ccache-full": error(
        "the ticket service writes a new cache beside the old one, and needs space for both",
        shell_command("df", "-h", "{path}") + "; " + shell_command("df", "-i", "{path}"),
    ),
    "ccache-replaced": note("the ticket service uses no ticket from this cache, and replaces it"),
    "ccache-unknown": error(
        "no cache is set, and klist does not name the default one, so the ticket service obtains "
        "no ticket",
        Line("c.KerberosTicket.ccache = '/tmp/krb5cc_{{uid}}'"),
    ),
    "ccache": note("the ticket service stores tickets in this cache"),
    # the ticket
    "ticket": note("this is the current ticket in the cache"),
    "ticket-of-another": error(
        "the ticket service does not replace a valid ticket of another principal",
        "have {user} remove this cache, or correct c.KerberosTicket.principal or "
        "c.KerberosTicket.ccache",
    ),
    "ticket-not-renewed": warning(
        "without a keytab, the ticket service cannot obtain another ticket when this one expires",
        "create a keytab and set c.KerberosTicket.keytab, or have {user} obtain a ticket of the "
        "same principal in the same cache (kinit -c CACHE PRINCIPAL) before this one expires",
    ),
    "ccache-fails": error(
        "the ticket service cannot store a ticket in such a cache, and so obtains none",
        Line("c.KerberosTicket.ccache = '/tmp/krb5cc_{{uid}}'"),
    ),
    "ticket-fails": error(
        "the ticket service obtains no ticket, and logs this reason",
        "correct the cause that the message names, and run doctor again",
    ),
}
