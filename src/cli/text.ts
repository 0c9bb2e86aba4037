/**
 * Text for people: untrusted words made harmless, numbers made short, columns aligned.
 *
 * Names come from captures, rules and foundations, and so from whoever wrote those. Everything that could move the
 * cursor, colour the screen, forge a line or turn the reading direction is printed as an escape (`\x1b`, `\u{202e}`).
 */

/** C0 and C1 controls, DEL, line and paragraph separators, marks that reorder text, and lone surrogates. */
const HARMFUL =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this looks for
  /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;

/** `text` with every character that could do more than be read replaced by its escape. */
export const printable = (text: string): string =>
  text.replace(HARMFUL, (character) => {
    const code = character.charCodeAt(0);
    return code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u{${code.toString(16)}}`;
  });

/** `text` cut to `width` characters, the last one an ellipsis where something was cut. */
export const shorten = (text: string, width: number): string =>
  text.length <= width ? text : `${text.slice(0, Math.max(0, width - 1))}…`;

/** A count with thin thousands: 1234567 is `1,234,567`. Never depends on the locale. */
export const count = (value: number): string => String(value).replace(/\B(?=(\d{3})+$)/g, ',');

const UNITS = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];

/** Octets in decimal units, three figures: `980 B`, `12.3 kB`. */
export function octets(value: number): string {
  let unit = 0;
  let scaled = value;
  while (scaled >= 999.5 && unit < UNITS.length - 1) {
    scaled /= 1000;
    unit += 1;
  }
  return unit === 0 ? `${scaled} B` : `${scaled < 99.95 ? scaled.toFixed(1) : scaled.toFixed(0)} ${UNITS[unit]}`;
}

/** A share as `12.3%`; `-` of nothing. */
export const share = (part: number, whole: number): string =>
  whole === 0 ? '-' : `${((part / whole) * 100).toFixed(1)}%`;

/** Nanoseconds as seconds with the figures that matter: `0.000310 s`, `12.5 s`. */
export function seconds(nanoseconds: number): string {
  const value = nanoseconds / 1e9;
  if (value >= 100) return `${value.toFixed(0)} s`;
  return value >= 1 ? `${value.toFixed(3)} s` : `${value.toFixed(6)} s`;
}

export interface Column {
  readonly title: string;
  readonly align: 'left' | 'right';
  /** Narrowest this column may become when the table is too wide; columns without one keep their width. */
  readonly least?: number;
}

/**
 * Rows as lines of at most `width` characters: cells are padded to their column, the columns that may shrink do so
 * evenly, and the last column is not padded.
 */
export function table(columns: readonly Column[], rows: readonly (readonly string[])[], width: number): string[] {
  const widths = columns.map((column, index) =>
    Math.max(column.title.length, ...rows.map((row) => row[index]?.length ?? 0)),
  );
  const gaps = 2 * (columns.length - 1);
  let excess = widths.reduce((sum, one) => sum + one, gaps) - width;
  while (excess > 0) {
    const widest = widestShrinkable(columns, widths);
    if (widest < 0) break;
    widths[widest]! -= 1;
    excess -= 1;
  }
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, index) => {
        const text = shorten(cell, widths[index]!);
        return columns[index]!.align === 'right' ? text.padStart(widths[index]!) : text.padEnd(widths[index]!);
      })
      .join('  ')
      .trimEnd();
  return [line(columns.map((column) => column.title)), ...rows.map(line)];
}

function widestShrinkable(columns: readonly Column[], widths: readonly number[]): number {
  let widest = -1;
  for (const [index, column] of columns.entries()) {
    if (column.least === undefined || widths[index]! <= column.least) continue;
    if (widest < 0 || widths[index]! > widths[widest]!) widest = index;
  }
  return widest;
}
