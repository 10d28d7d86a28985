# syntax=docker/dockerfile:1
# The app: page and HTTP doors on port 8501, everything it writes in /data. docs/deployment.md
#   docker build -t hotswap .
# --build-arg TORCH_INDEX= takes torch's ordinary build, much larger, for an engine that uses a GPU inside the app.
FROM python:3.12-slim-bookworm AS build
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
WORKDIR /opt/hotswap
COPY requirements.txt constraints.txt ./
COPY tools tools
RUN PIP_NO_CACHE_DIR=1 python -m tools.setup_env

FROM python:3.12-slim-bookworm
RUN groupadd --gid 10001 hotswap \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /data --shell /usr/sbin/nologin hotswap \
    && install -d -o hotswap -g hotswap -m 700 /data
WORKDIR /opt/hotswap
COPY --from=build /opt/hotswap/.venv .venv
COPY . .
RUN .venv/bin/python -m compileall -q app streamlit_app.py download_model.py
ENV PATH=/opt/hotswap/.venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    DATA_DIR=/data
USER 10001:10001
VOLUME /data
EXPOSE 8501
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import http.client as h; c = h.HTTPConnection('127.0.0.1', 8501, timeout=4); c.request('GET', '/health/live'); raise SystemExit(c.getresponse().status != 200)"]
CMD ["python", "-m", "app", "serve", "--host", "0.0.0.0", "--port", "8501", "--headless"]
