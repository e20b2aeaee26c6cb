"""A kernel as a value."""

from jhpatch.spark.kernelspec import Kernel

ONE = Kernel(
    display_name="PySpark 3.5.1 (yarn)",
    directory="/usr/local/share/jupyter/kernels/pyspark",
    python="/opt/jupyter/bin/python",
    worker_python="/opt/jupyter/bin/python",
    spark_home="/opt/spark",
    spark="3.5.1",
    python_path=("/opt/spark/python", "/opt/spark/python/lib/py4j-0.10.9.7-src.zip"),
    hadoop_conf_dir="/etc/hadoop/conf",
    java_home="/usr/lib/jvm/java-17",
    master="yarn",
)
