/** Colours for canvases, which cannot use CSS variables. Read again when the colour scheme changes. */
export interface Theme {
  readonly ink: string;
  readonly muted: string;
  readonly line: string;
  readonly panel: string;
  readonly accent: string;
  readonly alarm: string;
  readonly alarmWash: string;
  readonly channels: readonly string[];
}

let current: Theme | undefined;

export function theme(): Theme {
  current ??= read();
  return current;
}

export function onThemeChange(listener: () => void): void {
  window.matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
    current = undefined;
    listener();
  });
}

function read(): Theme {
  const style = getComputedStyle(document.documentElement);
  const get = (name: string) => style.getPropertyValue(name).trim();
  return {
    ink: get('--ink'),
    muted: get('--muted'),
    line: get('--line'),
    panel: get('--panel'),
    accent: get('--accent'),
    alarm: get('--alarm'),
    alarmWash: get('--alarm-wash'),
    channels: [1, 2, 3, 4, 5, 6].map(n => get(`--channel-${n}`)),
  };
}
