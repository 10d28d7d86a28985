"""The large libraries, imported, and models loaded with them, by one thread at a time.

Modules of transformers, torch and vLLM import each other in circles. Python lets a second thread that meets such a
circle in the middle have half a module rather than wait for ever, and then a name is missing from it: the model of the
search, loaded in the background, and an engine that is switched to at the same moment met like that. While it loads a
model, transformers replaces methods of its own classes; what a second thread puts back then is the replacement.
"""

from __future__ import annotations

import threading

IMPORTING = threading.RLock()
"""Held around the first import of such a library, and while a model is loaded by transformers."""
