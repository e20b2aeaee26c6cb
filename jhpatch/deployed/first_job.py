# mypy: ignore-errors
"""A first job for any PySpark kernel: ``jhpatch kernelspec check`` sends this text to it.

The kernel need not be jhpatch's, nor have jhpatch installed. The job uses the session that the
kernel offers as ``spark`` or ``sc``; if there is none, it builds one, as a first cell would. It
runs a Python function on the workers, because a plain count stays in the JVM. It uses the standard
library and pyspark, and runs on Python 2.7 and later: kernels of Spark 1.6 or 2.4 may have 2.7,
which has no annotations.
"""

import json
import sys
import time
import traceback

CHECKED = "jhpatch_first_job"
"""The beginning of the line with the result."""
_ROWS = 1000
_TEXT = 16000  # characters of an error's text that are kept: its beginning and its end


def run(names):
    """Run the job with the notebook's names, a dict; return the result, which JSON can hold.

    ``fault``: as jhpatch's own kernel packs it; ``error``: the text of any other exception.
    """
    began = time.time()
    result = {"python": list(sys.version_info[:3])}
    try:
        session, context, origin = _session(names)
        result["session"] = origin
        result["count"] = _count(session, context)
        result.update(_figures(session, context))
    except BaseException as error:  # SystemExit: some start-up files call sys.exit
        fault = getattr(error, "fault", None)
        if hasattr(fault, "_asdict"):  # jhpatch's NotStarted
            result["fault"] = dict(fault._asdict(), fill=dict(fault.fill))
        else:
            text = traceback.format_exc()
            result["error"] = text if len(text) < _TEXT else text[:4000] + "\n" + text[-12000:]
    result["seconds"] = round(time.time() - began, 1)
    return result


def _session(names):
    """Return a SparkSession or None, a SparkContext or None, and where they come from."""
    own = getattr(sys.modules.get("jhpatch_pyspark"), "SESSION", None)
    if own is not None:
        context = own.get("sc")
        return own.objects.get("spark"), context, "jhpatch's"
    spark, context = names.get("spark"), names.get("sc")
    if hasattr(spark, "range"):
        return spark, context if _is_context(context) else None, "the kernel's"
    if _is_context(context):
        return None, context, "the kernel's"
    import pyspark

    try:
        from pyspark.sql import SparkSession
    except ImportError:
        if not hasattr(pyspark, "SparkContext") or not pyspark.__version__.startswith("1."):
            raise
        return None, pyspark.SparkContext.getOrCreate(), "the job's"  # Spark 1
    return SparkSession.builder.getOrCreate(), None, "the job's"


def _is_context(value):
    return hasattr(value, "parallelize")


def _count(session, context):
    """Return the number of rows that a Python function has returned on the workers."""
    if context is None:
        try:
            context = session.sparkContext
        except Exception:  # a client of Spark Connect has none
            return _count_by_column(session)
    return context.parallelize(range(_ROWS)).map(lambda row: row).count()


def _count_by_column(session):
    from pyspark.sql.functions import udf

    same = udf(lambda value: str(value))
    return len(session.range(_ROWS).select(same("id")).collect())


def _figures(session, context):
    """Return what is known of the application: release, id, master."""
    figures = {}
    if context is None:
        context = getattr(session, "_sc", None) or getattr(session, "_sparkContext", None)
    release = getattr(session, "version", None) or getattr(context, "version", None)
    if release:
        figures["spark"] = str(release)
    if context is not None:
        figures["application"] = str(context.applicationId)
        figures["master"] = str(context.master)
    return figures


if __name__ == "__main__":  # ``check`` runs the text under this name: workers import no module
    sys.stdout.flush()
    print("\n%s %s" % (CHECKED, json.dumps(run(vars(sys.modules["__main__"])))))
    sys.stdout.flush()
