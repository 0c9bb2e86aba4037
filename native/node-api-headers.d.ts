/** Where the headers of Node's C interface are; the package says no types of its own. */
declare module 'node-api-headers' {
  export const include_dir: string;
}
