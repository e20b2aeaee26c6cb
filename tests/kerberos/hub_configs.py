"""Configuration files of hubs, by what was seen in the field and what traitlets allows."""

import sys

from jhpatch.kerberos.hub_config_reader import read_source
from jhpatch.kerberos.hub_config_settings import hub_config_of

PATH = "/etc/jupyterhub/jupyterhub_config.py"
KEYTAB = 'c.KerberosTicket.keytab = "/home/{username}/{username}.keytab"\n'
PAM_SUBCLASS = """\
from jupyterhub.auth import PAMAuthenticator
class Own(PAMAuthenticator):
    %s
c.JupyterHub.authenticator_class = Own
"""


def source_of(text):
    """What a file with this text sets; it loads no other file.

    It is read with Python's own recursion limit: Jedi, which IPython imports, raises it for
    the whole process.
    """
    raised = sys.getrecursionlimit()
    sys.setrecursionlimit(1000)
    try:
        unread = "the file is not read"
        return read_source(text.encode("utf-8"), PATH, lambda name, directory: unread)
    finally:
        sys.setrecursionlimit(raised)


def config_of(text):
    """The configuration of a file with this text."""
    source = source_of(text)
    return hub_config_of(source.config, source.unread, PATH)


def _authenticator(name):
    return 'c.JupyterHub.authenticator_class = "%s"\n' % name + KEYTAB


def _spawner(name):
    return 'c.JupyterHub.spawner_class = "%s"\n' % name + KEYTAB


