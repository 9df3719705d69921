/** The text of `--help`: options, and every environment variable of the catalogue. */
import { ENVIRONMENT, FILE_VARIABLES, JSON_VARIABLES } from '../config/environment.js';
import { OPTIONS } from './arguments.js';

/** Columns of the text; the longest example of JSON just fits. */
const COLUMNS = 110;

/** Returns the text of `--help`. */
export function helpText(): string {
  const options = Object.entries(OPTIONS).map(([name, option]): [string, string] => [
    `${'short' in option ? `-${option.short}, ` : '    '}--${name}${'value' in option ? ` ${option.value}` : ''}`,
    option.help,
  ]);
  const variables = Object.entries(ENVIRONMENT.describe().fields).map(([name, field]): [string, string] => {
    const { fallback, help = '' } = 'meta' in field ? (field.meta ?? {}) : {};
    return [name, fallback === undefined ? help : `${help} [${fallback}]`];
  });
  const required = Object.entries(JSON_VARIABLES).map(([name, help]): [string, string] => [
    name,
    // The example on a line of its own, to be copied in one piece.
    help.replace(': {', ':\n{'),
  ]);
  const files = FILE_VARIABLES.map((name): [string, string] => [
    `${name}_FILE`,
    `File to read ${name} from, instead`,
  ]);
  return [
    'Usage: node server-a/dist/main.js [option]\n',
    'Serves until SIGTERM or SIGINT, if no option is given.\n',
    `Options:\n${table(options)}`,
    `Environment variables that are required, as JSON:\n${table(required)}`,
    `Environment variables that may be set [default]:\n${table(variables)}`,
    `Files instead of values, for instance mounted secrets:\n${table(files)}`,
    'Unless NODE_ENV is production, a file .env in the working directory is read as well; variables that\nare set win over it.\n',
  ].join('\n');
}

/** Two columns; what is too long for the second goes on below its beginning. */
function table(rows: readonly (readonly [string, string])[]): string {
  const width = Math.max(...rows.map(([name]) => name.length)) + 2;
  return rows
    .map(([name, text]) => {
      const [first = '', ...rest] = wrap(text, COLUMNS - 2 - width);
      const lines = [`${name.padEnd(width)}${first}`, ...rest.map((line) => ' '.repeat(width) + line)];
      return lines.map((line) => `  ${line}\n`).join('');
    })
    .join('');
}

function wrap(text: string, columns: number): string[] {
  return text.split('\n').flatMap((part) => wrapLine(part, columns));
}

function wrapLine(text: string, columns: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > columns) {
      lines.push(line);
      line = word;
    } else {
      line = line === '' ? word : `${line} ${word}`;
    }
  }
  return [...lines, line];
}
