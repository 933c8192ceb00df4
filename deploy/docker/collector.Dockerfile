# The collector as a container, not root, for a read-only root. Build it from the repository's folder:
#   docker build -f deploy/docker/collector.Dockerfile -t edgeward-collector .
#   docker run --init --read-only -v edgeward:/var/lib/edgeward -v ./collector.yaml:/etc/edgeward/collector.yaml:ro edgeward-collector
ARG NODE_IMAGE=node:22.20.0-bookworm-slim

FROM ${NODE_IMAGE} AS build
WORKDIR /src
# What is installed changes less often than what is built: a layer of its own.
COPY package.json package-lock.json .npmrc tsconfig.base.json ./
COPY shared/package.json shared/
COPY models/package.json models/
COPY simulators/package.json simulators/
COPY agent/package.json agent/
COPY collector/package.json collector/
COPY test/package.json test/
# .npmrc forbids install scripts: what is native comes inside its package.
RUN npm ci --loglevel=error
COPY scripts scripts
COPY shared shared
COPY models models
COPY simulators simulators
COPY agent agent
COPY collector collector
RUN node node_modules/typescript/bin/tsc -b agent collector collector/src/web \
 && node -e "import('./scripts/steps.mjs').then(steps => steps.copyPage())" \
 && find . -path ./node_modules -prune -o -path '*/dist/*.test.*' -exec rm {} +

FROM build AS files
# Without what only the other programs and the tests need.
RUN rm -r agent simulators test \
 && npm pkg set --json 'workspaces=["shared","models","collector"]' \
 && npm prune --omit=dev --loglevel=error \
 && find node_modules/onnxruntime-node/bin -mindepth 2 -maxdepth 2 ! -name linux -exec rm -r {} + \
 && mkdir /app \
 && cp -a --parents node_modules package.json shared/package.json shared/dist models/package.json models/dist \
      models/bundles collector/package.json collector/bin collector/catalogue collector/fonts collector/dist /app

FROM ${NODE_IMAGE}
ENV NODE_ENV=production
COPY --from=files /app /app
COPY deploy/docker/health.mjs /app/
RUN install -d -o 1000 -g 1000 /var/lib/edgeward
WORKDIR /var/lib/edgeward
VOLUME /var/lib/edgeward
USER 1000:1000
EXPOSE 1883 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s CMD ["node", "/app/health.mjs"]
ENTRYPOINT ["node", "/app/collector/bin/edgeward.js"]
CMD ["collector", "-c", "/etc/edgeward/collector.yaml"]
