"""ticket, doctor, kernelspec, nginx, completion, and the command line itself."""

import json
import os
import shutil
import sys
import time

from tests.commands.documents import scenes
from tests.commands.documents.scenes import LATER
from tests.commands.documents.table import WHERE, add, put_off, then

# ticket

RUNTIME = "home/.local/share/jupyter/runtime/jhpatch-kerberos-%d.json"


def cache_is(name):
    """What KRB5CCNAME says."""

    def step(scene):
        scene.environ["KRB5CCNAME"] = scene.filled(name)

    return step


def cache(start, end, renew_till=0):
    """A cache "cc"; times of less than a year count from now."""

    def step(scene):
        times = [one + int(time.time()) if one < 10**7 else one for one in (start, end)]
        scene.write("cc", scenes.ccache(*(times + [renew_till])), 0o600)

    return step


def keeper(pid=None, **changed):
    """What the helper in a server has written; the server is the test's own process."""

    def step(scene):
        number = os.getpid() if pid is None else pid
        fields = {"schema": 1, "pid": number, "principal": "alice/service@EXAMPLE.TEST"}
        fields.update(ccache="FILE:{0}/cc", keytab="/home/alice/alice.keytab", central=False)
        fields.update(start=None, end=None, renew_till=None, next=LATER - 7200, error=None)
        fields.update(changed, written=time.time())
        fields["ccache"] = scene.filled(fields["ccache"])
        scene.write(RUNTIME % number, json.dumps(fields))

    return step


def odd_records(scene):
    """Records that do not count."""
    keeper(4194305)(scene)
    for number, text in enumerate(("{", "[]", '{"schema": 2}', '{"schema": "1"}'), 1):
        scene.write(RUNTIME % number, text)
    os.symlink("/etc/passwd", scene.path(RUNTIME % 9))
    os.makedirs(scene.path(RUNTIME % 10))


def no_module(name):
    """A Python that lacks a module."""
    return then("import_first", name + ".py", "raise ImportError('no module %s')\n" % name)


none = cache_is("FILE:{0}/none")
valid = cache(946684800, LATER, LATER + 604800)
for _name, _words in (("", ""), (", verbose", " -v"), (", quiet", " -q")):
    add("ticket/absent" + _name, "ticket" + _words, none, needs="tornado klist")
    add("ticket/kept" + _name, "ticket" + _words, none, valid, keeper(), needs="tornado")
    add(
        "ticket/records that do not count" + _name,
        "ticket" + _words,
        cache_is("FILE:{0}/cc"),
        valid,
        odd_records,
        needs="tornado klist",
    )
for _name, _steps in (
    ("in the default cache", (cache_is("FILE:{0}/cc"), valid)),
    ("expired in the default cache", (cache_is("FILE:{0}/cc"), cache(946684800, 978307200))),
    ("of a collection that is not there", (cache_is("DIR:{0}/dir"),)),
):
    add("ticket/" + _name, "ticket", *_steps, needs="tornado klist")
for _name, _steps in (
    ("kept by the hub", (valid, keeper(keytab="", central=True))),
    ("kept and absent", (keeper(error="the KDC has refused it"),)),
    ("kept and expired", (cache(946684800, 978307200), keeper(next=None))),
    ("kept and expiring", (cache(-36000, 200), keeper(error="no answer within 5 s"))),
    ("kept in what cannot be read", (keeper(ccache="MEMORY:x"),)),
    ("kept, without a keytab", (valid, keeper(keytab="", next=None))),
    ("with what a terminal would obey", (valid, keeper(error="\x1b[31m\tred\n\u202e\u20ac"))),
):
    add("ticket/" + _name, "ticket", none, *_steps, needs="tornado")
for _name, _steps in (
    ("absent", (none,)),
    ("kept", (none, valid, keeper())),
    ("expired", (none, cache(946684800, 978307200), keeper())),
    ("kept by the hub", (none, valid, keeper(central=True))),
):
    _name = "ticket/%s, on a terminal" % _name
    add(_name, "ticket -v", *_steps, kind="terminal", needs="tornado klist")
