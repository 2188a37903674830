"""For tools that still look for setup.py; pyproject.toml says everything."""

from setuptools import setup

setup()
