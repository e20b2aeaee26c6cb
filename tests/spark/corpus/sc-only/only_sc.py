import pyspark

sc = pyspark.SparkContext()
