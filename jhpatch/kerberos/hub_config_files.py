"""The files of the hub's configuration: which are read, their order, and what is wrong."""

import json
import os
import re
from typing import Any, List, Optional, Sequence, Tuple, Union

from jhpatch.errors import JhpatchError
from jhpatch.kerberos.findings import finding
from jhpatch.kerberos.hub_config import HubConfig, Place, Unread
from jhpatch.kerberos.hub_config_reader import read_source
from jhpatch.kerberos.hub_config_settings import hub_config_of
from jhpatch.kerberos.hub_config_values import Entries, Section, is_constant, is_section
from jhpatch.report.result import Finding
from jhpatch.system import path_owners
from jhpatch.system.files import read_file

_CAP = 1024 * 1024
_MAX_DEPTH = 10
_MAX_FILES = 100


def read_hub_config(paths: Sequence[str]) -> Tuple[HubConfig, Tuple[Finding, ...]]:
    """Read the configuration files of a hub; return the settings and what is wrong with a file.

    A later file overrides earlier ones. Like JupyterHub, this reads ``NAME.json`` after
    ``NAME.py``.
    """
    files = _Files()
    for path in map(os.path.abspath, paths):
        files.read(path)
        sibling = os.path.splitext(path)[0] + ".json"
        if path.endswith(".py") and os.path.exists(sibling):
            files.read(sibling)
    return hub_config_of(files.config, files.unread, files.path), tuple(files.findings)


class _Files:
    def __init__(self) -> None:
        self.config = Section()
        self.findings: List[Finding] = []
        self.unread: List[Unread] = []
        self.path: Optional[str] = None
        """The first file that was read."""
        self._count = 0

    def read(self, path: str) -> None:
        """Read a file of the command line, and merge its settings."""
        section = self._section(path, os.path.dirname(path), ())
        if isinstance(section, Section):
            self.config.merge(section)
            self.path = self.path or path
        else:  # another finding reports it
            self.config.forget(Unread(Place(path), section))

    def _section(self, path: str, directory: str, above: Tuple[str, ...]) -> Union[Section, str]:
        """Return the settings of a file, or why there are none.

        ``directory`` is where ``load_subconfig`` looks; ``above`` are the files that load it.
        """
        if path in above or len(above) >= _MAX_DEPTH or self._count >= _MAX_FILES:
            return "the file loads itself, or there are too many files"
        self._count += 1
        data = self._data(path)
        if data is None:
            return "the file is not read"

        def load(name: str, where: Optional[str]) -> Union[Section, str]:
            return self._load(name, where or directory, above + (path,))

        try:
            if path.endswith(".json"):
                section, unread = _parse_json(data, path), []
            else:
                source = read_source(data, path, load)
                section, unread = source.config, list(source.unread)
        except SyntaxError as error:
            message = "line %d: %s (with this Python)" % (_line_of(error, data), error.msg)
            self.findings.append(finding("config-syntax", message, path))
            return "the file is not read"
        except (ValueError, RecursionError, MemoryError) as error:
            message = "the file cannot be parsed: %s" % error
            self.findings.append(finding("config-syntax", message, path))
            return "the file is not read"
        self.unread += unread
        return section

    def _load(self, name: str, directory: str, above: Tuple[str, ...]) -> Union[Section, str]:
        """Return the settings of a file that ``load_subconfig`` names."""
        if "$" in name or "~" in name:
            return "doctor does not expand $ and ~"
        found = os.path.normpath(os.path.join(directory, name))
        if not os.path.isabs(found):
            return "the directory is not an absolute path"
        if not os.path.exists(found):
            return "there is no %s; the hub ignores a missing file" % found
        return self._section(found, directory, above)

    def _data(self, path: str) -> Optional[bytes]:
        """Return the content of a file; None, and a finding, if it is not read."""
        try:
            writer = path_owners.writer_of(path) if os.geteuid() == 0 else None
            if writer is not None:
                message = "users other than root can write %s (owner uid %d, mode %04o)" % writer
                self.findings.append(finding("config-writable", message, path))
                return None
            return read_file(path, _CAP).data
        except JhpatchError as error:
            message = "the file does not exist" if not os.path.lexists(path) else error.message
        except OSError as error:
            message = error.strerror or str(error)
        self.findings.append(finding("config-unreadable", message, path))
        return None


def _line_of(error: SyntaxError, data: bytes) -> int:
    """Return the line of an error; Python reports none for bytes that it cannot decode."""
    if error.lineno:
        return error.lineno
    for number, line in enumerate(data.split(b"\n"), 1):
        try:
            line.decode("utf-8")
        except UnicodeDecodeError:
            return number
    return 1


def _parse_json(data: bytes, path: str) -> Section:
    """Return the settings of a JSON configuration. Raises ValueError."""
    text = data.decode("utf-8")
    document = json.loads(text)
    if not isinstance(document, dict) or document.pop("version", 1) != 1:
        raise ValueError('expected a JSON object whose "version" is 1 or missing')
    config = Section()
    for name, rows in document.items():
        if not is_section(name) or not isinstance(rows, dict):
            continue
        begin = _position(text, name, 0)
        for key, value in rows.items():
            line = text.count("\n", 0, _position(text, key, begin)) + 1
            config.get(name).set(key, _from_json(value, Place(path, line)), Place(path, line))
    return config


def _position(text: str, key: str, begin: int) -> int:
    match = re.compile(re.escape(json.dumps(key)) + r"\s*:").search(text, begin)
    return match.start() if match else begin


def _from_json(value: Any, place: Place) -> Any:
    if not isinstance(value, dict):
        return value if is_constant(value) else Unread(place, "is a nested value")
    entries = Entries()
    for key, item in value.items():
        entries.set(key, _from_json(item, place), Unread(place, "is computed"))
    return entries
