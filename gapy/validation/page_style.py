"""How a report page looks, and the script of its filter: plain CSS and JavaScript."""

STYLE = """
:root{--paper:#fff;--ink:#1b1b1b;--soft:#555;--line:#ddd;--head:#f3f3f3;--link:#0060a8;
--good:#00674a;--good-paper:#dff3ea;--bad:#a31515;--bad-paper:#fbe3e1}
@media(prefers-color-scheme:dark){:root{--paper:#15181b;--ink:#e8e8e8;--soft:#a9b0b6;--line:#3a4046;
--head:#22272b;--link:#7cc0f5;--good:#8fe0bd;--good-paper:#123a2c;--bad:#ffb3ab;--bad-paper:#4a1a17}}
*{box-sizing:border-box}
html{color-scheme:light dark}
body{font:16px/1.45 system-ui,sans-serif;background:var(--paper);color:var(--ink);
max-width:64rem;margin:0 auto;padding:1rem;overflow-wrap:anywhere}
h1{font-size:1.6rem;margin:.2rem 0}h2{font-size:1.2rem;margin:.2rem 0;display:inline-block}
p{color:var(--soft);margin:.3rem 0}a{color:var(--link)}
section{border-top:1px solid var(--line);padding:.8rem 0;scroll-margin-top:4rem}
section>.chip{float:right}
input{font:inherit;width:100%;padding:.5rem .7rem;margin:.6rem 0;border:1px solid var(--line);
border-radius:.4rem;background:var(--head);color:inherit;position:sticky;top:.4rem;z-index:1}
nav ul{list-style:none;margin:0;padding:0;display:flex;flex-wrap:wrap;gap:.3rem 1rem}
.wide{overflow-x:auto;max-width:100%;margin:.4rem 0}
table{border-collapse:collapse;font-size:.9rem;overflow-wrap:normal}
th,td{text-align:left;vertical-align:top;padding:.25rem .8rem .25rem 0;border-bottom:1px solid
var(--line)}
thead th{background:var(--head);padding-left:.3rem}td{padding-left:.3rem;min-width:3rem}
.facts td{overflow-wrap:anywhere}
.chip{border-radius:.7rem;padding:.05rem .55rem;font-size:.85rem;white-space:nowrap;
background:var(--head);color:var(--soft)}
.chip.good{background:var(--good-paper);color:var(--good)}
.chip.bad{background:var(--bad-paper);color:var(--bad)}
figure{margin:.8rem 0}figcaption{font-weight:600;margin:.2rem 0}
img{max-width:100%;height:auto;background:#fff;border-radius:.3rem}
details{margin:.3rem 0}summary{cursor:pointer;color:var(--link)}
.hidden{display:none}
.short{white-space:nowrap}
@media(max-width:40rem){table:not(.facts) thead{display:none}
table:not(.facts),table:not(.facts) tbody{display:block}
table:not(.facts) tr{display:block;border-bottom:1px solid var(--line);padding:.3rem 0}
table:not(.facts) tr.hidden{display:none}
table:not(.facts) td{display:flex;gap:.8rem;border:0;padding:.05rem 0;white-space:normal}
table:not(.facts) td:empty{display:none}
td::before{content:attr(data-name);color:var(--soft);flex:0 0 7.5rem}
.facts td::before{content:none}}
@media print{input,nav{display:none}}
"""
SCRIPT = """
document.getElementById('filter').addEventListener('input', function () {
  var words = this.value.toLowerCase().split(/\\s+/);
  document.querySelectorAll('section').forEach(function (section) {
    var head = section.querySelector('h2').textContent.toLowerCase();
    var found = words.every(function (w) { return head.includes(w); });
    var some = false;
    section.querySelectorAll('tbody tr, .facts tr').forEach(function (row) {
      var text = row.textContent.toLowerCase();
      var fits = found || words.every(function (w) { return text.includes(w); });
      row.classList.toggle('hidden', !fits);
      some = some || fits;
    });
    section.querySelectorAll('figure').forEach(function (figure) {
      var text = figure.textContent.toLowerCase();
      var fits = found || words.every(function (w) { return text.includes(w); });
      figure.classList.toggle('hidden', !fits);
      some = some || fits;
    });
    section.classList.toggle('hidden', !(found || some));
  });
});
"""
