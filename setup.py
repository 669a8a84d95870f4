"""All settings are in setup.cfg; this file lets tools that look for it find them."""

from setuptools import setup

setup()
