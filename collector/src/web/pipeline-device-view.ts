import type { Field } from '@edgeward/shared/contracts';
import type { DeviceView } from '../views.js';
import { api, collectorNow } from './api.js';
import { ChartGroup } from './chart-group.js';
import { empty, h, heading, setText } from './dom.js';
import { age } from './format.js';
import { shownName } from './pipeline-columns.js';
import { everyMs } from './pipeline-view.js';
import { SeriesBuffer } from './series-buffer.js';
import type { OpenView } from './view.js';

/** As far back as the collector has it: an hour where there are few. */
const shownMs = 3_600_000;
const mostPoints = 720;

/** Delays are parts of each other; everything else stands by itself. */
const plotOf = ({ name }: Field) => (name.includes('delay') ? 'delays' : name);

/** `#/pipeline/<device>`: its rows over the last hour, read anew as often as the collector looks. */
export const pipelineDeviceView: OpenView = (_store, [device = '']) => {
  const body = h('div');
  const facts = h('p', { class: 'device-facts' });
  const note = h('p', { class: 'note', role: 'status' });
  const missing = empty(
    'This is not watched',
    'No such gateway or sink has been seen since the start. ',
    h('a', { href: '#/pipeline' }, 'Back to the pipeline.'),
  );
  const path = h(
    'nav',
    { class: 'crumbs', 'aria-label': 'Path' },
    h('a', { href: '#/pipeline' }, 'Pipeline'),
    ' / ',
    shownName(device),
  );
  let charts: ChartGroup | undefined;
  let timer: number | undefined;
  let isClosed = false;

  const open = (view: DeviceView) => {
    const plottable = view.fields.filter(field => view.last[field.name] !== undefined);
    charts = new ChartGroup({ fields: plottable, threshold: null, hasScore: false, plotOf });
    body.replaceChildren(charts.root);
  };
  const load = async () => {
    try {
      const [view] = await api.devices({ gateway: '_pipeline', device });
      if (isClosed) return;
      if (!view) {
        // It comes again with the next look after a start.
        charts?.destroy();
        charts = undefined;
        body.replaceChildren(missing);
      } else {
        if (!charts) open(view);
        const fields = view.fields.map(({ name }) => name);
        const end = view.lastRowMs;
        const query = { gateway: view.gateway, device, fields, fromMs: end - shownMs, toMs: end };
        const buffer = new SeriesBuffer(fields, shownMs);
        buffer.load(await api.series({ ...query, maxPoints: mostPoints }));
        if (isClosed) return;
        charts?.set(buffer.since(0), [Math.max(end - shownMs, buffer.firstMs ?? end - 60_000), end]);
        setText(facts, `${view.type.replace('pipeline-', '')}  ·  last look ${age(collectorNow() - end)}`);
      }
      setText(note, '');
    } catch (error) {
      setText(note, `The rows could not be loaded: ${error instanceof Error ? error.message : error}`);
    }
    if (!isClosed) timer = window.setTimeout(() => void load(), everyMs);
  };
  void load();
  return {
    title: shownName(device),
    root: h('div', {}, path, heading(shownName(device)), h('div', { class: 'bar' }, facts), note, body),
    update: changed => {
      if (changed.has('theme')) charts?.repaint();
    },
    close: () => {
      isClosed = true;
      window.clearTimeout(timer);
      charts?.destroy();
    },
  };
};
