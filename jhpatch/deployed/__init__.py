"""What is copied to hosts: ``kerberos`` beside a patched file, the rest beside a kernel.json.

Imports nothing of the rest of jhpatch.
"""