add("ticket/watched", "ticket --watch 0.2", none, valid, keeper(), kind="watch", needs="tornado")
add("ticket/without tornado", "ticket", none, no_module("tornado"))
add("ticket/a time that is none", "ticket --watch soon", kind="argparse")

# doctor: of what it finds, what is not this host's own (CODES in test_documents.py).

REALM = "[libdefaults]\n default_realm = EXAMPLE.TEST\n dns_lookup_kdc = false\n"
KDC = REALM + "[realms]\n EXAMPLE.TEST = {\n  kdc = 127.0.0.1:1\n }\n"
PROXIED = REALM + "[realms]\n EXAMPLE.TEST = {\n  kdc = https://127.0.0.1:1/KdcProxy\n }\n"
UNIT = ["--unit", "jhpatch-no-such-unit"]


def krb5(text, mode=0o644):
    """krb5.conf with this text; None: there is none."""

    def step(scene):
        scene.environ["KRB5_CONFIG"] = scene.path("krb5.conf")
        if text is not None:
            scene.write("krb5.conf", scene.filled(text), mode)

    return step


def config(text, mode=0o644):
    """The hub's configuration."""
    return then("write", "hub_config.py", text, mode)


def owned(name, data, mode, uid=65534):
    """A file, or for None a FIFO, of this user."""

    def step(scene):
        path = scene.path(name)
        if data is None:
            os.mkfifo(path)
        else:
            scene.write(name, data)
        os.chmod(path, mode)
        os.chown(path, uid, uid)

    return step


def caches(uid):
    """A folder for caches of this user."""

    def step(scene):
        os.makedirs(scene.path("caches"))
        os.chown(scene.path("caches"), uid, uid)

    return step


def spark_kernel(scene):
    """A PySpark kernel of the user's, on a cluster that does not answer."""
    spark_host(scene)
    scene.remove("spark/RELEASE")
    conf = {"HADOOP_CONF_DIR": scene.path("conf")}
    written("pyspark", master="yarn", more=conf)(scene)


def doctor(name, words, *steps, **options):
    """A scenario that looks at a site in which nothing is to be restarted."""
    options.setdefault("hides", "findings")
    options["needs"] = (options.get("needs", "") + " klist").strip()
    words = words.split() if isinstance(words, str) else words
    words = ["doctor"] + UNIT + options.pop("where", WHERE) + words
    add("doctor/" + name, words, then("tree"), then("app"), then("jupyter"), *steps, **options)


def faulty(name, *steps, **options):
    """A scenario of krb5.conf alone."""
    doctor(name, "", *steps, **options)


CONFIG = ["--config", "{0}/hub_config.py"]
NOBODY = ["--user", "nobody", "--principal", "alice/service", "--keytab", "{0}/keytab"]
CACHE = ["--ccache", "{0}/caches/cc_{uid}"]
NOT_LITERAL = """\
c.KerberosTicket.principal = principal_of
c.KerberosTicket.ccache = "/tmp/%s" % name
c.JupyterHub.spawner_class = "dockerspawner.DockerSpawner"
c.JupyterHub.authenticator_class = "oauthenticator.GitHubOAuthenticator"
"""
UNKNOWN = """\
import mine
c.KerberosTicket.keytab = "not/absolute/{username}"
c.JupyterHub.spawner_class = mine.Spawner
c.JupyterHub.authenticator_class = mine.Authenticator
"""

