// Does the process in this container answer? For HEALTHCHECK: the images have no curl.
const url = process.env.EDGEWARD_HEALTH_URL ?? 'http://127.0.0.1:8080/healthz';
try {
  const response = await fetch(url, { signal: AbortSignal.timeout(4000) });
  // Whoever asks for a password answers.
  process.exitCode = response.ok || response.status === 401 ? 0 : 1;
} catch (error) {
  console.error(`${url}: ${error.cause?.message ?? error.message}`);
  process.exitCode = 1;
}
