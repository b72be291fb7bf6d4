import { hash } from 'node:crypto';
import type { Finding, Report } from '../report.ts';
import { remedyParts } from './terminal.ts';

/** One page without anything from elsewhere: no script, one style that the policy names by its hash. */
export function html(report: Report): string {
  const { summary } = report;
  const policy = `default-src 'none'; style-src 'sha256-${hash('sha256', style, 'base64')}'; base-uri 'none'; form-action 'none'`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${escaped(policy)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>Check of ${escaped(report.target)}</title>
<style>${style}</style>
</head>
<body>
<main>
<h1>Check of <code>${escaped(report.target)}</code></h1>
<p>${summary.passed} passed, <strong>${summary.failed} failed</strong>, ${summary.notTested} not tested${summary.suppressed > 0 ? `, ${summary.suppressed} suppressed` : ''}. ${escaped(report.at)}, ${report.requests} requests in ${report.seconds} s.${report.incomplete === null ? '' : ` Not all was asked: ${escaped(report.incomplete)}.`}</p>
<h2>Before it goes live</h2>
<table>
${report.guide.map(({ number, text, verdict, because }) => `<tr class="${verdict}"><td>${number}</td><th scope="row">${escaped(text)}</th><td>${verdict}</td><td>${verdict === 'pass' ? '' : escaped(because)}</td></tr>`).join('\n')}
</table>
${report.findings.length === 0 ? '' : '<h2>Findings</h2>'}
${report.findings.map(section).join('\n')}
${report.expiredSuppressions.map(({ row, until, reason }) => `<p>The suppression of ${escaped(row)} ended on ${escaped(until)}: ${escaped(reason)}</p>`).join('\n')}
<h2>All rows</h2>
<table>
${report.rows.map(({ id, title, verdict, text, needs }) => `<tr class="${verdict}"><td>${id}</td><th scope="row">${escaped(title)}</th><td>${verdict.replace('-', ' ')}</td><td>${escaped(text)}${needs === null ? '' : `; give ${escaped(needs)}`}</td></tr>`).join('\n')}
</table>
<p>Not to be seen from outside: ${escaped(report.cannotBeSeen.join('; '))}.</p>
</main>
</body>
</html>
`;
}

function section({
  id,
  row,
  severity,
  title,
  problems,
  evidence,
  why,
  reference,
  remedy,
  suppressed,
}: Finding): string {
  return `<section id="${escaped(id)}">
<h3>${row} <span class="${severity}">${severity}</span> ${escaped(title)}${suppressed ? ' (suppressed)' : ''}</h3>
<ul>${problems.map(({ text }) => `<li>${escaped(text)}</li>`).join('')}</ul>
${suppressed ? `<p>Suppressed until ${escaped(suppressed.until)}: ${escaped(suppressed.reason)}</p>` : ''}
<p>${escaped(why)} <em>${escaped(reference)}</em></p>
${evidence.map(({ sent, received }) => `<details><summary>What was sent, and what came</summary><pre>${escaped(sent)}</pre><pre>${escaped(received)}</pre></details>`).join('\n')}
<dl>${remedyParts(remedy)
    .map(([label, text]) => `<dt>${label === '' ? 'Do' : escaped(label)}</dt><dd>${escaped(text)}</dd>`)
    .join('')}</dl>
</section>`;
}

/** For text and for attributes in double quotes: nowhere else does text of others stand. */
function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (one) => `&#${one.charCodeAt(0)};`);
}

const style = `
body { font: 16px/1.5 system-ui, sans-serif; margin: 0; color: #1a1c1f; background: #fff; }
main { max-width: 60rem; margin: 0 auto; padding: 1.5rem; }
table { border-collapse: collapse; width: 100%; }
td, th { text-align: left; vertical-align: top; padding: .3rem .6rem; border-bottom: 1px solid #d8dbe0; font-weight: normal; overflow-wrap: anywhere; }
td:nth-child(1), td:nth-child(3) { white-space: nowrap; overflow-wrap: normal; }
tr.fail td:nth-child(3), .critical, .high { color: #a4141e; font-weight: 600; }
.medium { color: #8a5200; font-weight: 600; }
tr.pass td:nth-child(3) { color: #14692b; }
pre { background: #f3f4f6; padding: .8rem; overflow-x: auto; white-space: pre-wrap; overflow-wrap: anywhere; }
dt { font-weight: 600; } dd { margin: 0 0 .4rem 1rem; }
section { border-top: 1px solid #d8dbe0; }
@media (prefers-color-scheme: dark) {
  body { color: #e6e8eb; background: #15171a; } pre { background: #212429; }
  td, th, section { border-color: #33373d; } tr.fail td:nth-child(3), .critical, .high { color: #ff8d94; }
  .medium { color: #ffc46b; } tr.pass td:nth-child(3) { color: #7ddb95; }
}
`;