faulty("no krb5.conf", krb5(None))
faulty("no brace", krb5("[libdefaults\n"))
faulty("no value", krb5("[libdefaults]\n default_realm\n"))
faulty("no included file", krb5("include {0}/none\nincludedir {0}/no\n[libdefaults]\n"))
faulty("no default realm", krb5("[libdefaults]\n dns_lookup_kdc = false\n"))
faulty("no KDC", krb5(REALM))
faulty("a KDC that does not answer", krb5(KDC))
faulty("a KDC behind HTTPS", krb5(PROXIED))
faulty("krb5.conf is not for all", krb5(PROXIED, 0o600), needs="root")
faulty("krb5.conf is for all to write", krb5(PROXIED, 0o666), needs="root")
doctor("verbose", "-v", krb5(KDC))
doctor("quiet", "-q", krb5(KDC))
doctor("on a terminal", "-v", krb5(KDC), kind="terminal")
doctor("settings that are not literal", CONFIG, krb5(PROXIED), config(NOT_LITERAL))
doctor("a configuration that is broken", CONFIG, krb5(PROXIED), config("x = = 1\n"))
doctor("a configuration that is not there", CONFIG, krb5(PROXIED), needs="root")
doctor("a configuration for all to write", CONFIG, krb5(PROXIED), config("", 0o666), needs="root")
doctor(
    "settings that are wrong",
    CONFIG + ["--user", "nobody", "--ccache", "MEMORY:x"],
    krb5(PROXIED),
    config(UNKNOWN),
    needs="root",
)
doctor(
    "users that get no ticket",
    ["--user", "no-such-user", "--user", "root", "--keytab", "{0}/keytab"] + CACHE,
    krb5(PROXIED),
    caches(0),
    needs="root setpriv",
)
doctor("of another, as a user", "--user nobody", krb5(PROXIED), then("as_user"))
for _name, _steps in (
    ("missing", ()),
    ("a FIFO", (owned("keytab", None, 0o600),)),
    ("for all to read", (owned("keytab", "", 0o644),)),
    ("of root", (owned("keytab", "", 0o600, 0),)),
    ("of another", (owned("keytab", "", 0o600, 1),)),
):
    _steps = (krb5(PROXIED), caches(65534)) + _steps
    doctor("a keytab that is " + _name, NOBODY + CACHE, *_steps, needs="root setpriv")
for _name, _cache in (
    ("no other process sees", "MEMORY:x"),
    ("KCM has", "KCM:"),
    ("is a collection", "DIR:{0}/caches/cc_{uid}"),
    ("is another's", "{0}/cc"),
    ("is nowhere", "/nowhere/cc"),
):
    _steps = krb5(PROXIED), caches(65534), owned("cc", "", 0o600, 1)
    _words = NOBODY + ["--ccache", _cache]
    doctor("a cache that " + _name, _words, *_steps, needs="root setpriv")
doctor("a PySpark kernel", "", krb5(PROXIED), spark_kernel)
doctor("a site that is not there", "", krb5(PROXIED), where=["--site", "{0}/none"])
add("doctor/an unknown option", "doctor --nonsense", kind="argparse")


def old_process(scene):
    """A server that runs the code from before the patch."""
    scene.running(scene.path("site/bin/jupyter-notebook"))
    time.sleep(0.2)
    scene.ran("apply", *WHERE)


doctor("an old process", "", krb5(PROXIED), old_process)

# kernelspec


def spark_host(scene):
    """A Spark, a Java, Hadoop's configuration, and Pythons that say which one they are."""
    scene.spark()
    scene.java()
    scene.hadoop()
    scene.interpreter("python", (3, 9))
    scene.interpreter("python2", (3, 2))
    scene.jupyter()


