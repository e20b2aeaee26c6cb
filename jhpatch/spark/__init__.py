"""PySpark kernels: finding a Spark, writing a kernel, starting it, checking it."""
