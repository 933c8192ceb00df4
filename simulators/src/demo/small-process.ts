/**
 * How node is started for an agent that reads a few rows a second: one malloc arena, a short young generation, few
 * threads, and no compilers. Interpreted, such an agent takes as little CPU as compiled, and node's pages with the
 * compilers and the code they would make stay out of memory (8 MB on Node 20, 10 on 22 and 24). For a busy agent,
 * leave `compilers` out.
 */
const compilers = ['--no-opt', '--no-maglev', '--no-sparkplug'];

export const smallProcess = {
  nodeFlags: ['--max-semi-space-size=1', '--optimize-for-size', '--v8-pool-size=1', ...compilers],
  env: { MALLOC_ARENA_MAX: '1', UV_THREADPOOL_SIZE: '2' },
} as const;
