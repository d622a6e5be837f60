"""Azure Computer Vision 4.0 as a provider."""
