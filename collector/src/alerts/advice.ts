/** What to do, by pattern. Data only: the first entries that fit, most specific first, make the advice. */
import type { Incident, IncidentChannel } from './incident.js';

interface ChannelPattern {
  /** Against the field's name in lower-case words: `bearing temperature`. */
  readonly name: RegExp;
  readonly direction?: 'high' | 'low';
}

interface Advice {
  readonly detector?: 'rule' | 'quality' | 'drift' | 'surprise';
  readonly source?: string;
  /** Each must fit some channel. */
  readonly channels: readonly ChannelPattern[];
  readonly actions: readonly string[];
}

const high = (name: RegExp): ChannelPattern => ({ name, direction: 'high' });
const low = (name: RegExp): ChannelPattern => ({ name, direction: 'low' });
const any = (name: RegExp): ChannelPattern => ({ name });

const catalogue: readonly Advice[] = [
  {
    detector: 'drift',
    channels: [],
    actions: [
      'Check the sensor: recalibrated, replaced, moved, or slowly going wrong?',
      'Is this how the machine runs from now on (new product, load, season)? Then train its model anew with ' +
        '`edgeward train` on recent rows and bring it in.',
      'Until then trust its scores less: false alarms and missed ones are both more likely.',
    ],
  },
  {
    detector: 'quality',
    source: 'stuck',
    channels: [],
    actions: [
      'Check the sensor: its value has not moved although the machine runs. Look at wiring, supply and connector.',
      'Compare with a second instrument; until then do not trust what this channel says.',
    ],
  },
  {
    detector: 'quality',
    source: 'outOfRange',
    channels: [],
    actions: [
      'The value is physically impossible: check for a broken wire, a short circuit or a wrong scaling.',
      'Replace or recalibrate the sensor if its reading at rest is wrong too.',
    ],
  },
  {
    channels: [high(/(discharge|outlet|pump).*pressure/), low(/flow/)],
    actions: [
      'Look for a blockage downstream: is the discharge valve open, the filter or strainer clean?',
      'Reduce speed or stop the pump before it runs against a closed line for long: it overheats.',
    ],
  },
  {
    channels: [high(/flow/), low(/(discharge|outlet).*pressure/)],
    actions: [
      'Look for a leak or an open bypass behind the pump; walk the line from pump to tank.',
      'Compare what is pumped with what arrives: the difference is the leak.',
    ],
  },
  {
    channels: [low(/suction.*pressure/)],
    actions: ['Check the suction side: level, strainer, valve. Listen for cavitation.'],
  },
  {
    channels: [any(/vibration/), high(/(bearing|motor).*temperature/)],
    actions: [
      'Check the bearing: grease, noise, play. Plan its replacement; stop if vibration still rises.',
      'Check alignment and coupling before a new bearing goes in.',
    ],
  },
  {
    channels: [high(/vibration/)],
    actions: [
      'Check bearing, coupling, alignment and mounting bolts; compare with the last vibration survey.',
    ],
  },
  {
    channels: [high(/(bearing|motor|winding).*temperature/)],
    actions: ['Check cooling and lubrication, and whether the machine is overloaded.'],
  },
  {
    channels: [low(/voltage/)],
    actions: [
      'Check the supply: other devices on this feeder, tap changer, loose terminals.',
      'Spare motors the strain: at low voltage they draw more current and heat up.',
    ],
  },
  {
    channels: [high(/voltage/)],
    actions: ['Check the supply voltage at the feeder; protect sensitive loads.'],
  },
  {
    channels: [any(/frequency/)],
    actions: ['Ask the grid operator or check the generator: the frequency is not where it should be.'],
  },
  {
    channels: [high(/(room|product).*temperature/), high(/compressor.*(current|power)/)],
    actions: [
      'The compressor works but the room does not cool: check refrigerant charge, condenser and fans.',
      'Move sensitive goods if the product temperature nears its limit.',
    ],
  },
  {
    channels: [high(/(room|product|dock|evaporator).*temperature/)],
    actions: [
      'Is a door open or a defrost stuck? Check door, seals and evaporator for ice.',
      'Watch the product temperature: note how long it has been above its limit.',
    ],
  },
  { channels: [any(/humidity/)], actions: ['Check doors and defrost: moist air is getting in.'] },
  {
    channels: [low(/level/)],
    actions: ['Check the tank for a leak and its inflow; protect pumps from running dry.'],
  },
  { channels: [high(/level/)], actions: ['Check outflow and overfill protection of the tank.'] },
  {
    channels: [high(/(current|power)/)],
    actions: ['Check for mechanical drag or overload: the drive draws more than usual.'],
  },
  {
    channels: [low(/(current|power)/)],
    actions: ['Check whether the drive still has its load: broken coupling, dry running, an open contactor.'],
  },
  { channels: [low(/flow/)], actions: ['Check valves, filters and the pump on this line.'] },
  { channels: [any(/pressure/)], actions: ['Check valves and filters on this line; verify the gauge.'] },
  {
    detector: 'surprise',
    channels: [],
    actions: [
      'Look at the plot of the last days: is it a fault, or was something changed on purpose (load, set point, sensor)?',
      'What stays as it is now becomes usual by itself. Give limits that matter a rule, and machines a model: ' +
        '`edgeward train`.',
    ],
  },
  {
    detector: 'rule',
    channels: [],
    actions: ['A limit that was set for this device is broken: follow its procedure.'],
  },
];

const fallback = [
  'Look at the plot of the named channels and compare with a sister machine at the same load.',
  'If the machine was being worked on, the alarm may be harmless: note it on the incident.',
];

const maxActions = 4;

/** At most four actions, the most specific first; never none. */
export function adviceFor(incident: Pick<Incident, 'detector' | 'source' | 'channels'>): string[] {
  const channels = incident.channels.filter(channel => channel.weight >= 0.1);
  const fitting = catalogue.filter(advice => fits(advice, incident, channels));
  const actions = [...new Set(fitting.flatMap(advice => advice.actions))].slice(0, maxActions);
  return actions.length > 0 ? actions : fallback;
}

function fits(
  advice: Advice,
  { detector, source }: Pick<Incident, 'detector' | 'source'>,
  channels: readonly IncidentChannel[],
): boolean {
  if (advice.detector && advice.detector !== detector) return false;
  if (advice.source && advice.source !== source) return false;
  // A broken sensor says nothing of the machine, nor does a model that is out of date: no advice about the machine.
  if ((detector === 'quality' || detector === 'drift') && !advice.detector) return false;
  return advice.channels.every(pattern =>
    channels.some(
      channel =>
        pattern.name.test(words(channel.field)) &&
        (pattern.direction === undefined || pattern.direction === channel.direction),
    ),
  );
}

/** `bearingTemperature`, `bearing_temperature` and `Bearing-Temperature` are the same words. */
function words(name: string): string {
  return name
    .replaceAll(/([a-z0-9])([A-Z])/g, '$1 $2')
    .replaceAll(/[_.\-\s]+/g, ' ')
    .toLowerCase();
}
