"""Fetches models to this machine, lists what is here, removes one: ``python download_model.py --help``."""

from __future__ import annotations

import sys

from app.cli.download import main

if __name__ == "__main__":
    sys.exit(main())
