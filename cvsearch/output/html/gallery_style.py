"""The gallery's looks, its keys and the script that listens to them; all of it ASCII."""

from __future__ import annotations

STYLE = """
.sample{display:inline-block;margin:.25rem .5rem .25rem 0;border-radius:6px;overflow:hidden}
.sample img{display:block;width:auto;height:auto;max-height:96px;max-width:160px}
.sample.away{outline:2px dashed var(--soft)}
.sample.away img{opacity:.45}
.gallery{list-style:none;margin:1rem 0 0;padding:0;display:grid;gap:1rem;
grid-template-columns:repeat(auto-fill,minmax(min(13.5rem,calc(50% - .5rem)),1fr))}
.card{min-width:0;scroll-margin:1rem}
.card p{margin:.15rem 0}
.photo{display:flex;aspect-ratio:4/3;align-items:center;justify-content:center;overflow:hidden;
background:var(--panel);border:1px solid var(--line);border-radius:8px;text-decoration:none}
.photo img{width:100%;height:100%;object-fit:contain;display:block}
.photo:focus-visible,summary:focus-visible,button:focus-visible{outline:3px solid var(--accent);
outline-offset:2px}
.photo:hover{border-color:var(--accent)}
.none{padding:.75rem;text-align:center;font-size:.8rem;color:var(--soft);overflow-wrap:anywhere}
.none b{display:block;margin-bottom:.25rem;color:var(--front)}
.card .score{display:flex;align-items:center;gap:.5rem;margin-top:.4rem;font-size:.85rem;
font-variant-numeric:tabular-nums;color:var(--front)}
.rank{color:var(--soft);min-width:1.2rem}
.bar{flex:1;height:.4rem;border-radius:.2rem;background:linear-gradient(var(--accent),var(--accent))
0/max(4%,calc(var(--p)*1%)) 100% no-repeat var(--line)}
.card .name{color:var(--front);font-weight:600;font-size:.9rem;overflow-wrap:anywhere}
.folder{font-size:.8rem;overflow-wrap:anywhere}
.marks{list-style:none;margin:.25rem 0 0;padding:0;display:flex;flex-wrap:wrap;gap:.3rem}
.marks li{padding:.05rem .5rem;border:1px solid var(--line);border-radius:1rem;background:var(--panel);
font-size:.75rem;overflow-wrap:anywhere;white-space:pre-wrap}
details{margin-top:.25rem;font-size:.8rem;color:var(--soft)}
details ul{margin:.25rem 0;padding-left:1rem;overflow-wrap:anywhere;white-space:pre-wrap}
#keys{position:fixed;right:1rem;bottom:1rem;width:2.5rem;height:2.5rem;border:1px solid var(--line);
border-radius:50%;background:var(--panel);color:var(--front);font:inherit;cursor:pointer}
#help{border:1px solid var(--line);border-radius:10px;padding:1rem 1.5rem;background:var(--back);
color:var(--front)}
#help:focus-visible{outline:none}
#help::backdrop{background:rgba(0,0,0,.5)}
#help h2{font-size:1rem;margin:0 0 .5rem}
#help dl{display:grid;grid-template-columns:auto 1fr;gap:.3rem 1rem;margin:0}
#help dd{margin:0}
kbd{font:inherit;font-size:.85em;padding:0 .35rem;border:1px solid var(--line);border-radius:4px;
background:var(--panel)}
@media(max-width:40rem){.gallery{gap:.75rem}}
@media(pointer:coarse),(max-width:40rem){#keys{display:none}}
@media print{#keys{display:none}.card{break-inside:avoid}}
"""

KEYS = """<button id="keys" type="button" aria-haspopup="dialog" aria-label="Keys" title="Keys (?)" hidden>\
?</button>
<dialog id="help" aria-labelledby="help-title"><h2 id="help-title">Keys</h2><dl>
<dt><kbd>&larr;</kbd> <kbd>&rarr;</kbd> or <kbd>k</kbd> <kbd>j</kbd></dt><dd>the photo before, the next</dd>
<dt><kbd>&uarr;</kbd> <kbd>&darr;</kbd></dt><dd>a row up, down</dd>
<dt><kbd>Home</kbd> <kbd>End</kbd></dt><dd>the first, the last</dd>
<dt><kbd>Enter</kbd></dt><dd>open the photo's file</dd>
<dt><kbd>Esc</kbd></dt><dd>leave the photos, close this</dd>
<dt><kbd>?</kbd></dt><dd>show or close this</dd>
</dl></dialog>"""

SCRIPT = """(function () {
  'use strict';
  var photos = Array.from(document.querySelectorAll('.photo'));
  var help = document.getElementById('help'), button = document.getElementById('keys');

  function columns() {
    var top = photos[0].offsetTop;
    var below = photos.findIndex(function (photo) { return photo.offsetTop !== top; });
    return below < 0 ? photos.length : below;
  }

  function target(key, at) {
    var last = photos.length - 1;
    switch (key) {
      case 'Home': return 0;
      case 'End': return last;
      case 'ArrowRight': case 'j': return Math.min(at + 1, last);
      case 'ArrowLeft': case 'k': return Math.max(at - 1, 0);
      case 'ArrowDown': return at < 0 ? 0 : Math.min(at + columns(), last);
      case 'ArrowUp': return at < 0 ? 0 : at < columns() ? at : at - columns();
    }
    return -1;
  }

  document.addEventListener('keydown', function (event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === '?') {
      if (help.open) help.close(); else help.showModal();
    } else if (help.open) {
      return;
    } else if (event.key === 'Escape') {
      document.activeElement.blur();
    } else {
      var to = photos.length ? target(event.key, photos.indexOf(document.activeElement)) : -1;
      if (to < 0) return;
      photos[to].focus({preventScroll: true});
      photos[to].closest('.card').scrollIntoView({block: 'nearest'});
    }
    event.preventDefault();
  });

  button.hidden = false;
  button.addEventListener('click', function () { help.showModal(); });
  help.addEventListener('click', function () { help.close(); });
})();
"""
