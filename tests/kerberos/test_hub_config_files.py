"""The files of the hub's configuration."""

import os

import pytest

from jhpatch.kerberos.hub_config import HubConfig
from jhpatch.kerberos.hub_config_checks import check_hub_config
from jhpatch.kerberos.hub_config_files import read_hub_config
from jhpatch.report.result import Finding
from testing.users import ROOT_ONLY


@pytest.fixture
def read(tmp_path):
    """Write files, and read the first ones: the configuration and what is wrong with a file."""

    def read_files(files, *names):
        for name, data in files.items():
            path = tmp_path / name
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(data if isinstance(data, bytes) else data.encode("utf-8"))
        return read_hub_config([str(tmp_path / name) for name in names or list(files)[:1]])

    return read_files


@pytest.mark.parametrize(
    "data, code",
    [
        (None, "config-unreadable"),
        (b"c = = 1\n", "config-syntax"),
        (b"c.A.b = '\0'\n", "config-syntax"),
        (b"(" * 3000, "config-syntax"),
        (b"c.A.b = '\xe9'\n", "config-syntax"),
    ],
)
def test_a_file_that_is_wrong(tmp_path, data, code):
    """The finding names the file, and no setting is known."""
    path = tmp_path / "config.py"
    if data is not None:
        path.write_bytes(data)
    config, (finding,) = read_hub_config([str(path)])
    assert not config.settings and not config.unread and not list(check_hub_config(config))
    assert str(config.computed["KerberosTicket.keytab"].place) == str(path)
    assert isinstance(finding, Finding) and (finding.code, finding.path) == (code, str(path))


@pytest.mark.parametrize(
    "data", [b"x = 1\nname = \n", b"x = 1\ny = '\xe9'\n", b"# coding: ascii\ny = '\xe9'\n"]
)
def test_the_line_of_a_syntax_error(read, data):
    """It is named, and that it is an error for this Python: the hub's may be another."""
    _, (finding,) = read({"config.py": data})
    message = finding.message
    assert message.startswith("line 2: ") and message.endswith(" (with this Python)")


def test_the_encoding_is_the_files_own(read):
    """As Python reads it: a coding line counts, a mark at the beginning too."""
    config, findings = read({"config.py": b"# -*- coding: latin-1 -*-\nc.A.b = '\xe9'\n"})
    assert (config.settings, findings) == ({"A.b": "\xe9"}, ())
    assert read({"config.py": b"\xef\xbb\xbfc.A.b = 1\r\n"})[0].settings == {"A.b": 1}


def test_a_file_is_read(read, tmp_path):
    """Its settings carry their place; without a file there are none, and no finding."""
    config, findings = read({"config.py": "\nc.A.b = 1\n"})
    path = str(tmp_path / "config.py")
    assert (config.settings, config.path, findings) == ({"A.b": 1}, path, ())
    assert config.place("A.b") == path + ":2"
    assert read_hub_config([os.path.relpath(path)]) == (config, ())
    assert read_hub_config([]) == (HubConfig(), ())


def test_later_files_count_more(read, tmp_path):
    """Each setting carries the place where it is set last."""
    files = {"a.py": "c.A.x = 1\nc.A.y = 1\n", "b.json": '{"A": {"x": 2}}'}
    config, findings = read(files, "a.py", "b.json")
    assert (config.settings, findings) == ({"A.x": 2, "A.y": 1}, ())
    assert config.place("A.x") == str(tmp_path / "b.json") + ":1"


def test_json_beside_a_file_is_read_after_it(read):
    """JupyterHub does that."""
    text = '{\n "KerberosTicket": {"timeout": 5},\n "Spawner": {\n  "environment": {"A": "b"}}}'
    config, findings = read({"hub.py": "c.KerberosTicket.timeout = 3\n", "hub.json": text})
    assert config.settings == {"KerberosTicket.timeout": 5, "Spawner.environment": {"A": "b"}}
    assert config.place("Spawner.environment").endswith("hub.json:4") and not findings


