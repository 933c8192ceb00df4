import { h, setAttribute } from './dom.js';
import { count } from './format.js';
import { lagSeconds, type Spark, sparkRows } from './store.js';
import { theme } from './theme.js';

const width = 132;
const height = 26;

/** A small line of scores with the threshold; flagged rows are red and have a tick below. */
export function sparkCanvas(): HTMLCanvasElement {
  const canvas = h('canvas', { class: 'spark', role: 'img' });
  const ratio = window.devicePixelRatio || 1;
  canvas.width = width * ratio;
  canvas.height = height * ratio;
  return canvas;
}

export function drawSpark(
  canvas: HTMLCanvasElement,
  spark: Spark | undefined,
  threshold: number | null,
): void {
  const context = canvas.getContext('2d');
  if (!context) return;
  const { muted, line, alarm } = theme();
  const ratio = canvas.width / width;
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  const y = (value: number) => height - 3 - value * (height - 6);
  if (threshold !== null)
    stroke(
      context,
      line,
      [3, 3],
      [
        [0, y(threshold)],
        [width, y(threshold)],
      ],
    );
  const scores = spark?.score ?? [];
  // The newest stands at the right edge.
  const x = (i: number) => width - 2 - ((scores.length - 1 - i) / sparkRows) * width;
  const points = scores.map((value, i): Point | null => (value === null ? null : [x(i), y(value)]));
  stroke(context, muted, [], points);
  points.forEach((point, i) => {
    if (point && spark?.anomaly[i]) mark(context, alarm, point);
  });
  setAttribute(canvas, 'aria-label', label(spark));
}

/** The same size, for rows that a sink lags behind. */
export const lagCanvas = sparkCanvas;

/** A value a second. */
export function drawLag(canvas: HTMLCanvasElement, lags: readonly number[]): void {
  const highest = lags.length > 0 ? Math.max(...lags) : 0;
  const label = `Lag of the last ${lags.length} s; at most ${count(highest)} rows`;
  drawTrend(canvas, lags, lagSeconds, label, 1);
}

/**
 * The newest at the right edge; as high as the highest of them.
 * @param room   for so many values
 * @param least  a line that stays below it does not fill the height
 */
export function drawTrend(
  canvas: HTMLCanvasElement,
  values: readonly number[],
  room: number,
  label: string,
  least = Number.MIN_VALUE,
): void {
  const context = canvas.getContext('2d');
  if (!context) return;
  const { accent, line } = theme();
  const ratio = canvas.width / width;
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  const base = height - 2.5;
  stroke(
    context,
    line,
    [],
    [
      [0, base],
      [width, base],
    ],
  );
  const most = Math.max(least, ...values);
  const x = (i: number) => width - 2 - ((values.length - 1 - i) / room) * width;
  const points = values.map((value, i): Point => [x(i), base - (value / most) * (height - 6)]);
  stroke(context, accent, [], points);
  setAttribute(canvas, 'aria-label', label);
}

type Point = readonly [number, number];

function stroke(
  context: CanvasRenderingContext2D,
  colour: string,
  dash: number[],
  points: readonly (Point | null)[],
): void {
  context.strokeStyle = colour;
  context.lineWidth = 1.25;
  context.setLineDash(dash);
  context.beginPath();
  let drawing = false;
  for (const point of points) {
    if (point && drawing) context.lineTo(...point);
    else if (point) context.moveTo(...point);
    drawing = point !== null;
  }
  context.stroke();
}

function mark(context: CanvasRenderingContext2D, colour: string, [x, y]: Point): void {
  context.fillStyle = colour;
  context.fillRect(x - 0.75, y - 0.75, 1.5, 1.5);
  context.fillRect(x - 0.5, height - 4, 1, 4);
}

function label(spark: Spark | undefined): string {
  const flagged = spark?.anomaly.filter(Boolean).length ?? 0;
  return flagged > 0
    ? `Scores of the last rows; ${flagged} flagged`
    : 'Scores of the last rows; none flagged';
}
