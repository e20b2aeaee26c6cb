"""The findings about krb5.conf and KDCs: code, severity, why it matters, the next step."""

from typing import Dict

from jhpatch.checks.finding import FindingKind, Line, error, note, warning
from jhpatch.errors import shell_command

KINDS: Dict[str, FindingKind] = {
    # krb5.conf
    "krb5-conf-missing": warning(
        "without krb5.conf, kinit has no default realm, and finds KDCs only through DNS or a "
        "plugin",
        "copy krb5.conf from a host on which kinit works",
    ),
    "krb5-conf-unreadable": error(
        "each user's kinit reads krb5.conf as that user",
        "let every user read krb5.conf and enter each directory above it: {path}",
    ),
    "krb5-conf-skipped": warning(
        "libkrb5 skips a path of KRB5_CONFIG for users who cannot read it, so their settings "
        "differ",
        "let every user read the file, or remove it from KRB5_CONFIG",
    ),
    "krb5-conf-writable": error(
        "a user who can write this path can direct kinit, including root's, to their own KDC",
        "let only root write {path}",
    ),
    "krb5-conf-syntax": error(
        "because of such a line, libkrb5 does not start, and kinit fails",
        "correct {path}",
    ),
    "krb5-conf-include": error(
        "libkrb5 does not start if it cannot read an included file or directory",
        "create {path} or let every user read it, or remove the line that includes it",
    ),
    "krb5-conf-module": warning(
        "libkrb5 takes its configuration from the module, and doctor reads none of it",
        "remove the module line of {path} if no such module is installed",
    ),
    "krb5-conf-unread": note(
        "kinit reads all files; doctor leaves out the checks that need the values of krb5.conf"
    ),
    "krb5-init-failed": error(
        "until krb5.conf is corrected, kinit fails with any keytab, or doctor does not run it",
        "correct krb5.conf as the message describes",
    ),
    "krb5-conf-ignored": warning(
        "libkrb5 ignores such text before the first section, whose bracket must be the first "
        "character of its line",
        "correct line {line} of {path}",
    ),
    "krb5-conf-line": warning(
        "libkrb5 refuses or ignores the line, or gives it another meaning",
        "correct line {line} of {path}",
    ),
    "krb5-conf-model": note(
        "the findings about krb5.conf come from jhpatch's own parser, not from libkrb5",
        "install libkrb5 (Debian: libkrb5-3; RHEL: krb5-libs)",
    ),
    "no-default-realm": warning(
        "a principal without @REALM, such as the default {username}, needs the default realm",
        Line("default_realm = REALM", "in the [libdefaults] section of krb5.conf"),
    ),
    # KDCs
    "no-kdc": error(
        "libkrb5 finds no usable KDC of the realm in krb5.conf, in DNS or through a plugin",
        Line("kdc = HOST", "in the braces of {realm} in the [realms] section of krb5.conf"),
    ),
    "kdc-name-unknown": warning(
        "kinit looks up this name, which can take seconds, and cannot contact this KDC",
        shell_command("getent", "hosts", "{host}"),
    ),
    "kdc-unreachable": error(
        "kinit received no answer from any KDC of the realm",
        "check whether {host} listens on port {port}, and whether a firewall drops UDP or TCP to "
        "this port",
    ),
    "kdc-tls-missing": error(
        "kinit needs the plugin k5tls to contact a KDC over HTTPS",
        "install k5tls (Debian: krb5-k5tls; RHEL: krb5-libs)",
    ),
    "kdc-silent": warning(
        "another KDC of the realm answers, but kinit asks this one first",
        "check whether {host} listens on port {port}, and whether a firewall drops {protocol} to "
        "this port",
    ),
    "kdc-udp-blocked": warning(
        "kinit tries UDP first, and may wait before it tries TCP",
        Line("udp_preference_limit = 1", "in the [libdefaults] section of krb5.conf"),
    ),
    "kdc-tcp-blocked": warning(
        "an answer that is too large for UDP, such as for a user in many groups, needs TCP",
        "check whether {host} listens on port {port}, and whether a firewall drops TCP to this "
        "port",
    ),
    "kdc-wrong-realm": error(
        "this KDC serves another realm",
        "correct the kdc lines of {realm} in krb5.conf, or the DNS records",
    ),
    "kdc-answers": note("this KDC answers kinit"),
    "kdc-proxied": note("this KDC answers kinit over HTTPS (MS-KKDCP)"),
}
