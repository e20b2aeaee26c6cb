"""The findings about a user, a keytab, a cache and a ticket: rows of the table in findings.py."""

from typing import Dict

from jhpatch.checks.finding import FindingKind, Line, error, note, warning
from jhpatch.errors import jhpatch_command, root_command, shell_command

KINDS: Dict[str, FindingKind] = {
    # a user
    "no-user": note(
        "keytabs and caches are a user's: no user was checked",
        jhpatch_command("doctor", "--user", "NAME"),
    ),
    "no-account": error(
        "the hub obtains no ticket for a name that the host does not know",
        shell_command("getent", "passwd", "{user}"),
    ),
    "below-min-uid": error(
        "the hub obtains no ticket for such a user, and never for root",
        shell_command("id", "{user}"),
    ),
    "needs-root": note(
        "not checked: only root can check as another user",
        root_command("doctor", "--user", "{user}"),
    ),
    "no-settings": note(
        "not checked: only root can read the hub's settings",
        jhpatch_command("ticket"),
    ),
    "user-name-has-domain": warning(
        "kinit takes what follows the @ for the realm, and realms are mostly in capitals",
        "set c.KerberosTicket.principal_map: a file with lines of a user name and a principal",
    ),
    "realm-unset": error(
        "a template has {realm}: without a realm the ticket service is disabled",
        "set c.KerberosTicket.realm, or default_realm in the [libdefaults] section of krb5.conf",
    ),
    "home-needs-ticket": error(
        "the home is mounted with sec=krb5: the keytab in it cannot be read without a ticket",
        Line("c.KerberosTicket.keytab = '/etc/jhpatch/keytabs/{{username}}.keytab'"),
    ),
    "home-before-ticket": warning(
        "PAM opens the home at a spawn: the ticket must be there before",
        Line("c.KerberosTicket.when = 'before'"),
    ),
    "selinux": note(
        "SELinux is enforcing: a policy can deny the hub's service what its user is allowed",
        "ausearch -m AVC -ts recent, if a login obtains no ticket",
    ),
    # the keytab
    "keytab-missing": error(
        "there is nothing to obtain a ticket from: a keytab belongs there, or "
        "c.KerberosTicket.keytab names another path",
        shell_command("ls", "-l", "{path}"),
    ),
    "keytab-not-regular": error(
        "a keytab is a regular file; a FIFO would hold up kinit",
        shell_command("ls", "-l", "{path}"),
    ),
    "keytab-unreachable": error(
        "the user cannot enter this directory above the keytab",
        "move the keytab to a directory that {user} can enter, or set c.KerberosTicket.keytab",
    ),
    "keytab-unreadable": error(
        "kinit runs as the user",
        "give {user} a keytab of their own with mode 0600, or keep it as a central keytab in a "
        "directory that only root can write",
    ),
    "keytab-client-central": error(
        "no keytab is set: kinit reads the client keytab of krb5.conf as the user, who cannot "
        "read one that only root can read",
        "set c.KerberosTicket.keytab to the path of these keytabs: the hub then reads it as root",
    ),
    "keytab-exposed": error(
        "a user who can read a keytab can authenticate as its principal until the key changes",
        "have its owner remove the permissions of the group and of others (mode 0600)",
    ),
    "keytab-foreign": warning(
        "its owner can put another principal's keys there",
        "replace it by a keytab that belongs to {user}",
    ),
    "keytab-replaceable": error(
        "others can write this part of the path, and put another keytab there",
        "move the keytab to a directory that only {user} can write",
    ),
    "keytab-malformed": error(
        "klist reports that this is not a keytab, or a damaged one",
        "obtain a new keytab from the administrator of the realm",
    ),
    "keytab-not-listed": warning(
        "klist could not list the keys, for a reason other than the keytab",
        "correct what the message names, and run doctor again",
    ),
    "keytab-lacks-principal": error(
        "the keytab has no key for this principal",
        "correct c.KerberosTicket.principal, or obtain a new keytab that has {principal}",
    ),
    "keytab-weak": warning(
        "only keys of deprecated types (DES, RC4): newer libraries and KDCs refuse them",
        "obtain a new keytab with aes256-cts-hmac-sha1-96",
    ),
    "keytab": note("tickets are obtained with these keys"),
    "keytab-central": note("the hub obtains the tickets, as root, and renews them while it runs"),
    "keytab-central-unread": note(
        "only root can read it: if it is a central keytab, the hub obtains the tickets",
        root_command("doctor", "--user", "{user}"),
    ),
    # the cache
    "ccache-unsupported": error(
        "the user's servers do not see such a cache, or other users do too",
        Line("c.KerberosTicket.ccache = '/tmp/krb5cc_{{uid}}'"),
    ),
    "ccache-shared": error(
        "all users have the same cache: only one of them can store a ticket",
        Line("c.KerberosTicket.ccache = '/tmp/krb5cc_{{uid}}'"),
    ),
    "ccache-hidden-from-jvm": warning(
        "Spark and Hadoop see FILE caches only: /tmp/krb5cc_UID, or what KRB5CCNAME names",
        Line("c.KerberosTicket.ccache = '/tmp/krb5cc_{{uid}}'"),
    ),
    "ccache-foreign": error(
        "the ticket service never uses a cache of another user, and cannot replace it",
        "set c.KerberosTicket.ccache = '/run/jhpatch/{{uid}}/cc', or have its owner remove it",
    ),
    "ccache-not-regular": error(
        "the ticket service replaces only files and symlinks: set c.KerberosTicket.ccache to "
        "another path, or have the owner of this one remove it",
        shell_command("ls", "-ld", "{path}"),
    ),
    "ccache-folder": error(
        "the cache is made in this directory, by a process of the user",
        "choose another path for c.KerberosTicket.ccache, such as '/run/jhpatch/{{uid}}/cc'",
    ),
    "ccache-full": error(
        "the ticket service writes a new cache beside the old one",
        shell_command("df", "-h", "{path}") + "; " + shell_command("df", "-i", "{path}"),
    ),
    "ccache-replaced": note("programs find no ticket there until the ticket service replaces it"),
    "ccache-unknown": error(
        "no cache is set: the ticket service asks klist for it, and obtains no ticket",
        Line("c.KerberosTicket.ccache = '/tmp/krb5cc_{{uid}}'"),
    ),
    "ccache": note("tickets are stored there"),
    # the ticket
    "ticket": note("the current ticket in the cache"),
    "ticket-of-another": error(
        "the ticket service replaces no valid ticket of another principal: it obtains none",
        "have {user} remove this cache, or correct c.KerberosTicket.principal or ccache",
    ),
    "ticket-not-renewed": warning(
        "without a keytab nothing obtains another ticket after that",
        "run kinit again before then, or set c.KerberosTicket.keytab",
    ),
    "ccache-fails": error(
        "no ticket can be stored in such a cache on this host: the service obtains none",
        Line("c.KerberosTicket.ccache = '/tmp/krb5cc_{{uid}}'"),
    ),
    "ticket-fails": error(
        "the ticket service logs this, and the user has no ticket",
        "correct what the message names, and run doctor again",
    ),
}
