"""Certificates that a real nginx can load."""

import pytest

from testing.nginx import certificate


@pytest.fixture(scope="session")
def certificates(tmp_path_factory):
    """A folder with the certificates that the cases name."""
    folder = tmp_path_factory.mktemp("tls")
    certificate(folder, "hub", "hub.example.org", "*.hub.example.org")
    certificate(folder, "notebooks", "notebooks.example.com")
    return str(folder)
