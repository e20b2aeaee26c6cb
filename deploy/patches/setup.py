"""A patch set as a wheel. Rename ``ourcompany`` in this file, and the package beside it."""

from setuptools import setup

setup(
    name="ourcompany-patches",
    version="1.0",
    packages=["ourcompany_patches"],
    # The patches, and the sources of the files that they add (``Adds`` in their headers).
    package_data={"ourcompany_patches": ["*/*"]},
    # jhpatch finds the package by this entry point, and reads its directory without importing it.
    entry_points={"jhpatch.patches": ["ourcompany = ourcompany_patches"]},
    install_requires=["jhpatch"],
    zip_safe=False,
)
