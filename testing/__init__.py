"""What tests, integration tests, benchmarks and tools share: servers, wheels, sites, ports."""

import os

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
"""The checkout."""
