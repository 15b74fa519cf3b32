# One image for all services and the operator's command line. Examples: `docker run turnout router`,
# `docker run turnout operator rollout status`. The target `simulator` adds the simulated provider. No image contains other test code.

FROM node:24-slim AS modules
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund && npm cache clean --force

FROM node:24-slim AS turnout
WORKDIR /app
COPY --from=modules /app/node_modules node_modules
COPY package.json ./
COPY shared shared
COPY services services
COPY operator operator
COPY stack stack
COPY deploy/litellm deploy/litellm
COPY deploy/assistants deploy/assistants
COPY deploy/policy.yaml deploy/policy.yaml
COPY .env.example ./
COPY --chmod=755 deploy/docker/turnout deploy/docker/healthy /usr/local/bin/
# New volumes take over the owner of these folders.
RUN mkdir /config /blobs && chown node:node /config /blobs
USER node
# Every service reads a `.env` file in the working folder. Variables of the container override it.
WORKDIR /config
ENV NODE_ENV=production HOST=0.0.0.0 PORT=8080 BLOB_DIR=/blobs API_KEYS_FILE=/config/api-keys.json \
    ASSISTANTS_DIR=/app/deploy/assistants POLICY_FILE=/app/deploy/policy.yaml
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --start-interval=1s CMD ["healthy"]
ENTRYPOINT ["turnout"]

FROM turnout AS simulator
COPY test/upstream /app/test/upstream
ENV PORT=14010 HEALTH_PATH=/livez
CMD ["simulator"]

FROM turnout
