/** Nanoseconds since 1970 as the date and time of day in UTC, as tcpdump -tttt writes them with TZ=UTC. */
const NANOSECONDS_PER_SECOND = 1_000_000_000n;
/** What a Date can hold. */
const LAST_SECOND = 8_640_000_000_000n;

/** `2026-11-22 21:34:12.123456`, with 6 or 9 figures behind the second; bare seconds where no calendar reaches. */
export function timestampText(nanoseconds: string, digits: 6 | 9): string {
  const total = BigInt(nanoseconds);
  const rest = ((total % NANOSECONDS_PER_SECOND) + NANOSECONDS_PER_SECOND) % NANOSECONDS_PER_SECOND;
  const seconds = (total - rest) / NANOSECONDS_PER_SECOND;
  const fraction = String(rest).padStart(9, '0').slice(0, digits);
  if (seconds > LAST_SECOND || seconds < -LAST_SECOND) return `${seconds}.${fraction}`;
  const date = new Date(Number(seconds) * 1000).toISOString();
  return `${date.slice(0, -5).replace('T', ' ')}.${fraction}`;
}
