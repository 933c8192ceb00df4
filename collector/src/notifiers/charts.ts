import { messageOf } from '@edgeward/shared/errors';
import type { Logger } from '@edgeward/shared/log';
import type { Live } from '../live.js';
import { drawPlot } from './chart-svg.js';
import { Painter } from './painter.js';
import { type PlotSpec, plotOf } from './plot.js';

/** As it is stored beside the mail that shows it. */
export interface StoredChart {
  /** Base64. */
  readonly png: string;
  readonly alt: string;
  /** As shown; the picture has more pixels than that. */
  readonly width: number;
  readonly height: number;
}

export interface ChartMaker {
  /** Undefined where there is nothing to draw, or it fails or takes longer: a mail is complete without. */
  chartOf(spec: PlotSpec, withinMs: number): Promise<StoredChart | undefined>;
}

/** What mail servers take without a murmur, and a thousand of them the store. */
const maxBytes = 256 * 1024;

/** Charts from the live history. */
export class Charts implements ChartMaker, AsyncDisposable {
  readonly #live: Pick<Live, 'get'>;
  readonly #log: Logger;
  readonly #painter = new Painter();

  constructor(live: Pick<Live, 'get'>, log: Logger) {
    this.#live = live;
    this.#log = log;
  }

  async chartOf(spec: PlotSpec, withinMs: number): Promise<StoredChart | undefined> {
    try {
      const plot = plotOf(spec, this.#live.get(spec.gateway, spec.device));
      if (!plot) return undefined;
      const { svg, ...rest } = drawPlot(plot);
      const png = await this.#painter.paint(svg, withinMs);
      if (png.length <= maxBytes) return { ...rest, png: Buffer.from(png).toString('base64') };
      this.#log.warn({ bytes: png.length, maxBytes }, 'a chart is too large: the mail goes without');
    } catch (error) {
      this.#log.warn({ reason: messageOf(error) }, 'a chart could not be drawn: the mail goes without');
    }
    return undefined;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#painter[Symbol.asyncDispose]();
  }
}
