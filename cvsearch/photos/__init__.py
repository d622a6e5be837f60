"""From a folder to bytes worth sending."""