@pytest.mark.parametrize("text", ["{", "[]", '{"version": 2}', b"\xff"])
def test_json_that_is_wrong(read, text):
    """No setting is known."""
    config, (finding,) = read({"hub.json": text})
    assert not config.settings and "KerberosTicket.keytab" in config.computed
    assert finding.code == "config-syntax"


def test_load_subconfig(read, tmp_path):
    """An absolute name is followed, and so is one that is put together from __file__."""
    text = (
        "import os\nhere = os.path.dirname(__file__)\nc.A.x = 1\n"
        "load_subconfig(os.path.join(here, 'conf.d', 'a.py'))\nload_subconfig(%r)\nc.A.z = c.A.y\n"
    )
    files = {
        "config.py": text % str(tmp_path / "b.py"),
        "conf.d/a.py": "c.A.x = 2\nc.A.y = 2\nfrom x import *\n",
        "b.py": "c.A.y = 3\n",
    }
    config, findings = read(files)
    assert (config.settings, findings) == ({"A.x": 2, "A.y": 3, "A.z": 3}, ())
    assert config.place("A.x") == str(tmp_path / "conf.d/a.py") + ":1"
    assert [str(row.place) for row in config.unread] == [str(tmp_path / "conf.d/a.py") + ":3"]
    assert config.path == str(tmp_path / "config.py")


@pytest.mark.parametrize(
    "text, what",
    [
        ("load_subconfig('b.py')", "is read from the directory of this file; the hub"),
        ("load_subconfig('none.py')", "none.py; the hub ignores a missing"),
        ("load_subconfig('~/b.py')", "doctor does not expand $ and ~"),
        ("load_subconfig('a.py')", "the file loads itself"),
        ("load_subconfig('broken.py')", "the file is not read"),
        ("load_subconfig('b.py', path='relative')", "the directory is not an absolute path"),
    ],
)
def test_a_name_that_is_not_certain(read, text, what):
    """It is listed with its line."""
    files = {"a.py": "\n%s\n" % text, "b.py": "c.A.x = 1\n", "broken.py": "c = = 1\n"}
    config, findings = read(files)
    assert [row.place.line for row in config.unread] == [2]
    assert what in config.unread[0].what
    assert [row.code for row in findings] == (["config-syntax"] if "broken" in text else [])


def test_files_that_load_each_other(read):
    """Each is read once."""
    files = {"a.py": "load_subconfig('b.py')\nc.A.x = 1", "b.py": "load_subconfig('a.py')\n"}
    config, findings = read(files)
    assert config.settings == {"A.x": 1} and len(config.unread) == 2 and not findings


@ROOT_ONLY
@pytest.mark.parametrize("name", ["a.py", "b.py"])
def test_a_file_that_others_can_write(read, tmp_path, name):
    """Root does not read it, whether it is named or loaded."""
    files = {"a.py": "load_subconfig('b.py')\nc.A.x = 1\n", "b.py": "c.A.y = 1\n"}
    for one, text in files.items():
        (tmp_path / one).write_text(text)
    (tmp_path / name).chmod(0o666)
    config, (finding,) = read_hub_config([str(tmp_path / "a.py")])
    assert (finding.code, finding.path) == ("config-writable", str(tmp_path / name))
    assert config.settings == ({} if name == "a.py" else {"A.x": 1})


@ROOT_ONLY
def test_a_directory_that_others_can_write(tmp_path):
    """The finding names the file, and says which part of its path is open."""
    directory = tmp_path / "open"
    directory.mkdir()
    directory.chmod(0o777)
    (directory / "config.py").write_text("c.A.b = 1\n")
    _, (finding,) = read_hub_config([str(directory / "config.py")])
    assert finding.path == str(directory / "config.py")
    message = "users other than root can write %s (owner uid 0, mode 0777)"
    assert finding.message == message % directory
    assert "chown" not in str(finding.next) and "chmod" not in str(finding.next)
