# An agent as a container, not root, for a read-only root. Build it from the repository's folder:
#   docker build -f deploy/docker/agent.Dockerfile -t edgeward-agent .
#   docker run --init --read-only -v edgeward:/var/lib/edgeward -v ./agent.yaml:/etc/edgeward/agent.yaml:ro edgeward-agent
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
RUN rm -r collector test \
 && npm pkg set --json 'workspaces=["shared","models","simulators","agent"]' \
 && npm prune --omit=dev --loglevel=error \
 && find node_modules/onnxruntime-node/bin -mindepth 2 -maxdepth 2 ! -name linux -exec rm -r {} + \
 && mkdir /app \
 && cp -a --parents node_modules package.json shared/package.json shared/dist models/package.json models/dist \
      models/bundles simulators/package.json simulators/dist simulators/recordings agent/package.json agent/bin \
      agent/dist /app

FROM ${NODE_IMAGE}
# As deploy/README.md says for small boxes.
ENV NODE_ENV=production MALLOC_ARENA_MAX=1 UV_THREADPOOL_SIZE=2
COPY --from=files /app /app
COPY deploy/docker/health.mjs /app/
RUN install -d -o 1000 -g 1000 /var/lib/edgeward
WORKDIR /var/lib/edgeward
VOLUME /var/lib/edgeward
USER 1000:1000
STOPSIGNAL SIGTERM
# It listens nowhere until it is told to, so there is no HEALTHCHECK here. With metrics.port 9187:
#   --health-cmd "node /app/health.mjs" -e EDGEWARD_HEALTH_URL=http://127.0.0.1:9187/metrics
ENTRYPOINT ["node", "--max-semi-space-size=1", "--optimize-for-size", "--v8-pool-size=1", "/app/agent/bin/edgeward.js"]
CMD ["agent", "-c", "/etc/edgeward/agent.yaml"]
