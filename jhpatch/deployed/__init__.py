"""Code that runs outside jhpatch: ``kerberos`` beside a patched file, ``first_job`` in a kernel.

jhpatch copies the other modules beside a kernel.json. No module here imports the rest of jhpatch.
"""
