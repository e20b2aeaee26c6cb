"""Metrics on the /metrics page of this process, if it has loaded prometheus_client.

No label names a user.
"""

import sys
from typing import Any, Dict, Tuple

_KEY = "_jhpatch_kerberos.metrics"  # in sys.modules: one registry for all copies in a process


class _NoMetric:
    """A metric that records nothing."""

    def labels(self, *values: str) -> "_NoMetric":
        return self

    def inc(self) -> None:
        pass

    def set(self, value: float) -> None:
        pass

    def observe(self, value: float) -> None:
        pass


def metric(kind: str, name: str, text: str, labels: Tuple[str, ...] = ()) -> Any:
    """Return the metric ``jhpatch_kerberos_NAME``, which its first use creates."""
    process: Dict[str, Any] = sys.modules
    metrics: Dict[str, Any] = process.setdefault(_KEY, {})
    client = process.get("prometheus_client")
    if name not in metrics:
        try:
            metrics[name] = getattr(client, kind)("jhpatch_kerberos_" + name, text, labels)
        except Exception:  # no client, an old one, or another metric of this name
            return _NoMetric()
    return metrics[name]


def count(cause: str, result: str) -> None:
    """Count a request for a ticket: its cause, and ``got``, ``there`` or ``failed``."""
    text = "Requests for a ticket, by cause and result"
    label = "keeper" if cause == "renewal" else cause  # the label's name since its first release
    metric("Counter", "tickets", text, ("cause", "result")).labels(label, result).inc()
