"""Modules called `legacy_*` run in a process of their own, by `test_in_legacy_keras.py`."""

import os

collect_ignore_glob = [] if os.environ.get("TF_USE_LEGACY_KERAS") == "1" else ["legacy_*.py"]
