"""Packaging of jhpatch. ``patches/`` lies beside the package and is mapped into it."""

import os
import re

from setuptools import find_packages, setup

HERE = os.path.dirname(os.path.abspath(__file__))


def read(name):
    """The text of a file beside this one."""
    with open(os.path.join(HERE, name), encoding="utf-8") as file:
        return file.read()


def version():
    """``__version__`` as ``jhpatch/__init__.py`` has it, read and not imported."""
    text = read(os.path.join("jhpatch", "__init__.py"))
    return re.search(r'^__version__ = "([^"]+)"$', text, re.MULTILINE).group(1)


# The caps are the newest releases that patches/ knows, and the floors the oldest of
# the same editions: what pip picks can be patched (tests/test_newest_releases.py compares).
# Python 3.7 to 3.9 have no stack here yet: pip says so rather than install nothing.
NEW = 'python_version >= "3.7"'
OLD = 'python_version < "3.7"'
JUPYTER = [
    "jupyterhub>=6.1.0,<=6.1.1; " + NEW,
    "notebook>=7.0.0,<=7.6.5; " + NEW,
    "jupyter_server>=2.18.0,<=2.21.1; " + NEW,
    "jupyterlab>=4.0.0,<=4.6.6; " + NEW,
    "jupyterhub>=0.9.0,<=0.9.6; " + OLD,
    "notebook>=5.5.0,<=5.7.9; " + OLD,
    "jupyterlab>=1.0.0,<=2.3.2; " + OLD,  # the last that runs on notebook's own server
    # JupyterHub 0.9 and notebook 5 name no upper bounds, and break on what came later.
    "sqlalchemy<1.4; " + OLD,
    "alembic<1.5; " + OLD,
    "tornado<6; " + OLD,
    "jinja2<3; " + OLD,
    "markupsafe<2; " + OLD,
]
NGINX = ["crossplane>=0.5.8"]  # `nginx check` reads configurations with it
TEST = [
    "build",
    "ipykernel",  # for kernelspec: with jupyter_client
    "pytest",
    "pytest-timeout",
    "requests",
    'rich; python_version >= "3.8"',
    'shtab>=1.8; python_version >= "3.9"',
    'selenium>=4.12,<5; python_version >= "3.9"',
    "tornado<5; " + OLD,  # what the helper's oldest hosts run on
    "tornado; " + NEW,
    "traitlets",
    "websocket-client",
]

setup(
    name="jhpatch",
    version=version(),
    description="Kerberos tickets that stay alive in JupyterHub notebooks, by verified and "
    "reversible patches to the installed servers",
    long_description=read("README.md"),
    long_description_content_type="text/markdown",
    license="BSD-3-Clause",
    license_files=["LICENSE"],
    author="The jhpatch contributors",
    python_requires=">=3.6",
    packages=find_packages(HERE, include=["jhpatch", "jhpatch.*"]) + ["jhpatch.patches"],
    package_dir={"jhpatch.patches": "patches"},
    package_data={
        "jhpatch": ["completions/*"],
        "jhpatch.deployed": ["*.png"],
        "jhpatch.patches": ["*.md", "*/*.patch"],
    },
    zip_safe=False,  # the catalog reads patches/ as files
    install_requires=[
        "patch-ng>=1.18",  # 1.17.0 does not check the last line of a hunk
        "packaging",
    ],
    extras_require={
        "jupyter": JUPYTER,
        "nginx": NGINX,
        "terminal": ["rich"],
        "test": TEST + NGINX,
    },
    entry_points={"console_scripts": ["jhpatch = jhpatch.__main__:main"]},
    classifiers=[
        "Development Status :: 4 - Beta",
        "Environment :: Console",
        "Framework :: Jupyter",
        "Intended Audience :: System Administrators",
        # setuptools 59 writes no License-Expression (PEP 639): this is what an index reads.
        "License :: OSI Approved :: BSD License",
        "Operating System :: POSIX :: Linux",
        "Programming Language :: Python :: 3",
        "Programming Language :: Python :: 3 :: Only",
        "Programming Language :: Python :: 3.6",
        "Programming Language :: Python :: 3.7",
        "Programming Language :: Python :: 3.8",
        "Programming Language :: Python :: 3.9",
        "Programming Language :: Python :: 3.10",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Topic :: System :: Systems Administration :: Authentication/Directory",
    ],
)
