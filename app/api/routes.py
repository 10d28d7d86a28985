"""What is beside the page: the doors for other programs, the one for the command line, and the guard before all."""

from __future__ import annotations

from starlette.middleware import Middleware
from starlette.routing import BaseRoute, Route

from app.api.control import control
from app.api.doors import Doors
from app.api.guard import Guard
from app.config import get_settings

ROUTES: list[BaseRoute] = [Route("/control/{name}", control, methods=["POST"]), Doors()]
MIDDLEWARE = [Middleware(Guard, settings=get_settings)]
