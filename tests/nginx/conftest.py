"""Certificates that a real nginx can load."""

import os

import pytest

from jhpatch.nginx import version
from testing.nginx import NGINX, certificate

if os.environ.get("JHPATCH_NGINX"):
    version.PROGRAMS = (NGINX,)


@pytest.fixture(scope="session")
def certificates(tmp_path_factory):
    """A folder with the certificates that the cases name."""
    folder = tmp_path_factory.mktemp("tls")
    certificate(folder, "hub", "hub.example.org", "*.hub.example.org")
    certificate(folder, "notebooks", "notebooks.example.com")
    return str(folder)
