/** Programs that start another: what they start gives the name. */
const launchers =
  /^(?:npx|bunx|pnpx|uvx|uv|pipx|run|exec|dlx|npm|pnpm|yarn|bun|deno|node|python[0-9.]*|tsx|sh|bash|env|docker)$/;
/** Parts of a path that say nothing about what it is. */
const meaningless = /^(?:dist|build|src|lib|bin|out|index|main|server|cli|\.)$/;

/** A name for what `protect` is put in front of, such as `filesystem`; `mcp` where nothing better can be read. */
export function guessServerName(
  target: { readonly command: readonly string[] } | { readonly url: string },
): string {
  return 'url' in target ? nameOfUrl(target.url) : nameOfCommand(target.command);
}

function nameOfUrl(url: string): string {
  const host = URL.canParse(url) ? new URL(url).hostname : '';
  return /^[\d.]+$|^\[|^localhost$|^$/.test(host) ? 'mcp' : asName(host.replace(/^(?:www|mcp)\./, ''));
}

function nameOfCommand(command: readonly string[]): string {
  const words = command.filter((word) => !word.startsWith('-') && !launchers.test(basename(word)));
  const parts = (words[0] ?? '').split(/[/\\]/).map((part) => part.replace(/\.(?:[cm]?[jt]s|py|exe)$/, ''));
  return asName(parts.filter((part) => part !== '' && !meaningless.test(part)).at(-1) ?? '');
}

function basename(word: string): string {
  return word.split(/[/\\]/).at(-1) ?? '';
}

function asName(text: string): string {
  const name = text
    .toLowerCase()
    .replace(/(?<=.)@[^@]*$/, '')
    .replace(/^(?:mcp-server-|server-|mcp-)/, '')
    .replace(/(?:-mcp-server|-mcp|-server)$/, '')
    .replace(/[^a-z0-9]+/g, '-')
    .slice(0, 40)
    .replace(/^-+|-+$/g, '');
  return name === '' ? 'mcp' : name;
}
