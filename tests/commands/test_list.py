"""``jhpatch list``: each patch, what it is for, and for which releases."""

from jhpatch.cli import main

LOGIN, OPEN = "jupyterhub/kerberos-login", "notebook/kerberos-open"


def test_a_patch_is_described_as_it_is_here(tmp_path, make_site, jhpatch):
    """By the edition that fits; where none does, by the newest one that changes something."""
    env = make_site(tmp_path, [("jupyterhub", "0.9.6"), ("notebook", "7.6.5")], slim=True)
    rows = {one["patch"]: one for one in jhpatch(env, "list").document["sites"][0]["patches"]}
    assert rows[LOGIN]["edition"] == "0.9.0-kerberos-login"
    assert "run_on_executor" in rows[LOGIN]["description"]
    assert rows[OPEN]["description"].startswith("obtain a Kerberos ticket when a notebook page")
    assert rows[OPEN]["versions"].startswith(">=5.0.0,<=5.4.1 | >=5.5.0,<=5.7.9 | ")


def test_a_person_sees_from_which_release_to_which(tmp_path, make_site, capsys):
    """A person gets the first and the last release, not 24 ranges."""
    env = make_site(tmp_path, [("jupyterhub", "0.9.6")], slim=True)
    assert main.main(["list", "--python", env.python]) == 0
    assert "%s\t0.8.0 to " % LOGIN in capsys.readouterr().out
