"""The ticket service: Kerberos tickets for JupyterHub's users, while their servers run.

jhpatch copies these modules into a patched distribution, as the package
``_jhpatch_kerberos``. Its ``__init__.py`` there is ``hub_face.py`` (in jupyterhub) or
``server_face.py`` (in notebook and jupyter_server): the decorators that the patches import.
The modules use the standard library, traitlets and tornado (4.5 and later) alone, and run on
Python 3.6 and later.

In the hub, which is root, a child process that has become the user (fork_server.py, or
setpriv(1) for the Kerberos programs alone) does all that touches a path that the user can
choose. No exception leaves a decorator but the refusal of ``policy = "require"``.
"""
