import { statfs } from 'node:fs/promises';
import type { Metrics } from './metrics.js';

/** The file system that holds the data: nothing else tells it before it is full. */
export function addDiskMetrics(metrics: Metrics, process: string, folder: () => string): void {
  let disk: { readonly freeBytes: number; readonly sizeBytes: number } | undefined;
  metrics.prepare(async () => {
    const { bavail, blocks, bsize } = await statfs(folder());
    disk = { freeBytes: bavail * bsize, sizeBytes: blocks * bsize };
  });
  metrics.gauge(
    `${process}_disk_free_bytes`,
    'What may be written to the file system of dataDir',
    () => disk?.freeBytes,
  );
  metrics.gauge(`${process}_disk_size_bytes`, 'Size of that file system', () => disk?.sizeBytes);
}
