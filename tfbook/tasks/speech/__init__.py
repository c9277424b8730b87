"""Spoken digits: voices, distortions, recordings, and the listener that recognises them."""
