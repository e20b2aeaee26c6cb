"""Results as JSON documents: the fields of docs/json.md, and text that JSON can hold."""

import json

import pytest

from jhpatch.errors import jhpatch_command
from jhpatch.report.document import document
from jhpatch.report.result import Candidate, PatchErrors, RebasedPatch, Result, Script, Tickets
from testing.results import HUB, OPEN, PAGE, RUNNER, error, result, site

FIELDS = {"schema", "command", "dry_run", "changed", "would_change", "exit_code", "error", "sites"}


def test_every_document_has_the_same_fields():
    """Of a command that failed, or on sites: the same eight; others add their content."""
    for value in (Result(None, error=error()), result("status"), result("apply")):
        assert set(document(value, RUNNER)) == FIELDS
    assert set(document(Result("lint", PatchErrors(())), RUNNER)) == FIELDS | {"findings", "notes"}
    assert set(document(Result("ticket", Tickets(())), RUNNER)) == FIELDS | {"tickets", "notes"}
    assert set(document(Result("completion", Script("")), RUNNER)) == FIELDS | {"script"}


def test_a_site_is_its_fields():
    """Patches, files, processes and the error of a site are objects; hashes name SHA-256."""
    patch = OPEN._replace(files=(PAGE, PAGE._replace(state="missing", found=None)))
    report = site(patches=(patch,), restart=(HUB,), error=error(next=jhpatch_command("diff")))
    (row,) = document(result("status", report), RUNNER)["sites"]
    (shown,) = row["patches"]
    assert (shown["patch"], shown["state"], shown["changed"]) == (OPEN.patch, "pristine", False)
    assert [file["found"] for file in shown["files"]] == ["sha256:" + "0" * 64, None]
    assert row["restart"] == [dict(HUB._asdict())]
    assert row["error"]["next"].startswith("/opt/python -m jhpatch diff --python ")


def test_one_changed_site_is_a_change():
    """``changed`` and ``would_change`` are those of any site, or the command's own."""
    for field in ("changed", "would_change"):
        assert document(result("apply"), RUNNER)[field] is False
        one = result("apply", site(), site(**{field: True}))
        assert document(one, RUNNER)[field] is True
        assert document(Result("lint", PatchErrors(()), **{field: True}), RUNNER)[field] is True


def test_a_candidate_is_null_where_rebase_failed():
    """``rebase`` has the field ``candidate`` whatever became of it."""
    candidate = Candidate("app/a", "1.3-a", "1.3", "/p", "text", "diff")
    made = document(Result("rebase", RebasedPatch(candidate)), RUNNER)
    assert made["candidate"]["edition"] == "1.3-a"
    for failed in (Result("rebase", error=error()), Result("rebase", RebasedPatch(None))):
        assert document(failed, RUNNER)["candidate"] is None


@pytest.mark.parametrize(
    "text, shown, encoded",
    [
        ("/caf\u00e9", "/caf\u00e9", None),
        ("/\udcff\udcfe", "/\\xff\\xfe", "L//+"),
        ("/\ud800", "/\\ud800", None),
    ],
)
def test_text_that_is_no_utf8_comes_with_its_bytes(text, shown, encoded):
    """A path that is not UTF-8 is escaped, and its bytes stand beside as base64 (PEP 383)."""
    made = document(result("status", site(site=text)), RUNNER)
    row = json.loads(json.dumps(made))["sites"][0]
    assert row["site"] == shown and row.get("site_b64") == encoded
