import glob
import os
import sys

home = os.environ["SPARK_HOME"]
sys.path[:0] = [home + "/python"] + glob.glob(home + "/python/lib/py4j-*")
