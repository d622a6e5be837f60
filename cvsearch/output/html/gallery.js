(function () {
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
