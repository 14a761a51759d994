# SPDX-License-Identifier: GPL-2.0-or-later
"""Sphinx configuration: sphinx-build -W docs build/docs"""
import re
from pathlib import Path

project = "hotslot"
author = "the hotslot developers"
copyright = "the hotslot developers"
release = re.search(r"version: '([^']+)'",
                    (Path(__file__).parent.parent / "meson.build").read_text()).group(1)
version = release
master_doc = "index"
# Included by the pages of the same room.
exclude_patterns = ["devel/performance-disk-figures.rst", "devel/performance-figures.rst",
                    "interop/vhost-user-tables.rst"]
html_theme = "alabaster"
html_theme_options = {"description": "memory hot-add without the limit of eight",
                      "page_width": "70em"}
html_static_path = []
highlight_language = "none"
