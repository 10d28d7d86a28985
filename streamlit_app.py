"""Hotswap's one process: the page, the HTTP doors and their shared service.

Started by ``python -m app serve`` or ``streamlit run streamlit_app.py``; both are the same server.
"""

import streamlit as st

from app.api.lifespan import lifespan
from app.api.routes import ROUTES
from app.config import ROOT

app = st.App(ROOT / "app" / "ui" / "main.py", routes=ROUTES, lifespan=lifespan)
