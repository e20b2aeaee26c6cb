#!/bin/sh
# Spark for notebooks
export SPARK_HOME=<SPARK>
export PYTHONPATH="$SPARK_HOME/python:$SPARK_HOME/python/lib/py4j-<PY4J>-src.zip"
export PYTHONSTARTUP=$SPARK_HOME/python/pyspark/shell.py
export PYSPARK_SUBMIT_ARGS="--master local[1] \
  pyspark-shell"
export PYSPARK_PYTHON=<PYTHON> JAVA_HOME=<JAVA>
exec "$PYSPARK_PYTHON" -m ipykernel_launcher "$@"
