"""The look of report.html: one style sheet, light and dark, wide and narrow.

Colours are near those of Okabe and Ito, which people who see colours differently can tell apart;
groups are also told apart by place, label or shape.
"""

CSS = """
:root {
  color-scheme: light dark;
  --page: #fffefb; --ink: #1d1f21; --soft: #5f6468; --line: #dcdad3; --faint: #f4f2ec;
  --link: #0b5a8f; --content: #0072b2; --structure: #c4500a; --clean: #1d1f21; --base: #777b7f;
  --short: #a8558a; --right: #00725a; --wrong: #b0410a;
  --serif: Charter, "Bitstream Charter", "Sitka Text", Cambria, Georgia, serif;
  --sans: system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif;
  --mono: ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #16181b; --ink: #e7e4dd; --soft: #a3a7ab; --line: #34383d; --faint: #1f2226;
    --link: #7cc0ee; --content: #56b4e9; --structure: #f08b45; --clean: #e7e4dd; --base: #92979c;
    --short: #d995bf; --right: #4fc3a1; --wrong: #f08b45;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; text-size-adjust: 100%; }
body {
  margin: 0; background: var(--page); color: var(--ink); font: 17px/1.6 var(--serif);
  overflow-wrap: anywhere;
}
main, header, footer { max-width: 1040px; margin: 0 auto; padding: 0 24px; }
header { padding-top: 56px; }
.kicker { font: 600 12px/1.4 var(--sans); letter-spacing: .08em; color: var(--soft); margin: 0; }
h1 { font-size: 34px; line-height: 1.2; font-weight: 600; margin: 8px 0 16px; text-wrap: balance; }
h2 { font-size: 23px; line-height: 1.3; font-weight: 600; margin: 56px 0 12px; }
h3 { font-size: 17px; margin: 24px 0 6px; }
p, ul, ol { max-width: 70ch; }
.lead { font-size: 19px; line-height: 1.55; }
a { color: var(--link); text-decoration-thickness: 1px; text-underline-offset: 2px; }
a:focus-visible, summary:focus-visible, .scroll:focus-visible {
  outline: 2px solid var(--link); outline-offset: 2px;
}
nav { font: 14px/1.9 var(--sans); margin: 20px 0 0; padding: 8px 0; }
nav { border-block: 1px solid var(--line); }
nav a { margin-right: 18px; text-decoration: none; white-space: nowrap; }
.findings { padding-left: 1.1em; } .findings li { margin: 0 0 8px; padding-left: 4px; }
.rows { font-size: 15px; line-height: 1.5; }
.note, figcaption { font: 14px/1.5 var(--sans); color: var(--soft); max-width: 78ch; }
figure { margin: 24px 0; }
figcaption { margin-top: 8px; }
.scroll { overflow-x: auto; margin: 10px 0 20px; }
table {
  border-collapse: collapse; font: 14px/1.4 var(--sans); font-variant-numeric: tabular-nums;
  width: 100%; overflow-wrap: normal;
}
th, td { padding: 6px 8px; text-align: right; vertical-align: baseline; font-weight: 400; }
th:first-child, td:first-child, .text { text-align: left; }
th:first-child, td:first-child { padding-left: 0; }
thead th { color: var(--soft); font-size: 13px; vertical-align: bottom; }
thead tr:first-child > * { border-top: 2px solid var(--ink); }
thead tr:last-child th { border-bottom: 1px solid var(--ink); }
tbody tr:last-child > * { border-bottom: 1px solid var(--line); }
tbody:last-child tr:last-child > * { border-bottom: 2px solid var(--ink); }
th.span { text-align: center; color: var(--ink); border-bottom: 1px solid var(--line); }
td, tbody th { white-space: nowrap; }
.published { color: var(--soft); }
.group { color: var(--soft); font-size: 13px; padding-top: 12px; }
tbody tr .group { border-bottom: 0; }
.facts { width: auto; }
.facts td, .facts th { white-space: normal; text-align: left; padding-block: 3px; }
.facts tbody:last-child tr:last-child > * { border-bottom: 0; }
.facts th { color: var(--soft); padding-right: 24px; }
td.text, thead th.text { padding-left: 16px; padding-right: 0; }
.disagree { font-weight: 600; color: var(--wrong); }
svg { display: block; width: 100%; height: auto; font: 13px var(--sans); }
svg text {
  fill: var(--ink); font-variant-numeric: tabular-nums;
  paint-order: stroke; stroke: var(--page); stroke-width: 3px; stroke-linejoin: round;
}
svg .soft { fill: var(--soft); } svg .head { font-weight: 600; }
svg .end { text-anchor: end; } svg .mid { text-anchor: middle; }
svg .grid { stroke: var(--line); stroke-width: 1; }
svg .zero { stroke: var(--ink); stroke-width: 1; }
svg .bound { stroke: var(--soft); stroke-width: 1; stroke-dasharray: 3 3; }
svg .paper { fill: var(--page); stroke: var(--soft); stroke-width: 1.5; }
svg .curve { fill: none; stroke-width: 2; stroke-linejoin: round; }
svg .seed { fill: none; stroke-width: 1; opacity: .3; }
svg .ghost { fill: none; stroke: var(--base); stroke-width: 1.5; opacity: .55; }
svg .ring { fill: var(--page); stroke-width: 2; }
svg .mark { stroke: var(--page); stroke-width: 1; }
svg .span { stroke-width: 2.5; stroke-linecap: round; }
.content { --group: var(--content); } .structure { --group: var(--structure); }
.clean { --group: var(--clean); } .base { --group: var(--base); } .short { --group: var(--short); }
svg .fill { fill: var(--group, var(--ink)); } .stroke { stroke: var(--group, var(--ink)); }
.narrow { display: none; }
.multiples { display: grid; grid-template-columns: repeat(auto-fill, minmax(190px, 1fr)); }
.multiples { gap: 20px 16px; }
.multiples h3 { font: 600 13px/1.3 var(--sans); margin: 0 0 4px; color: var(--group); }
.multiples svg { font-size: 11px; }
details { border-top: 1px solid var(--line); }
details > details { margin-left: 18px; }
details:last-of-type { border-bottom: 1px solid var(--line); }
summary { cursor: pointer; padding: 7px 0; font: 14px/1.5 var(--sans); }
summary .soft { color: var(--soft); }
.right { color: var(--right); font-weight: 600; } .wrong { color: var(--wrong); font-weight: 600; }
pre {
  font: 13px/1.55 var(--mono); white-space: pre-wrap; overflow-wrap: anywhere; margin: 4px 0 14px;
  padding: 10px 14px; background: var(--faint); border-radius: 4px; unicode-bidi: isolate;
  max-height: 30em; overflow-y: auto;
}
.what { font: 600 12px/1.4 var(--sans); color: var(--soft); margin: 8px 0 0; }
footer { margin-top: 64px; padding-bottom: 48px; }
@media (max-width: 640px) {
  body { font-size: 16px; } h1 { font-size: 27px; } .lead { font-size: 17px; }
  header { padding-top: 28px; } h2 { margin-top: 44px; }
  .wide { display: none; } .narrow { display: block; }
  .scroll th:first-child { position: sticky; left: 0; background: var(--page); max-width: 40vw; }
  tbody th[scope=row] { min-width: 8.5em; max-width: 40vw; white-space: normal; }
  .multiples { grid-template-columns: repeat(auto-fill, minmax(150px, 1fr)); }
}
@media print { nav { display: none; } pre { max-height: none; } h2 { break-after: avoid; } }
"""
