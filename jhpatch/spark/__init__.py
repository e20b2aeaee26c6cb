"""PySpark kernels: find a Spark, write a kernel, start it, check it."""