BYPASSES = ["authenticator-bypasses-pam:1"]
UNKNOWN = ["authenticator-unknown:1"]
CASES = {
    "get_config": ("c = get_config()\n" + KEYTAB, []),
    "another name": (
        "config = get_config()\nconfig.JupyterHub.authenticator_class = 'dummy'\n",
        ["authenticator-bypasses-pam:2"],
    ),
    "a class object": (
        "from jupyterhub.auth import PAMAuthenticator\n"
        "c.JupyterHub.authenticator_class = PAMAuthenticator\n",
        [],
    ),
    "a subclass with super": (
        PAM_SUBCLASS
        % "async def authenticate(self, h, d): return await super().authenticate(h, d)",
        [],
    ),
    "a subclass without super": (
        PAM_SUBCLASS % "async def authenticate(self, handler, data): return data['username']",
        ["authenticator-overrides:3"],
    ),
    "the example of JupyterHub with Kerberos": (
        "from jupyterhub.auth import PAMAuthenticator\nimport pamela\nfrom tornado import gen\n"
        "class KerberosPAMAuthenticator(PAMAuthenticator):\n"
        "    @gen.coroutine\n"
        "    def authenticate(self, handler, data):\n"
        "        pamela.authenticate(data['username'], data['password'], resetcred=2)\n"
        "        return data['username']\n"
        "c.JupyterHub.authenticator_class = KerberosPAMAuthenticator\n",
        ["authenticator-overrides:6"],
    ),
    "a condition": (
        "import os\nc.JupyterHub.authenticator_class = 'pam'\n"
        "if os.environ.get('HUB_TEST'):\n"
        "    c.JupyterHub.authenticator_class = 'dummy'\n"
        "    c.JupyterHub.spawner_class = 'simple'\n" + KEYTAB,
        ["config-not-read"],
    ),
    "load_subconfig": ('load_subconfig("/etc/jupyterhub/other.py")\n', ["config-not-read"]),
    "load_subconfig in a loop": (
        "import glob\nfor f in sorted(glob.glob('/etc/conf.d/*.py')):\n    load_subconfig(f)\n",
        ["config-not-read"],
    ),
    "exec": (
        "exec(open('/etc/other.py').read())\nfrom site_settings import *\n",
        ["config-not-read"],
    ),
    "a text with an environment variable": (
        "import os\nKEYTABS = os.environ['KEYTAB_DIR']\n"
        "c.KerberosTicket.keytab = f'{KEYTABS}/{{username}}.keytab'\n"
        "c.KerberosTicket.principal = '{username}@' + os.environ.get('REALM', 'X')\n",
        ["setting-not-literal:4", "setting-not-literal:3"],
    ),
    "a constant": ("BASE = '/home/{username}'\nc.KerberosTicket.keytab = BASE + '/k'\n", []),
    "a file that raises": (KEYTAB + "raise RuntimeError('no secret')\n", ["config-not-read"]),
    "misspelt": (
        "c.KerberosTicket.keytab_path = '/k'\nc.KerberosTickets.keytab = '/k'\n",
        ["setting-unknown:1", "setting-unknown:2"],
    ),
    "wrong values": (
        "c.KerberosTicket.renewable = '7 days'\nc.KerberosTicket.timeout = 0\n"
        "c.KerberosTicket.policy = 'required'\nc.KerberosTicket.refresh_at = 90\n",
        ["setting-wrong:1", "setting-wrong:2", "setting-wrong:4", "setting-wrong:3"],
    ),
    "disabled": (KEYTAB + "c.KerberosTicket.enabled = False\n", ["service-disabled:2"]),
    "an environment by update": (
        "c.Spawner.environment.update({'KRB5CCNAME': 'KEYRING:session:x'})\n",
        ["ccache-unsupported:1"],
    ),
    "an environment as a template": (
        "c.Spawner.environment = {'KRB5CCNAME': 'FILE:/tmp/krb5cc_{uid}'}\n",
        ["environment-ccache-shared:1"],
    ),
    "an environment that is not literal": (
        "import os\nc.Spawner.environment = dict(os.environ, KRB5CCNAME='/tmp/x')\n",
        ["environment-ccache-shared:2"],
    ),
    "an environment of the spawner's own section": (
        "c.LocalProcessSpawner.environment = {'KRB5CCNAME': '/tmp/x'}\n",
        ["environment-ccache-shared:1"],
    ),
    "functions": (
        "def principal(name):\n    return name.lower()\n"
        "c.KerberosTicket.principal = principal\nc.KerberosTicket.keytab = lambda name: name\n",
        ["setting-not-literal:3", "setting-not-literal:4"],
    ),
    "a spawner that sets KRB5CCNAME": (
        "import jupyterhub.spawner\n"
        "class Own(jupyterhub.spawner.LocalProcessSpawner):\n"
        "    def get_env(self):\n"
        "        return dict(super().get_env(), **{'KRB5CCNAME': '/tmp/krb5cc_x'})\n"
        "c.JupyterHub.spawner_class = Own\n",
        ["config-not-read"],
    ),
    "a name with pam in it": (_authenticator("castle_auth.CastlePAMAuthenticator"), UNKNOWN),
    "a name with kerberos in it": (_authenticator("site.KerberosThing"), UNKNOWN),
    "a colon": (_authenticator("site_auth:SitePAMAuthenticator"), ["class-name-wrong:1"]),
    "default": (_authenticator("default"), []),
    "PAM in capitals": (_authenticator("PAM"), []),
    "pam": (_authenticator("pam"), []),
    "PAMAuthenticator": (_authenticator("jupyterhub.auth.PAMAuthenticator"), []),
    "dummy": (_authenticator("dummy"), BYPASSES),
    "null": (_authenticator("null"), BYPASSES),
    "shared-password": (_authenticator("shared-password"), BYPASSES),
    "native": (_authenticator("native"), BYPASSES),
    "local-github": (_authenticator("local-github"), BYPASSES),
    "LocalAuthenticator": (_authenticator("jupyterhub.auth.LocalAuthenticator"), BYPASSES),
    "LDAP": (_authenticator("ldapauthenticator.LDAPAuthenticator"), BYPASSES),
    "OAuth": (_authenticator("oauthenticator.LocalGenericOAuthenticator"), BYPASSES),
    "KDC": (_authenticator("kdcauthenticator.kdcauthenticator.KDCAuthenticator"), BYPASSES),
    "Kerberos": (_authenticator("kerberosauthenticator.KerberosAuthenticator"), BYPASSES),
    "temporary": (_authenticator("tmpauthenticator.TmpAuthenticator"), BYPASSES),
    "several": (
        _authenticator("multiauthenticator.multiauthenticator.MultiAuthenticator"),
        UNKNOWN,
    ),
    "batch": (_spawner("batchspawner.SlurmSpawner"), ["spawner-not-covered:1"]),
    "docker": (_spawner("dockerspawner.DockerSpawner"), ["spawner-not-covered:1"]),
    "kube": (_spawner("kubespawner.KubeSpawner"), ["spawner-not-covered:1"]),
    "wrap": (_spawner("wrapspawner.ProfilesSpawner"), ["spawner-not-covered:1"]),
    "simple": (_spawner("simple"), ["spawner-not-covered:1"]),
    "SimpleLocalProcessSpawner": (
        _spawner("jupyterhub.spawner.SimpleLocalProcessSpawner"),
        ["spawner-not-covered:1"],
    ),
    "local": (_spawner("jupyterhub.spawner.LocalProcessSpawner"), []),
    "sudo": (_spawner("sudospawner.SudoSpawner"), []),
    "sudo with a colon": (_spawner("sudospawner:SudoSpawner"), ["class-name-wrong:1"]),
    "systemd": (_spawner("systemd"), []),
    "SystemdSpawner": (_spawner("systemdspawner.SystemdSpawner"), []),
    "a name with spec in it": (_spawner("mysite.specs.SpecSpawner"), ["spawner-unknown:1"]),
    "TLJH": (_spawner("tljh.user_creating_spawner.UserCreatingSpawner"), ["spawner-unknown:1"]),
    "a module": (_spawner("jupyterhub_yarnspawner"), ["spawner-unknown:1"]),
    "a text of several lines": (KEYTAB + '"""\nc.KerberosTicket.keytab = "rel"\n"""\n', []),
    "a relative keytab": ("c.KerberosTicket.keytab = '~/{username}'\n", ["setting-wrong:1"]),
    "a keytab with a prefix": ("c.KerberosTicket.keytab = 'FILE:/home/{username}/k'\n", []),
    "a field that is unknown": ("c.KerberosTicket.keytab = '/{user}'\n", ["setting-wrong:1"]),
    "a session keyring": (
        "c.KerberosTicket.ccache = 'KEYRING:session:{uid}'\n",
        ["ccache-unsupported:1"],
    ),
}
"""By name: the text of a file, and the codes of the findings with the lines of their paths."""
