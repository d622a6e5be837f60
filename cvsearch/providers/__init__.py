"""From a photo or a text to a vector: one class a provider."""
