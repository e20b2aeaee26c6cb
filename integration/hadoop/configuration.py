"""What the daemons and Spark are told: values in, the files' text out."""

from typing import Dict, NamedTuple

MEMORY = 8192  # MiB, of the one node


_LOG4J = """log4j.rootLogger=INFO,console
log4j.appender.console=org.apache.log4j.ConsoleAppender
log4j.appender.console.target=System.err
log4j.appender.console.layout=org.apache.log4j.PatternLayout
log4j.appender.console.layout.ConversionPattern=%d{ISO8601} %p %c{2}: %m%n
"""
_SPARK = """spark.driver.host                localhost
spark.driver.bindAddress         127.0.0.1
spark.ui.enabled                 false
spark.driver.memory              512m
spark.yarn.am.memory             384m
spark.yarn.am.memoryOverhead     128m
spark.executor.memory            512m
spark.executor.memoryOverhead    128m
spark.executor.instances         1
spark.executor.cores             2
spark.driver.extraJavaOptions    -XX:+UseSerialGC -XX:TieredStopAtLevel=1
spark.yarn.am.extraJavaOptions   -XX:+UseSerialGC -XX:TieredStopAtLevel=1
spark.executor.extraJavaOptions  -XX:+UseSerialGC -XX:TieredStopAtLevel=1
spark.sql.shuffle.partitions     2
"""
LOCAL = {"SPARK_LOCAL_IP": "127.0.0.1", "SPARK_LOCAL_HOSTNAME": "localhost"}
_SCHEDULER = {
    "yarn.scheduler.capacity.root.queues": "default",
    "yarn.scheduler.capacity.root.default.capacity": "100",
    "yarn.scheduler.capacity.maximum-am-resource-percent": "0.9",
}


class Plan(NamedTuple):
    """A cluster in a folder; lives of delegation tokens are in seconds."""

    folder: str
    keytab: str
    realm: str
    spark_home: str
    token_renewal: int
    token_life: int


def files(plan: Plan, changes: Dict[str, str]) -> Dict[str, str]:
    """The text of each file of a configuration's folder; ``changes`` are yarn-site's."""
    return {
        "core-site.xml": _xml(_core(plan)),
        "hdfs-site.xml": _xml(_hdfs(plan)),
        "yarn-site.xml": _xml(dict(_yarn(plan), **changes)),
        "capacity-scheduler.xml": _xml(_SCHEDULER),
        "log4j.properties": _LOG4J,
        "spark-defaults.conf": _spark_defaults(plan),
    }


def _core(plan: Plan) -> Dict[str, str]:
    return {
        "fs.defaultFS": "hdfs://localhost:8020",
        "hadoop.security.authentication": "kerberos",
        "hadoop.security.authorization": "true",
        "hadoop.tmp.dir": plan.folder + "/data/tmp",
        "ipc.client.connect.max.retries": "3",
    }


def _hdfs(plan: Plan) -> Dict[str, str]:
    found = {
        "dfs.replication": "1",
        "dfs.http.policy": "HTTP_ONLY",
        "dfs.namenode.name.dir": "file://%s/data/nn" % plan.folder,
        "dfs.datanode.data.dir": "file://%s/data/dn" % plan.folder,
        "dfs.datanode.hostname": "localhost",
        "dfs.block.access.token.enable": "true",
        # A DataNode without ports below 1024, which only root could open for it.
        "ignore.secure.ports.for.testing": "true",
        "dfs.namenode.delegation.token.renew-interval": str(plan.token_renewal * 1000),
        "dfs.namenode.delegation.token.max-lifetime": str(plan.token_life * 1000),
        "dfs.namenode.safemode.extension": "0",
        "dfs.datanode.du.reserved": "0",
        "dfs.namenode.resource.du.reserved": "0",
        "dfs.web.authentication.kerberos.principal": "HTTP/localhost",
        "dfs.web.authentication.kerberos.keytab": plan.keytab,
    }
    for name in ("namenode", "datanode"):
        found["dfs.%s.kerberos.principal" % name] = _principal(plan, "hdfs")
        found["dfs.%s.keytab.file" % name] = plan.keytab
    return found


def _yarn(plan: Plan) -> Dict[str, str]:
    found = {
        "yarn.resourcemanager.scheduler.class": "org.apache.hadoop.yarn.server"
        ".resourcemanager.scheduler.capacity.CapacityScheduler",
        "yarn.nodemanager.local-dirs": plan.folder + "/data/nm-local",
        "yarn.nodemanager.log-dirs": plan.folder + "/logs/containers",
        "yarn.nodemanager.resource.memory-mb": str(MEMORY),
        "yarn.nodemanager.resource.cpu-vcores": "16",
        "yarn.nodemanager.pmem-check-enabled": "false",
        "yarn.nodemanager.vmem-check-enabled": "false",
        "yarn.nodemanager.disk-health-checker.max-disk-utilization-per-disk-percentage": "99",
        "yarn.scheduler.minimum-allocation-mb": "128",
        "yarn.acl.enable": "true",
        "yarn.admin.acl": "yarn",
        # 15 minutes is what a client without a ticket takes to say so otherwise.
        "yarn.resourcemanager.connect.max-wait.ms": "20000",
        "yarn.resourcemanager.connect.retry-interval.ms": "2000",
    }
    for name in ("resourcemanager", "nodemanager"):
        found["yarn.%s.hostname" % name] = "localhost"
        found["yarn.%s.principal" % name] = _principal(plan, "yarn")
        found["yarn.%s.keytab" % name] = plan.keytab
        found["yarn.%s.webapp.spnego-principal" % name] = _principal(plan, "HTTP")
        found["yarn.%s.webapp.spnego-keytab-file" % name] = plan.keytab
    return found


def _principal(plan: Plan, service: str) -> str:
    return "%s/localhost@%s" % (service, plan.realm)


def _spark_defaults(plan: Plan) -> str:
    lines = [_SPARK]
    for name, value in LOCAL.items():
        lines.append("spark.yarn.appMasterEnv.%s %s\n" % (name, value))
        lines.append("spark.executorEnv.%s %s\n" % (name, value))
    # Each session would pack 400 MB of jars and put them on HDFS otherwise.
    lines.append("spark.yarn.jars local:%s/jars/*\n" % plan.spark_home)
    return "".join(lines)


def _xml(properties: Dict[str, str]) -> str:
    rows = [
        "<property><name>%s</name><value>%s</value></property>\n" % pair
        for pair in sorted(properties.items())
    ]
    return "<configuration>\n%s</configuration>\n" % "".join(rows)
