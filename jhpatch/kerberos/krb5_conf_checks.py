"""The findings about krb5.conf: what libkrb5 refuses or ignores, and who can read and write it."""

import os
from typing import Callable, Iterator, Optional, Tuple

from jhpatch.kerberos import krb5_conf, krb5_conf_lint
from jhpatch.kerberos.findings import finding
from jhpatch.kerberos.kinit_messages import INIT_FAILED
from jhpatch.kerberos.krb5_conf import Profile
from jhpatch.report.result import Finding

CannotRead = Callable[[str], Tuple[str, ...]]
"""Returns which of the users that are checked cannot read a file."""


def check_profile(
    profile: Profile, paths: Tuple[str, ...], cannot_read: Optional[CannotRead]
) -> Iterator[Finding]:
    """Check krb5.conf. ``paths`` are those of KRB5_CONFIG, or the default one.

    ``cannot_read`` is None if no user is checked: then all users must be able to read each file.
    """
    for error in profile.errors:
        code = INIT_FAILED if error.kind == "unknown" else "krb5-conf-" + error.kind
        yield finding(code, error.message, error.path or None)
    if profile.is_model:
        yield finding("krb5-conf-model", "this Python cannot load libkrb5")
    yield from krb5_conf_lint.explain(profile)
    yield from _check_readers(profile, paths, cannot_read)
    if profile.files and not profile.errors and not profile.realm:
        yield finding("no-default-realm", "krb5.conf sets no default_realm", profile.files[0])


def _check_readers(
    profile: Profile, paths: Tuple[str, ...], cannot_read: Optional[CannotRead]
) -> Iterator[Finding]:
    private = list(krb5_conf.private_paths(profile))
    closed = {path for path, _ in private}
    for path, part in private:
        who = "some users"
        if cannot_read is not None:
            names = cannot_read(path)
            if not names:
                continue
            who = ", ".join(names)
        what = "read it" if part == os.path.realpath(path) else "enter this directory"
        # libkrb5 needs only one of the paths of KRB5_CONFIG, and skips the others.
        is_skipped = path in paths and any(other not in closed for other in paths)
        code = "krb5-conf-skipped" if is_skipped else "krb5-conf-unreadable"
        yield finding(code, "%s cannot %s" % (who, what), part)
