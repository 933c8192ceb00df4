import { theme } from './theme.js';
import type uPlot from './uPlot.esm.js';

/** What the marks follow; replaced with the data of the plot. */
export interface MarkState {
  anomaly: readonly boolean[];
  /** A dashed line at this time, seconds. */
  onset: number | undefined;
}

/** Flagged rows: a wash behind the lines and triangles along the top. Colour and shape both say it. */
export function anomalyMarks(state: MarkState): uPlot.Plugin {
  return {
    hooks: {
      drawClear: plot => drawWash(plot, state),
      draw: plot => {
        drawTriangles(plot, state);
        if (state.onset !== undefined) drawOnset(plot, state.onset);
      },
    },
  };
}

function drawWash(plot: uPlot, { anomaly }: MarkState): void {
  const { ctx, bbox } = plot;
  ctx.save();
  ctx.fillStyle = theme().alarmWash;
  for (const [from, through] of runs(anomaly)) {
    const left = clamp(plot, x(plot, from)) - 1;
    const right = clamp(plot, x(plot, through)) + 1;
    ctx.fillRect(left, bbox.top, right - left, bbox.height);
  }
  ctx.restore();
}

function drawTriangles(plot: uPlot, { anomaly }: MarkState): void {
  const { ctx, bbox } = plot;
  const size = 4.5 * devicePixelRatio;
  ctx.save();
  ctx.fillStyle = theme().alarm;
  let free = Number.NEGATIVE_INFINITY;
  anomaly.forEach((flagged, i) => {
    const at = x(plot, i);
    if (!flagged || at < free || at < bbox.left || at > bbox.left + bbox.width) return;
    free = at + 2.4 * size;
    ctx.beginPath();
    ctx.moveTo(at - size, bbox.top);
    ctx.lineTo(at + size, bbox.top);
    ctx.lineTo(at, bbox.top + 1.6 * size);
    ctx.fill();
  });
  ctx.restore();
}

function drawOnset(plot: uPlot, onset: number): void {
  const { ctx, bbox } = plot;
  const at = Math.round(plot.valToPos(onset, 'x', true));
  ctx.save();
  ctx.strokeStyle = theme().alarm;
  ctx.setLineDash([4 * devicePixelRatio, 3 * devicePixelRatio]);
  ctx.lineWidth = devicePixelRatio;
  ctx.beginPath();
  ctx.moveTo(at, bbox.top);
  ctx.lineTo(at, bbox.top + bbox.height);
  ctx.stroke();
  ctx.restore();
}

function x(plot: uPlot, i: number): number {
  return plot.valToPos(plot.data[0][i] ?? 0, 'x', true);
}

function clamp({ bbox }: uPlot, at: number): number {
  return Math.min(bbox.left + bbox.width, Math.max(bbox.left, at));
}

/** Stretches of flagged rows, as [first, last] index. */
function runs(flags: readonly boolean[]): [number, number][] {
  const found: [number, number][] = [];
  flags.forEach((flag, i) => {
    const last = found.at(-1);
    if (!flag) return;
    if (last && last[1] === i - 1) last[1] = i;
    else found.push([i, i]);
  });
  return found;
}
