"""Replaces what is this machine's own in an answer: paths, times, pids, jhpatch's own patches."""

import base64
import calendar
import hashlib
import os
import pwd
import re
import sys
import time

from testing import ROOT

OWN = ("jupyter_server", "jupyterhub", "notebook")
"""The distributions of jhpatch's own patches, which change with each release."""
CODES = {
    *("krb5-conf-missing", "krb5-conf-unreadable", "krb5-conf-writable", "krb5-conf-syntax"),
    *("krb5-conf-include", "no-default-realm", "no-kdc", "kdc-unreachable", "kdc-proxied"),
    *("config-unreadable", "config-writable", "config-syntax", "setting-not-literal"),
    *("setting-wrong", "spawner-not-covered", "spawner-unknown", "authenticator-bypasses-pam"),
    *("authenticator-unknown", "no-user", "no-account", "below-min-uid", "needs-root"),
    *("keytab-missing", "keytab-not-regular", "keytab-unreadable", "keytab-exposed"),
    *("keytab-foreign", "ccache-unsupported", "ccache-hidden-from-jvm", "ccache-foreign"),
    *("ccache-folder", "ccache", "unit-missing", "restart-needed", "site-unreadable"),
    *("spark-home-missing", "spark-no-pyspark", "spark-java-missing", "yarn-unreachable"),
    *("spark", "hadoop"),
}
"""What ``doctor`` finds whatever host it is on."""


class Names:
    """Puts names in the places of what another machine, user or Python has otherwise."""

    def __init__(self, folder, scenario):
        self._hides = scenario.hides
        self._argparse = scenario.kind == "argparse"
        top = os.path.dirname(folder)
        me = pwd.getpwuid(os.geteuid()).pw_name
        end = r"(?![\w.-])"
        minor = "%d.%d" % sys.version_info[:2]
        self._rules = [
            (re.escape(top) + r"/(?:shared-\w+|\d+/(?:text|json))" + end, "$DIR"),
            (re.escape(sys.executable) + end, "$PYTHON"),
            (re.escape(ROOT) + end, "$ROOT"),
            (r"\bpid \d+", "pid $PID"),
            (r"\buid %d(?=, mode )" % os.geteuid(), "uid $UID"),
            (r"^%d(?=\t)" % os.getpid(), "$PID"),
            (r"jhpatch-kerberos-%d\b" % os.getpid(), "jhpatch-kerberos-$PID"),
            (r"\b%s(?=, running since )" % re.escape(me), "$USER"),
            (r"(?<=jhpatch )\d[\w.]*(?= or older)", "$VERSION"),
            (r"\d+ h \d+ min left", "$LEFT left"),
            (r"\.download-\w+", ".download-$TEMP"),
            (r"/tmp/tmp\w{8}(?![\w.])", "$TEMP"),
            # Its width is that of the longest name, which may be one of jhpatch's own patches.
            (r"^(  (?:app|other-app)/\S+) +(?=\S)", r"\1  "),
        ]
        if "minor" in self._hides:
            self._rules += [(r"\bpython%s\b" % re.escape(minor), "python$MINOR")]
            self._rules += [(r"\bPython %s\b" % re.escape(minor), "Python $MINOR")]
        if "version" in self._hides:
            self._rules += [(r"\Ajhpatch \S+, Python \S+ ", "jhpatch $VERSION, Python $VERSION ")]
        self._me = me

    def plain(self, text):
        """A text with names in it."""
        for pattern, name in self._rules:
            text = re.sub(pattern, name, text)
        if text.startswith("one of "):
            words = text[len("one of ") :].split(", ")
            text = "one of " + ", ".join(word for word in words if not _is_own(word))
        return re.sub(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(Z| UTC)?", _recent, text)

    def in_text(self, text):
        """What a command has said, without the rows of jhpatch's own patches."""
        if "script" in self._hides:
            return _hashed(text)
        lines, dropped = [], False
        for line in text.split("\n"):
            if dropped and line.startswith("      "):
                continue  # the rest of such a row on a terminal
            dropped = _is_own(line.strip())
            if not dropped:
                expected = re.match(r"(  expected: +)(one of .*)", line)
                if expected:
                    line = expected.group(1) + self.plain(expected.group(2))
                lines.append(self.plain(line))
        text = "\n".join(lines)
        text = re.sub(r"  restart: cannot tell: .*\n|  found:    pid \$PID: .*\n", "", text)
        return _known(text) if "findings" in self._hides else text

    def in_document(self, document):
        """The same of a document."""
        document = self._value(document, "")
        for site in document["sites"]:
            site["patches"] = [one for one in site["patches"] if not _is_own(one["patch"])]
            if site["restart"] is None:
                site.update(restart=[], restart_reason=None)
        if "findings" in self._hides:
            rows = document["findings"]
            document["findings"] = [row for row in rows if row["code"] in CODES]
            document["notes"] = [_COUNTS.sub("$COUNTS", note) for note in document["notes"]]
        for row in (document, *document["sites"]):
            if row["error"] and row["error"]["code"] == "locked":
                row["error"]["found"] = None  # the test's own process, if /proc/locks has it
        if self._argparse and document["error"]:
            document["error"]["message"] = "$ARGPARSE"
        if "script" in self._hides:
            document["script"] = _hashed(document["script"])
        return document

    def _value(self, value, key):
        if isinstance(value, dict):
            found = {name: self._value(item, name) for name, item in value.items()}
            if "started" in value and value["user"] == self._me:
                found["user"] = "$USER"
            return found
        if isinstance(value, list):
            return [self._value(item, key) for item in value]
        if key == "pid" and value is not None:
            return "$PID"
        if key.endswith("_b64"):
            raw = base64.b64decode(value).decode("utf-8", "surrogateescape")
            return base64.b64encode(os.fsencode(self.plain(raw))).decode()
        if key == "script":
            return value
        return self.plain(value) if isinstance(value, str) else value

    def code_of(self, document, out, code):
        """The exit code of ``doctor`` by what is left of its findings."""
        bad = re.search(r"^(error|warning) ", re.sub("\x1b\\[\\d*m", "", out), re.M)
        if document is not None:
            bad = any(row["severity"] != "note" for row in document["findings"])
        assert code in (0, 3) and (code or not bad)
        return 3 if bad else 0


_TIME = "%Y-%m-%d %H:%M:%S"
_COUNTS = re.compile(r"\d+ checks?: \d+ [a-z ]+(, \d+ [a-z ]+)*")


def _is_own(row):
    """Whether a row of text, or a name, is that of one of jhpatch's own patches."""
    return re.match(r"(?:%s)(?:/|\Z)" % "|".join(OWN), row) is not None


def _recent(match):
    """A time of today, by a name; others were made to be what they are."""
    then = calendar.timegm(time.strptime(match.group()[:19].replace("T", " "), _TIME))
    return match.group() if abs(time.time() - then) > 2 * 86400 else "$TIME"


def _hashed(text):
    return text and "sha256:" + hashlib.sha256(text.encode("utf-8")).hexdigest()


def _known(text):
    """The findings of ``doctor`` that are in CODES."""
    lines, shown = [], True
    for line in text.split("\n"):
        head = re.match(
            "(?:\x1b\\[\\d+m)?(?:error|warning|note) *(?:\x1b\\[0m)?  ([\\w-]+)  ", line
        )
        if head:
            shown = head.group(1) in CODES
        elif not line.startswith("         "):
            shown = True
        if shown:
            lines.append(_COUNTS.sub("$COUNTS", line))
    return "\n".join(lines)
