/** Turns SVG into PNG in a thread of its own: that takes up to 200 ms, and 60 MB that go when the thread ends. */
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { parentPort } from 'node:worker_threads';
import { messageOf } from '@edgeward/shared/errors';
import { initWasm, Resvg } from '@resvg/resvg-wasm';

/** Pixels for one unit of the drawing, for sharp lines on phones. */
const zoom = 2.5;
const fontFile = new URL('../../fonts/DejaVuSans-subset.ttf', import.meta.url);

export interface Painted {
  readonly id: number;
  readonly png?: Uint8Array;
  readonly error?: string;
}

const port = parentPort!;
const ready = prepare();

port.on('message', async ({ id, svg }: { id: number; svg: string }) => {
  try {
    const png = paint(svg, await ready);
    port.postMessage({ id, png } satisfies Painted);
  } catch (error) {
    port.postMessage({ id, error: messageOf(error) } satisfies Painted);
  }
});

async function prepare(): Promise<Uint8Array> {
  const { resolve } = createRequire(import.meta.url);
  await initWasm(await readFile(resolve('@resvg/resvg-wasm/index_bg.wasm')));
  return readFile(fontFile);
}

function paint(svg: string, font: Uint8Array): Uint8Array {
  const fonts = { fontBuffers: [font], loadSystemFonts: false, defaultFontFamily: 'DejaVu Sans' };
  const drawing = new Resvg(svg, { fitTo: { mode: 'zoom', value: zoom }, font: fonts });
  try {
    const image = drawing.render();
    try {
      return image.asPng();
    } finally {
      image.free();
    }
  } finally {
    drawing.free();
  }
}
