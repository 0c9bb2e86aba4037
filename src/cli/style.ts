/** Colour, where a terminal wants it: one meaning each, none without which the text could not be read. */
import picocolors from 'picocolors';

export interface Style {
  title(text: string): string;
  faint(text: string): string;
  /** Colour `text` by the verdict it speaks of. */
  verdict(verdict: string, text: string): string;
}

/** A style for a stream: NO_COLOR and FORCE_COLOR are honoured, and without a terminal there is no colour. */
export function styleFor(isTerminal: boolean, environment: Readonly<Record<string, string | undefined>>): Style {
  const forced = environment.FORCE_COLOR !== undefined && environment.FORCE_COLOR !== '0';
  const refused = (environment.NO_COLOR ?? '') !== '' || environment.TERM === 'dumb';
  const colours = picocolors.createColors(!refused && (forced || isTerminal));
  const byVerdict = new Map([
    ['reject', colours.red],
    ['drop', colours.red],
    ['malformed', colours.yellow],
    ['unsupported', colours.dim],
    ['observed', colours.dim],
  ]);
  return {
    title: colours.bold,
    faint: colours.dim,
    verdict: (verdict, text) => (byVerdict.get(verdict) ?? ((plain: string) => plain))(text),
  };
}
