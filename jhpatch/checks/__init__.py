"""Checks with a time limit, and findings: of doctor, kernelspec check and nginx check."""
