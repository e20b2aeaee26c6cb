"""A site with one small distribution."""

import pytest

from tests.transaction.small_site import fresh


@pytest.fixture
def site(tmp_path):
    """A site with one small distribution, unpatched."""
    return fresh(tmp_path / "site")
