/**
 * Rates as limit and hashlimit write them (libxt_limit.c, libxt_hashlimit.c): `COUNT[/UNIT]`.
 *
 * iptables keeps a rate as the time between two packets, in fractions of a second, rounded down, and prints it in the
 * largest unit that shows it without loss: `60/min` comes back as `1/sec`, `9999/sec` as `10000/sec`.
 */
import type { Rate, TimeUnit } from '../model.ts';
import { fail } from '../text/module.ts';
import { readIntegerText } from '../text/values.ts';
import type { Word } from '../text/words.ts';

/** Fractions of a second in which limit and hashlimit (revision 3) count. */
export const LIMIT_SCALE = 10_000;
export const HASHLIMIT_SCALE = 1_000_000;

const SECONDS: Readonly<Record<TimeUnit, number>> = { day: 86_400, hour: 3_600, min: 60, sec: 1 };
const UNITS: readonly (readonly [string, TimeUnit])[] = [
  ['second', 'sec'],
  ['minute', 'min'],
  ['hour', 'hour'],
  ['day', 'day'],
];

export const millisecondsOf = (unit: TimeUnit): number => SECONDS[unit] * 1000;

/** Read `5`, `5/s`, `5/sec`, `5/minute` and so on; a unit is any beginning of second, minute, hour or day. */
export function readRate(word: Word, scale: number): Rate {
  const slash = word.text.indexOf('/');
  const count = readIntegerText(word, slash < 0 ? word.text : word.text.slice(0, slash), 1, 0xffffffff);
  const unit = slash < 0 ? 'second' : word.text.slice(slash + 1).toLowerCase();
  const per = UNITS.find(([name]) => unit !== '' && name.startsWith(unit))?.[1];
  if (per === undefined) fail('ERR_RULE_VALUE', word, `'${word.text}' is no rate such as 5/sec`);
  if (count > SECONDS[per] * scale) fail('ERR_RULE_VALUE', word, `rate ${word.text} is too fast`);
  return { count, per };
}

/** The rate as iptables gives it back. */
export function normalRate(rate: Rate, scale: number): Rate {
  const period = Math.floor((SECONDS[rate.per] * scale) / rate.count);
  const units = Object.keys(SECONDS) as TimeUnit[];
  let per: TimeUnit = 'day';
  for (const unit of units.slice(1)) {
    const fractions = SECONDS[unit] * scale;
    if (period > fractions || Math.floor(fractions / period) < fractions % period) break;
    per = unit;
  }
  return { count: Math.floor((SECONDS[per] * scale) / period), per };
}

export function printRate(rate: Rate, scale: number): string {
  const { count, per } = normalRate(rate, scale);
  return `${count}/${per}`;
}
