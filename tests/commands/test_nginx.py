"""``jhpatch nginx``: one of its two actions is needed."""

from jhpatch.cli.main import main


def test_an_action_is_needed(capsys):
    """2, and the help that names them."""
    assert main(["nginx"]) == 2
    assert "nginx --help" in capsys.readouterr().err
