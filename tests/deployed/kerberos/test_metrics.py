"""Metrics: each made once in a process, none with a user's name, and never an error."""

import sys
import types

import pytest

from jhpatch.deployed.kerberos import metrics


class Client:
    """A prometheus_client that keeps what it was asked for."""

    def __init__(self):
        self.made = {}

    def __getattr__(self, kind):
        def make(name, text, labels=()):
            assert name not in self.made, "Duplicated timeseries"
            assert not {"user", "username", "principal"} & set(labels)
            self.made[name] = made = types.SimpleNamespace(kind=kind, values=[])
            made.labels = lambda *values: made.values.append(values) or made
            made.inc = lambda: None
            made.set = made.observe = made.values.append
            return made

        return make


@pytest.fixture
def client(monkeypatch):
    """The client that a server has loaded, and no metric yet."""
    client = Client()
    monkeypatch.setitem(sys.modules, "prometheus_client", client)
    monkeypatch.setitem(sys.modules, metrics._KEY, {})
    return client


def test_requests_are_counted_by_cause_and_result(client):
    """One counter, however often it is used."""
    metrics.count("login", "got")
    metrics.count("login", "there")
    made = client.made["jhpatch_kerberos_tickets"]
    assert made.kind == "Counter" and made.values == [("login", "got"), ("login", "there")]


def test_copies_of_the_code_share_their_metrics(client, monkeypatch):
    """jupyter_server's and notebook's copy in one process."""
    first = metrics.metric("Gauge", "expiry", "When")
    monkeypatch.setattr(metrics, "_KEY", str(metrics._KEY))
    assert metrics.metric("Gauge", "expiry", "When") is first
    first.set(3.0)
    assert client.made["jhpatch_kerberos_expiry"].values == [3.0]


@pytest.mark.parametrize("client", [None, object(), types.SimpleNamespace(Counter=None)])
def test_without_a_client_nothing_happens(monkeypatch, client):
    """None loaded, an old one, or one that raises."""
    monkeypatch.setitem(sys.modules, "prometheus_client", client)
    monkeypatch.setitem(sys.modules, metrics._KEY, {})
    metrics.count("login", "got")
    one = metrics.metric("Histogram", "seconds", "How long")
    assert one.observe(1.0) is None and one.labels("a").set(1.0) is None and one.inc() is None


def test_a_client_that_comes_later_counts(client, monkeypatch):
    """prometheus_client may be imported after the first request."""
    monkeypatch.delitem(sys.modules, "prometheus_client")
    metrics.count("login", "got")
    monkeypatch.setitem(sys.modules, "prometheus_client", client)
    metrics.count("login", "there")
    assert client.made["jhpatch_kerberos_tickets"].values == [("login", "there")]


def test_the_real_client_has_them():
    """Where prometheus_client is installed."""
    client = pytest.importorskip("prometheus_client")
    metrics.count("test", "got")
    assert b'jhpatch_kerberos_tickets_total{cause="test",result="got"}' in client.generate_latest()
