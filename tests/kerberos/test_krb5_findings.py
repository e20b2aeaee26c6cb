"""The findings about krb5.conf and KDCs are part of doctor's table."""

import pytest

from jhpatch.errors import Command
from jhpatch.kerberos import findings, krb5_findings

HARMLESS = ("getent", "chronyc")
"""Programs that change nothing as a next step runs them."""


def test_they_are_in_the_table():
    """Under the same codes, and no other finding has one of them."""
    assert set(krb5_findings.KINDS) <= set(findings.TABLE.kinds)
    assert not set(krb5_findings.KINDS) & set(findings._KINDS)


@pytest.mark.parametrize("code", sorted(krb5_findings.KINDS))
def test_no_next_step_changes_the_host(code):
    """A command only looks; everything else is words for a person."""
    step = krb5_findings.KINDS[code].next
    for part in getattr(step, "parts", ()):
        if isinstance(part, Command):
            assert part.arguments[0] in HARMLESS
    assert not isinstance(step, str) or not step.startswith(("chmod", "chown", "install -"))
