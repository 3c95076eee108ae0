//! The style sheet of the page that `--html` writes: one column that fits a phone, light and dark.

/// The whole style sheet. Colour never says alone how bad something is: the word stands beside it.
pub(super) const SHEET: &str = "
:root { color-scheme: light dark; --ink: #1b1f24; --soft: #57606a; --paper: #ffffff; --card: #f6f8fa;
  --line: #d0d7de; --ok: #1a7f37; --warning: #9a6700; --critical: #cf222e; --unknown: #8250df; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --soft: #9198a1; --paper: #0d1117;
  --card: #161b22; --line: #30363d; --ok: #3fb950; --warning: #d29922; --critical: #f85149;
  --unknown: #ab7df8; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 60rem; padding: 1rem; background: var(--paper); color: var(--ink);
  font: 1rem/1.45 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.4rem; margin: .5rem 0; }
h2 { font-size: 1.15rem; margin: 0; }
h3 { font-size: 1rem; margin: 1rem 0 .25rem; }
p { margin: .25rem 0; }
a { color: inherit; }
.soft, dt { color: var(--soft); }
.counts { display: flex; flex-wrap: wrap; gap: .5rem; margin: .75rem 0; padding: 0; list-style: none; }
.counts li { border: 1px solid var(--line); border-radius: .5rem; padding: .25rem .75rem; }
section { background: var(--card); border: 1px solid var(--line); border-radius: .5rem;
  margin: 1rem 0; padding: .75rem 1rem; }
summary { cursor: pointer; }
summary h2 { display: inline; }
.badge { font: 600 .75rem/1 ui-monospace, monospace; border: 1px solid; border-radius: .25rem;
  padding: .15rem .35rem; white-space: nowrap; }
.OK { color: var(--ok); } .WARNING { color: var(--warning); }
.CRITICAL { color: var(--critical); } .UNKNOWN { color: var(--unknown); }
ul.findings { list-style: none; margin: .25rem 0; padding: 0; }
ul.findings > li { border-top: 1px solid var(--line); padding: .4rem 0; }
dl { display: grid; grid-template-columns: 4rem 1fr; margin: .25rem 0 0; font-size: .9rem; }
dd { margin: 0; }
code { font: .85em ui-monospace, monospace; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; }
th, td { border-top: 1px solid var(--line); padding: .3rem .5rem .3rem 0; text-align: left;
  vertical-align: top; }
svg { display: block; width: 100%; height: 8px; margin-top: .3rem; background: var(--line);
  border-radius: 2px; }
.fits { fill: var(--ok); } .gap { fill: var(--critical); } .unknown { fill: var(--soft); }
@media (max-width: 30rem) { body { padding: .5rem; } section { padding: .5rem .75rem; }
  dl { grid-template-columns: 1fr; } dt { margin-top: .25rem; }
  tr, th, td { display: block; } th { padding-bottom: 0; } td { border-top: 0; padding-top: 0; } }
";
