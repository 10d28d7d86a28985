"""Hotswap's one process: the page, the HTTP doors and their shared service.

Started by ``python -m app serve`` or ``streamlit run streamlit_app.py``; both are the same server.
"""

import streamlit as st
from streamlit import net_util

from app.api.lifespan import lifespan
from app.api.routes import MIDDLEWARE, ROUTES
from app.config import ROOT

# To a page from elsewhere that knocks here, Streamlit would ask the network for this machine's addresses and compare.
net_util.get_internal_ip = net_util.get_external_ip = lambda: None

app = st.App(ROOT / "app" / "ui" / "main.py", routes=ROUTES, middleware=MIDDLEWARE, lifespan=lifespan)
