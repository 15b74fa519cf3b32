# The LiteLLM proxy, with the same packages that `make up` installs, pinned by hash.

FROM python:3.11-slim AS packages
COPY stack/requirements/litellm.txt /requirements.txt
RUN python3 -m venv /opt/litellm \
 && /opt/litellm/bin/pip --disable-pip-version-check install --no-cache-dir --no-deps --require-hashes --only-binary :all: \
    -r /requirements.txt

FROM python:3.11-slim
COPY --from=packages /opt/litellm /opt/litellm
COPY deploy/litellm /app/deploy/litellm
COPY --chmod=755 deploy/docker/litellm /usr/local/bin/litellm-proxy
# The same user and group ids as `node` in the services' image, because both read /config.
RUN groupadd --gid 1000 litellm && useradd --uid 1000 --gid 1000 --create-home litellm
USER litellm
WORKDIR /tmp
ENV HOME=/tmp PYTHONUNBUFFERED=1 NO_COLOR=1 LITELLM_LOCAL_MODEL_COST_MAP=True LITELLM_MODE=PRODUCTION LITELLM_TELEMETRY=False \
    LITELLM_LOG=WARNING LITELLM_DONT_SHOW_FEEDBACK_BOX=true DISABLE_ADMIN_UI=True
EXPOSE 4000
HEALTHCHECK --interval=10s --timeout=5s --start-period=120s --start-interval=2s \
  CMD ["/opt/litellm/bin/python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:4000/health/readiness', timeout=4)"]
ENTRYPOINT ["litellm-proxy"]
