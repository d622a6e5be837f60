"""From texts and pictures to vectors, at no cost where that is possible."""
