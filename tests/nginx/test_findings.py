"""The table of findings: documented, reachable, and complete in its next steps."""

import os

from jhpatch.nginx.findings import TABLE, finding
from testing import ROOT
from testing.pages import documented, table_of


def test_the_documented_table_is_the_code():
    """docs/nginx.md has each finding with its severity, its meaning and its next step."""
    assert table_of("nginx.md") == documented(TABLE.kinds)


def test_each_finding_can_be_made_and_filled_in():
    """No row of the table without code that finds it, no next step with a name left open."""
    source = ""
    for name in os.listdir(os.path.join(ROOT, "jhpatch", "nginx")):
        if name.endswith(".py") and not name.endswith("findings.py"):
            with open(os.path.join(ROOT, "jhpatch", "nginx", name), encoding="utf-8") as file:
                source += file.read()
    names = "port ssl ciphers host url change server headers map header scheme listens ca name"
    names += " address"
    fields = dict.fromkeys(names.split(), "x")
    for code, kind in TABLE.kinds.items():
        assert '"%s"' % code in source, code
        row = finding(code, "x", **fields)
        assert row.why and (row.next is not None or kind.severity == "note")