def written(name, master="local[2]", ours=True, lazy=False, more=None):
    """A kernel that is there already."""

    def step(scene):
        environment = {
            "SPARK_HOME": scene.path("spark"),
            "JAVA_HOME": scene.path("java"),
            "PYSPARK_PYTHON": sys.executable,
            "PYTHONPATH": "{0}/python:{0}/python/lib/py4j-0.10.9.7-src.zip".format(
                scene.path("spark")
            ),
            "PYSPARK_SUBMIT_ARGS": "--master '%s' pyspark-shell" % master,
        }
        if lazy:
            environment["JHPATCH_PYSPARK"] = json.dumps({"lazy": True, "idle_stop": 0})
        environment.update(more or {})
        document = {
            "argv": [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
            "display_name": "PySpark " + name,
            "env": environment,
        }
        if ours:
            document["metadata"] = {"jhpatch": {"schema": 1, "spark": "3.5.1"}}
        scene.write("home/jupyter/kernels/%s/kernel.json" % name, json.dumps(document))

    return step


def kernelspec(name, words, *steps, **options):
    """A scenario on a host with a Spark."""
    words = ["kernelspec"] + (words.split() if isinstance(words, str) else words)
    add("kernelspec/" + name, words, spark_host, *steps, **options)


INSTALL = "install --spark-home {0}/spark --java-home {0}/java --python {0}/python --user "
LOCAL = INSTALL + "--master local[2] "
YARN = INSTALL + "--hadoop-conf-dir {0}/conf "


def unreleased(scene):
    """A Spark that does not say its release: none of its Pythons is unfit."""
    scene.remove("spark/RELEASE")


def spark_home(scene):
    """SPARK_HOME says where Spark is."""
    scene.environ["SPARK_HOME"] = scene.path("spark")


def without_java(scene):
    """Java is gone."""
    scene.remove("java/bin/java")


def spark_2(scene):
    """Spark 2.4 on Java 8."""
    scene.spark("2.4.8")
    scene.java("1.8.0_402")
    scene.interpreter("python", (3, 7))


def with_another_file(scene):
    """Somebody has put a file beside what jhpatch wrote."""
    scene.write("home/jupyter/kernels/pyspark/mine.txt", "x")


ours, others = written("pyspark"), written("pyspark", ours=False)
several = (
    written("pyspark-a", master="yarn"),
    written("pyspark-b", lazy=True),
    written("hand", ours=False),
)

kernelspec("nothing by itself", "")
kernelspec("an unknown action", "nonsense", kind="argparse")
kernelspec("list, none", "list")
kernelspec("list", "list", *several)
kernelspec("list, verbose", "list -v", *several)
kernelspec("list, quiet", "list -q", *several)
kernelspec("list, on a terminal", "list", *several, kind="terminal")
kernelspec(
    "without jupyter_client",
    "list",
    then("remove", "modules/jupyter_client"),
    no_module("jupyter_client"),
)
kernelspec("install, dry run", LOCAL + "--dry-run")
kernelspec("install, dry run, on a terminal", LOCAL + "--dry-run", kind="terminal")
kernelspec("install", LOCAL)
kernelspec("install, quiet", LOCAL + "-q")
kernelspec("install again", LOCAL, then("ran", "kernelspec", *LOCAL.split()))
kernelspec(
    "install again, dry run", LOCAL + "--dry-run", then("ran", "kernelspec", *LOCAL.split())
)
kernelspec("install over another's", LOCAL, others)
kernelspec("install, for all", LOCAL.replace("--user", ""))
kernelspec("install, in a prefix", LOCAL.replace("--user", "--prefix {0}/prefix"))
kernelspec(
    "install with everything",
    (YARN + "--name Lazy --lazy --idle-stop 15 --env A=${HOME}/x --conf").split()
    + ["spark.yarn.queue=a b", "--conf", "spark.x=1", "--display-name", "Spark of ours"],
)
kernelspec("install on YARN", YARN)
kernelspec("install Spark 2 on YARN", YARN, spark_2)
kernelspec("install, workers elsewhere", YARN + "--worker-python /opt/cluster/bin/python3")
kernelspec("install, by SPARK_HOME", LOCAL.replace("--spark-home {0}/spark", ""), spark_home)
for _name, _words, _steps in (
    ("a name that is none", LOCAL + "--name a/b", ()),
    ("no cluster", INSTALL + "--master nonsense", ()),
    ("on the cluster", LOCAL + "--deploy-mode cluster", ()),
    ("a setting without a value", LOCAL + "--conf spark.x", ()),
    ("a setting that is not Spark's", LOCAL + "--conf x=1", ()),
    ("a variable that is none", LOCAL + "--env 1A=x", ()),
    ("a path with a dollar", LOCAL.replace("{0}/python", "{0}/$x"), ()),
    ("no Spark", LOCAL.replace("{0}/spark", "/nowhere"), ()),
    ("no pyspark", LOCAL.replace("{0}/spark", "{0}/java"), ()),
    ("two py4j", LOCAL, (then("spark", py4j="0.10.7"),)),
    ("no Java", LOCAL.replace("{0}/java", "/nowhere"), ()),
    ("an unfit Java", LOCAL, (then("java", "1.7.0_80"),)),
    ("no Hadoop", YARN.replace("{0}/conf", "/nowhere"), ()),
    ("a relative Python", LOCAL.replace("{0}/python", "bin/python"), ()),
    ("a Python that is not there", LOCAL.replace("{0}/python", "/nowhere/python"), ()),
    ("workers of another Python", LOCAL + "--worker-python {0}/python2", ()),
):
    kernelspec("install refused, " + _name, _words, *_steps)
kernelspec("install in two places", LOCAL + "--sys-prefix", kind="argparse")
kernelspec("install, a time that is none", LOCAL + "--idle-stop -1", kind="argparse")
kernelspec("remove", "remove pyspark", ours)
kernelspec("remove, dry run", "remove pyspark --dry-run", ours)
kernelspec("remove, quiet", "remove -q pyspark", ours)
kernelspec("remove what has something beside it", "remove PySpark", ours, with_another_file)
kernelspec("remove another's", "remove pyspark", others)
kernelspec("remove what is not there", "remove nosuch", *several)
kernelspec("remove nothing", "remove", kind="argparse")
kernelspec("check what is not there", "check nosuch")
kernelspec("check as root", "check", ours, needs="root")
as_user = then("as_user")
kernelspec("check, static", "check --static", ours, unreleased, as_user)
for _name, _steps in (
    ("no Java", (ours, unreleased, without_java)),
    ("no Spark", (written("pyspark", more={"SPARK_HOME": "/nowhere"}),)),
    ("no Hadoop", (written("pyspark", master="yarn"), unreleased)),
):
    kernelspec("check, static, " + _name, "check --static", *(_steps + (as_user,)))
kernelspec("check, static, several faults", "check --static", spark_kernel, without_java, as_user)
kernelspec("check, static, verbose", "check --static -v", ours, unreleased, without_java, as_user)

# nginx

TLS = "--certificate /etc/tls/hub.pem --certificate-key /etc/tls/hub.key "
PLAIN = "--server-name hub.example.org --upstream 127.0.0.1:8000 " + TLS
OF_1_22 = "nginx render --nginx-version 1.22.1 "
CHECK = "nginx check --nginx-version 1.21.0 "  # no host's own: its nginx is not asked
EVERYTHING = (
    "nginx render --nginx-version 1.28.0 --server-name hub.example.org --server-name "
    "*.example.com --listen 127.0.0.2:8443 --listen [::1]:8443 --upstream https://192.0.2.10:8000 "
    "--upstream https://192.0.2.11:8000 --redirect-http --hsts --stapling 192.0.2.53 "
    "--max-body 2g --read-timeout 12h --base-url /jupyter/ --upstream-ca /etc/tls/ca.pem "
    "--no-default-server " + TLS
)
OUTPUT = "--output {0}/hub.conf"


def rendered(more=b""):
    """The site file is there already."""

    def step(scene):
        scene.ran(*(OF_1_22 + PLAIN + OUTPUT).split())
        scene.append("hub.conf", more)

    return step


def corpus(*names):
    """Configurations that tests/nginx judges, in a folder "conf"."""

    def step(scene):
        for name in names:
            there = os.path.join(scene.root, "tests", "nginx", "corpus", name)
            copy = shutil.copytree if os.path.isdir(there) else shutil.copyfile
            os.makedirs(scene.path("conf"), exist_ok=True)
            copy(there, scene.path("conf/" + name))

    return step


theirs = then("write", "hub.conf", "theirs\n")


def linked(scene):
    """The site file is a symlink."""
    os.symlink(scene.path("elsewhere"), scene.path("hub.conf"))


def folder(scene):
    """There is a folder in its place."""
    os.makedirs(scene.path("hub.conf"))


add("nginx/what", "nginx")
add("nginx/an unknown action", "nginx nonsense", kind="argparse")
add("nginx/render", OF_1_22 + PLAIN)
add("nginx/render, quiet", OF_1_22 + PLAIN + "-q")
add("nginx/render, on a terminal", OF_1_22 + PLAIN, kind="terminal")
add("nginx/render with everything", EVERYTHING)
add(
    "nginx/render behind a terminator",
    OF_1_22
    + "--server-name hub.example.org --upstream unix:/run/hub.sock --external-scheme https "
    + "--listen 8080 --hsts 300",
)
add("nginx/render to a file", OF_1_22 + PLAIN + OUTPUT)
add("nginx/render to a file, quiet", OF_1_22 + PLAIN + OUTPUT + " -q")
add("nginx/render to a file, dry run", OF_1_22 + PLAIN + OUTPUT + " --dry-run")
add("nginx/render again", OF_1_22 + PLAIN + OUTPUT, rendered())
add("nginx/render another", OF_1_22 + PLAIN + OUTPUT + " --max-body 1g", rendered())
_dry = OF_1_22 + PLAIN + OUTPUT + " --max-body 1g --dry-run"
add("nginx/render another, dry run", _dry, rendered())
add("nginx/render another, dry run, on a terminal", _dry, rendered(), kind="terminal")
add("nginx/render over what was changed", OF_1_22 + PLAIN + OUTPUT, rendered(b"# mine\n"))
add("nginx/render over another's", OF_1_22 + PLAIN + OUTPUT, theirs)
add("nginx/render over another's, dry run", OF_1_22 + PLAIN + OUTPUT + " --dry-run", theirs)
add("nginx/render over a symlink", OF_1_22 + PLAIN + OUTPUT, linked)
add("nginx/render over a folder", OF_1_22 + PLAIN + OUTPUT, folder)
add("nginx/render where no folder is", OF_1_22 + PLAIN + "--output {0}/none/hub.conf")
for _name, _words in (
    ("a dry run of nothing", OF_1_22 + PLAIN + "--dry-run"),
    ("no name", OF_1_22 + TLS + "--upstream 127.0.0.1:8000"),
    ("a name that is none", OF_1_22 + PLAIN + "--server-name a;b"),
    ("no certificate", OF_1_22 + "--server-name hub.example.org --upstream 127.0.0.1:8000"),
    ("a certificate without a key", OF_1_22 + PLAIN + "--certificate /x.pem"),
    ("an upstream without a port", OF_1_22 + PLAIN + "--upstream hub"),
    ("an old nginx", "nginx render --nginx-version 1.16.1 " + PLAIN),
    ("a time below the ping", OF_1_22 + PLAIN + "--read-timeout 30s"),
    ("a size that is none", OF_1_22 + PLAIN + "--max-body large"),
    ("a path that is none", OF_1_22 + PLAIN + "--base-url jupyter"),
):
    add("nginx/render refused, " + _name, _words)
add("nginx/render, seconds that are none", OF_1_22 + PLAIN + "--hsts soon", kind="argparse")


def check(name, words, *steps, **options):
    """A scenario that reads configurations."""
    add("nginx/check " + name, CHECK + words, *steps, needs="crossplane", **options)


ALL = ("widespread.conf", "body-limit.conf", "frames.conf", "next-upstream.conf", "good.conf")
check("a good one", "{0}/conf/good.conf", corpus("good.conf"))
check("a good one, verbose", "-v {0}/conf/good.conf", corpus("good.conf"))
check("a widespread one", "{0}/conf/widespread.conf", corpus("widespread.conf"))
check("a widespread one, verbose", "-v {0}/conf/widespread.conf", corpus("widespread.conf"))
check("a widespread one, quiet", "-q {0}/conf/widespread.conf", corpus("widespread.conf"))
_one = "{0}/conf/widespread.conf"
check("a widespread one, on a terminal", _one, corpus("widespread.conf"), kind="terminal")
check("a folder", "{0}/conf", corpus(*ALL))
check("a whole one", "{0}/conf/whole", corpus("whole"))
check("the servers of a name", _one + " --server-name hub.example.com", corpus("widespread.conf"))
check("a name that is not there", _one + " --server-name x.org", corpus("widespread.conf"))
check("a broken one", "{0}/x.conf", then("write", "x.conf", "server { listen 80;\n"))
check("an include of itself", "{0}/x.conf", then("write", "x.conf", "include x.conf;\n"))
check("an empty one", "{0}/x.conf", then("write", "x.conf", ""))
check("what is not there", "{0}/x.conf")
check("an empty folder", "{0}/hub.conf", folder)
add("nginx/check without crossplane", "nginx check {0}/x.conf", no_module("crossplane"))
add("nginx/check a user without an address", "nginx check --user alice")
add("nginx/check an address and a file", "nginx check --url https://127.0.0.1:1/ {0}/x.conf")
add("nginx/check an address that is none", "nginx check --url ftp://127.0.0.1/")
add("nginx/check without a cookie", "nginx check --url http://127.0.0.1/ --cookie-file /nowhere")
add("nginx/check a front that is down", "nginx check --url https://127.0.0.1:1/")

# completion, and no command at all

for _shell in ("bash", "zsh", "fish"):
    add("completion/" + _shell, "completion " + _shell, hides="script")
add("completion/quiet", "completion -q bash", hides="script")
add("completion/another shell", "completion csh", kind="argparse")
add("completion/no shell", "completion", kind="argparse")

add("jhpatch/version", "--version", kind="text", hides="version")
add("jhpatch/no command", "")
add("jhpatch/no command, quiet", "-q", kind="argparse")
add("jhpatch/an unknown command", "nonsense", kind="argparse")
add("jhpatch/an unknown option", "--nonsense", kind="argparse")

put_off(
    "ticket",
    *("a time that is none", "absent", "absent, on a terminal", "absent, quiet"),
    *("absent, verbose", "expired in the default cache", "expired, on a terminal"),
    *("kept and expired", "kept by the hub", "kept, quiet", "kept, verbose"),
    *("kept, without a keytab", "records that do not count"),
    *("records that do not count, quiet",),
)
put_off(
    "doctor",
    *("a KDC behind HTTPS", "a cache that KCM has", "a cache that is a collection"),
    *("a cache that is another's", "a cache that no other process sees"),
    *("a configuration for all to write", "a configuration that is broken"),
    *("a configuration that is not there", "a keytab that is a FIFO"),
    *("a keytab that is of another", "a keytab that is of root", "an old process"),
    *("an unknown option", "krb5.conf is not for all", "no KDC", "no brace"),
    *("no default realm", "no included file", "on a terminal", "quiet"),
    *("settings that are not literal",),
)
put_off(
    "kernelspec",
    *("an unknown action", "check, static", "check, static, no Hadoop"),
    *("check, static, no Java", "check, static, no Spark", "install again"),
    *("install again, dry run", "install in two places"),
    *("install refused, a path with a dollar",),
    *("install refused, a setting that is not Spark's",),
    *("install refused, a setting without a value",),
    *("install refused, a variable that is none", "install refused, no Hadoop"),
    *("install refused, no Java", "install refused, no cluster"),
    *("install refused, no pyspark", "install refused, on the cluster"),
    *("install, by SPARK_HOME", "install, dry run, on a terminal", "install, for all"),
    *("install, in a prefix", "install, quiet", "install, workers elsewhere", "list, none"),
    *("list, quiet", "list, verbose", "remove nothing", "remove, dry run", "remove, quiet"),
)
put_off(
    "nginx",
    *("an unknown action", "check a folder", "check a good one, verbose"),
    *("check a widespread one", "check a widespread one, quiet"),
    *("check an address and a file", "check an empty folder", "check the servers of a name"),
    *("check without a cookie", "render again", "render another", "render another, dry run"),
    *("render over a folder", "render over another's, dry run"),
    *("render refused, a name that is none", "render refused, a path that is none"),
    *("render refused, a size that is none", "render refused, a time below the ping"),
    *("render refused, an old nginx", "render refused, an upstream without a port"),
    *("render refused, no name", "render to a file, quiet", "render, quiet"),
    *("render, seconds that are none", "what"),
)
put_off(
    "completion",
    *("fish", "no shell", "quiet", "zsh"),
)
put_off(
    "jhpatch",
    *("an unknown option", "no command, quiet"),
)
