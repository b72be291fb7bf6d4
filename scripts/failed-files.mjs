// A reporter for node --test: the files in which a test failed, one path a line.
// biome-ignore lint/style/noDefaultExport: the test runner takes the default export.
export default async function* failedFiles(source) {
  const named = new Set();
  for await (const { type, data } of source) {
    if (type !== 'test:fail' || data.file === undefined || named.has(data.file)) continue;
    named.add(data.file);
    yield `${data.file}\n`;
  }
}
