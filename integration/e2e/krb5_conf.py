"""A krb5.conf that one hub has for itself, and that changes while the hub runs."""

import os
import shutil
from typing import Any, Dict


class Krb5Conf:
    """At first it names the KDC of all tests; each change is a rename."""

    def __init__(self, folder: str, kdc: Any) -> None:
        os.makedirs(folder, exist_ok=True)
        self.path = os.path.join(folder, "krb5.conf")
        self._kdc = kdc
        self.restore()

    @property
    def environment(self) -> Dict[str, str]:
        """For a hub."""
        return {"KRB5_CONFIG": self.path}

    def restore(self, defaults: str = "") -> None:
        """The real KDC again, with lines for ``[libdefaults]``."""
        with open(self._kdc.krb5_conf) as file:
            text = file.read()
        with open(self.path + ".new", "w") as file:
            file.write(text.replace("[libdefaults]\n", "[libdefaults]\n" + defaults))
        self._put()

    def replace(self, path: str) -> None:
        """Another file's text, such as that of a KDC that never answers."""
        shutil.copy(path, self.path + ".new")
        self._put()

    def _put(self) -> None:
        os.chmod(self.path + ".new", 0o644)
        os.replace(self.path + ".new", self.path)
