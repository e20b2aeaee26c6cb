"""A patch set as a wheel. Rename ``ourcompany`` here and the package beside this file."""

from setuptools import setup

setup(
    name="ourcompany-patches",
    version="1.0",
    packages=["ourcompany_patches"],
    # Patches, and the sources of their Adds rows.
    package_data={"ourcompany_patches": ["*/*"]},
    # jhpatch finds the package by this entry point and reads its directory. It imports nothing.
    entry_points={"jhpatch.patches": ["ourcompany = ourcompany_patches"]},
    install_requires=["jhpatch"],
    zip_safe=False,
)
