"""The ticket service: Kerberos tickets for JupyterHub's users, while their servers run.

jhpatch copies these modules into a patched distribution, as the package
``_jhpatch_kerberos``. Its ``__init__.py`` there is ``hub_face.py`` (in jupyterhub) or
``server_face.py`` (in notebook and jupyter_server): the functions that the patches import.
The modules require only the standard library, traitlets and tornado (4.5 and later), and run on
Python 3.6 and later.

In a hub that runs as root, only a child process that has become the user touches paths that the
user can choose: a child of fork_server.py, or a Kerberos program that setpriv(1) runs. The
functions raise nothing themselves but the refusal of ``policy = "require"``.
"""
