/**
 * Turns SVG into PNG, in a process of its own: that takes some 100 ms and 100 MB, of which a thread would give back
 * but a part when it ends. It ends with the collector.
 */
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
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

export interface ToPaint {
  readonly id: number;
  readonly svg: string;
}

const ready = prepare();

process.on('disconnect', () => process.exit());
process.on('message', async ({ id, svg }: ToPaint) => {
  try {
    answer({ id, png: paint(svg, await ready) });
  } catch (error) {
    answer({ id, error: messageOf(error) });
  }
});

function answer(painted: Painted): void {
  process.send!(painted);
}

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
